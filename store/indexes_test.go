package store_test

import (
	"slices"
	"testing"

	"fanfare/internal/teststore"
)

// columnsOf are an index's columns in their order, with what else makes two
// columns of indexes differ: operators, collation, direction.
const columnsOf = `(SELECT array_agg(concat_ws(' ', a.attname, pg_get_indexdef(i.indexrelid, k::int, true), i.indclass[k-1], i.indcollation[k-1], i.indoption[k-1])
	ORDER BY k) FROM generate_series(1, i.indnkeyatts) k LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k-1])`

// An index whose columns another one begins with costs at every write and finds
// nothing that the other would not. One that refuses duplicates has that to do,
// and one of some rows spares the way past the others: where they are few, that
// is what it is for.
func TestNoIndexIsAnothersPrefix(t *testing.T) {
	db := teststore.New(t)
	const indexes = `indexes AS (
		SELECT i.indexrelid::regclass::text AS name, i.indrelid, i.indisunique, ` + columnsOf + ` AS columns,
			coalesce(pg_get_expr(i.indpred, i.indrelid), '') AS predicate
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = 'public'::regnamespace
	)`
	const pairs = `SELECT a.name || ' of ' || b.name FROM indexes a JOIN indexes b ON a.indrelid = b.indrelid AND a.name <> b.name
		WHERE NOT a.indisunique AND a.columns = b.columns[:cardinality(a.columns)] AND a.predicate = b.predicate`
	if found := db.Query(`WITH ` + indexes + pairs); len(found) > 0 {
		t.Errorf("these indexes are prefixes: %v", found)
	}
	db.Exec(`CREATE INDEX too_short ON jobs (user_id)`) // so that the test is known to see one
	db.Exec(`CREATE INDEX too_narrow ON jobs (user_id) WHERE finished_at IS NULL`)
	db.Exec(`CREATE INDEX of_its_own ON jobs (user_id) WHERE retry_of IS NOT NULL`)
	if found := db.Query(`WITH ` + indexes + `SELECT DISTINCT split_part(pair, ' ', 1) FROM (` + pairs + `) p(pair) ORDER BY 1`); !slices.Equal(found, []string{"too_narrow", "too_short"}) {
		t.Errorf("of two indexes that are prefixes, these were seen: %v", found)
	}
}

// Deleting a row looks for those that reference it, in PostgreSQL's own
// statements.
func TestEveryForeignKeyHasAnIndex(t *testing.T) {
	const missing = `SELECT conname FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND NOT EXISTS (
		SELECT 1 FROM pg_index WHERE indrelid = conrelid AND indpred IS NULL
			AND (string_to_array(indkey::text, ' ')::int2[])[:cardinality(conkey)] @> conkey)`
	db := teststore.New(t)
	if found := db.Query(missing); len(found) > 0 {
		t.Errorf("foreign keys without an index: %v", found)
	}
	db.Exec(`ALTER TABLE jobs ADD FOREIGN KEY (retry_of) REFERENCES jobs`)
	if found := db.Query(missing); len(found) != 1 {
		t.Errorf("a foreign key without an index is not seen: %v", found)
	}
}
