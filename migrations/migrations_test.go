package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/testdb"
	"fanfare/migrations"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func migrated(t *testing.T) *sql.DB {
	t.Helper()
	return open(t, testdb.New(t))
}

func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func query(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		found = append(found, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// schema is all that migrations make: columns, constraints, indexes, functions.
func schema(t *testing.T, db *sql.DB) []string {
	t.Helper()
	return query(t, db, `
		SELECT concat_ws(' ', 'column', attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
			attidentity, pg_get_expr(adbin, adrelid))
		FROM pg_attribute JOIN pg_class c ON c.oid = attrelid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
		WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped AND relname NOT LIKE 'goose%'
		UNION ALL SELECT concat_ws(' ', 'relation', relname, relkind, reloptions, relpartbound IS NOT NULL)
		FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'goose%'
		UNION ALL SELECT concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid))
		FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'goose%'
		UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'goose%'
		UNION ALL SELECT 'function ' || pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace
		ORDER BY 1`)
}

func down(t *testing.T, db *sql.DB) {
	t.Helper()
	steps, err := migrations.Status(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	for range steps {
		if err := migrations.Down(t.Context(), db); err != nil {
			t.Fatal(err)
		}
	}
}

func pending(t *testing.T, db *sql.DB) int {
	t.Helper()
	n, err := migrations.Pending(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestUpDownUpLeavesTheSameSchema(t *testing.T) {
	db := migrated(t)
	first := schema(t, db)
	if n := pending(t, db); n != 0 || len(first) < 100 {
		t.Fatalf("%d steps are pending, %d things exist", n, len(first))
	}
	down(t, db)
	if left := schema(t, db); len(left) != 0 {
		t.Errorf("after going down, there is still:\n%s", strings.Join(left, "\n"))
	}
	steps, err := migrations.Status(t.Context(), db)
	if err != nil || pending(t, db) != len(steps) || len(steps) == 0 {
		t.Errorf("%d of %d steps are pending, %v", pending(t, db), len(steps), err)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, schema(t, db)); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
}

func TestManyMayMigrateAtOnce(t *testing.T) {
	url := testdb.New(t)
	db := open(t, url)
	want := schema(t, db)
	down(t, db)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for range 3 {
		pool := open(t, url)
		wg.Go(func() {
			if err := migrations.Up(ctx, pool); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if diff := cmp.Diff(want, schema(t, db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNoIndexIsThePrefixOfAnother: it would cost writes and serve nothing. One
// that is unique or partial does what the longer one does not.
func TestNoIndexIsThePrefixOfAnother(t *testing.T) {
	db := migrated(t)
	prefixes := `
		SELECT a.indexrelid::regclass || ' is a prefix of ' || b.indexrelid::regclass
		FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
		JOIN pg_class c ON c.oid = a.indrelid
		WHERE c.relnamespace = 'public'::regnamespace AND NOT a.indisunique
			AND a.indkey::text || ' ' = left(b.indkey::text || ' ', length(a.indkey::text) + 1)
			AND coalesce(pg_get_expr(a.indpred, a.indrelid), '') = coalesce(pg_get_expr(b.indpred, b.indrelid), '')`
	if found := query(t, db, prefixes); len(found) != 0 {
		t.Error(strings.Join(found, "\n"))
	}
	if _, err := db.ExecContext(t.Context(), `CREATE INDEX superfluous ON jobs (user_id, created_at)`); err != nil {
		t.Fatal(err)
	}
	if found := query(t, db, prefixes); len(found) != 1 {
		t.Errorf("the query finds %v, want the superfluous index", found)
	}
}

// TestEveryForeignKeyHasAnIndex: else a delete reads the whole table.
func TestEveryForeignKeyHasAnIndex(t *testing.T) {
	missing := query(t, migrated(t), `
		SELECT conrelid::regclass || '.' || conname FROM pg_constraint k
		WHERE contype = 'f' AND connamespace = 'public'::regnamespace AND NOT EXISTS (
			SELECT 1 FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1] AND i.indpred IS NULL)`)
	if len(missing) != 0 {
		t.Errorf("without an index: %v", missing)
	}
}

func TestAuditRecordsLieInTheirMonth(t *testing.T) {
	db := migrated(t)
	makeMonths(t, db, 4)
	for ahead := range 5 {
		first := monthAhead(ahead)
		for _, when := range []string{first, first + ` + interval '27 days'`, monthAhead(ahead+1) + ` - interval '1 microsecond'`} {
			got := query(t, db, `INSERT INTO audit_logs (action, created_at) VALUES ('a', `+when+`)
				RETURNING tableoid::regclass = ('audit_logs_' || to_char(`+first+` AT TIME ZONE 'UTC', 'YYYY_MM'))::regclass`)
			if diff := cmp.Diff([]string{"true"}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", when, diff)
			}
		}
	}
}

// TestAuditRecordsMoveToTheirMonth: those that came before anybody made it.
func TestAuditRecordsMoveToTheirMonth(t *testing.T) {
	db := migrated(t)
	makeMonths(t, db, 4)
	record := `INSERT INTO audit_logs (action, created_at) VALUES ('early', ` + monthAhead(5) + `) RETURNING tableoid::regclass`
	if diff := cmp.Diff([]string{"audit_logs_rest"}, query(t, db, record)); diff != "" {
		t.Fatalf("a month that was not made (-want +got):\n%s", diff)
	}
	before := query(t, db, `SELECT to_jsonb(a) FROM audit_logs a`)
	makeMonths(t, db, 6)
	if diff := cmp.Diff(before, query(t, db, `SELECT to_jsonb(a) FROM audit_logs a`)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
	if left := query(t, db, `SELECT id FROM audit_logs_rest`); len(left) != 0 {
		t.Errorf("%v still lie in the rest", left)
	}
}

func makeMonths(t *testing.T, db *sql.DB, ahead int) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), `SELECT ensure_audit_months($1)`, ahead); err != nil {
		t.Fatal(err)
	}
}

// monthAhead is the first instant of a month.
func monthAhead(n int) string {
	return fmt.Sprintf(`((date_trunc('month', now() AT TIME ZONE 'UTC') + interval '%d months') AT TIME ZONE 'UTC')`, n)
}

func TestIDsSortByTime(t *testing.T) {
	db := migrated(t)
	got := query(t, db, `SELECT bool_and(id::text ~ '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
			AND abs(('x' || left(replace(id::text, '-', ''), 12))::bit(48)::bigint - extract(epoch FROM now()) * 1000) < 60000)
			AND count(DISTINCT id) = 1000
		FROM (SELECT uuidv7() AS id FROM generate_series(1, 1000)) ids`)
	if diff := cmp.Diff([]string{"true"}, got); diff != "" {
		t.Errorf("a version 7 UUID of now (-want +got):\n%s", diff)
	}
}
