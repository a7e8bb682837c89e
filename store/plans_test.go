package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lib/pq"

	"fanfare/internal/testdb"
	"fanfare/internal/teststore"
	"fanfare/store"
)

const (
	// bigTable is from how many rows on a table is never read as a whole, nor so
	// many rows of it; wasted is how many a statement may look at in vain, or sort.
	bigTable = 2000
	wasted   = 200
	// rounds makes PostgreSQL choose a plan for all arguments, where a
	// statement is prepared: it does so after five plans for given ones.
	rounds = 7
)

// TestPlans calls every method of the store on a database with a few months'
// rows, and looks at the plan of every statement that the server then runs: it
// must find its rows by an index, in the order that it wants them in.
//
// A method that nobody calls here fails the test, so that no statement is
// forgotten. auto_explain, a part of PostgreSQL, tells the plans; loading it
// takes a superuser.
func TestPlans(t *testing.T) {
	address := testdb.New(t)
	db := teststore.Open(t, address)
	fill(t, db)
	big := db.Query(`SELECT relname FROM pg_class WHERE relkind = 'r' AND reltuples >= $1`, bigTable)
	var plans []plan
	tellPlans(db)
	s, err := store.OpenNoticed(t.Context(), address, func(notice *pq.Error) {
		if _, text, found := strings.Cut(notice.Message, "plan:\n"); found {
			var p plan
			if err := json.Unmarshal([]byte(text), &p); err != nil {
				t.Errorf("%v in the plan %s", err, text)
			}
			plans = append(plans, p)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	calls := calls(s)
	for method := range reflect.TypeFor[*store.Store]().Methods() {
		if calls[method.Name] == nil && !slices.Contains(withoutStatements(), method.Name) {
			t.Errorf("no plan of %s was looked at: call it in this test", method.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		plans = nil
		for range roundsOf(name) {
			undone := errors.New("undone")
			err := s.Atomic(t.Context(), func(ctx context.Context) error { return errors.Join(calls[name](ctx), undone) })
			if err.Error() != undone.Error() {
				t.Fatalf("%s: %v", name, err)
			}
		}
		if len(plans) < roundsOf(name) {
			t.Errorf("%s: %d plans were told", name, len(plans))
		}
		for _, p := range plans {
			if found := p.Plan.faults(big, sortable(name)); len(found) > 0 && !slices.Contains(readsAll(), name) {
				t.Errorf("%s: %s in\n%s", name, strings.Join(found, ", "), p.Query)
				break
			}
		}
	}
}

// withoutStatements are the methods that have none of their own: SealFrom and
// VerifyAfter are tests' ways to the insides of SealAudit and VerifyAudit.
func withoutStatements() []string {
	return []string{"Atomic", "Close", "Pool", "SealFrom", "VerifyAfter"}
}

// readsAll are the methods that are there to read a whole table.
func readsAll() []string { return []string{"Users"} } // the operators' list, by id

// roundsOf is how often a method is called. VerifyAudit goes through all of the
// trail and asks the same for each page of it.
func roundsOf(name string) int {
	if name == "VerifyAudit" {
		return 1
	}
	return rounds
}

// sortable is how many rows a method may sort at once: those that go through a
// whole thing in parts may sort a part, and Prune the lists of recipients, all
// of which it looks at.
func sortable(name string) float64 {
	if slices.Contains([]string{"CopyRecipients", "DropAuditMonths", "Plan", "Prune", "VerifyAudit"}, name) {
		return bigTable
	}
	return wasted
}

// tellPlans makes connections to db from now on tell the plan of everything
// that they run.
func tellPlans(db *teststore.DB) {
	name := db.Query(`SELECT current_database()`)[0]
	for setting, value := range map[string]string{
		"session_preload_libraries": "auto_explain", "client_min_messages": "notice",
		"auto_explain.log_min_duration": "0", "auto_explain.log_level": "notice", "auto_explain.log_format": "json",
		"auto_explain.log_analyze": "on", "auto_explain.log_timing": "off", "auto_explain.log_nested_statements": "on",
	} {
		db.Exec(fmt.Sprintf(`ALTER DATABASE %s SET %s = %s`, pq.QuoteIdentifier(name), setting, pq.QuoteLiteral(value)))
	}
}

// plan is what auto_explain tells of a statement that ran.
type plan struct {
	Query string `json:"Query Text"`
	Plan  node
}

// node is a part of a plan: PostgreSQL's documentation, "Using EXPLAIN".
type node struct {
	Type      string   `json:"Node Type"`
	Relation  string   `json:"Relation Name"`
	Rows      float64  `json:"Actual Rows"`
	Loops     float64  `json:"Actual Loops"`
	Filtered  float64  `json:"Rows Removed by Filter"`
	Rechecked float64  `json:"Rows Removed by Index Recheck"`
	Joined    float64  `json:"Rows Removed by Join Filter"`
	SortKey   []string `json:"Sort Key"`
	Plans     []node
}

// faults says what is wrong with a plan.
func (n node) faults(big []string, sorted float64) (found []string) {
	if n.Type == "Seq Scan" && slices.Contains(big, n.Relation) {
		found = append(found, "reads all of "+n.Relation)
	}
	if vain := n.Filtered + n.Rechecked + n.Joined; vain*n.Loops > wasted {
		found = append(found, fmt.Sprintf("%s on %s looks at %g rows in vain", n.Type, n.Relation, vain*n.Loops))
	}
	if strings.HasSuffix(n.Type, "Scan") && n.Rows*n.Loops > bigTable {
		found = append(found, fmt.Sprintf("%s on %s finds %g rows", n.Type, n.Relation, n.Rows*n.Loops))
	}
	if strings.HasSuffix(n.Type, "Sort") && len(n.Plans) > 0 && n.Plans[0].Rows > sorted {
		found = append(found, fmt.Sprintf("sorts %g rows by %v", n.Plans[0].Rows, n.SortKey))
	}
	for _, part := range n.Plans {
		found = append(found, part.faults(big, sorted)...)
	}
	return found
}
