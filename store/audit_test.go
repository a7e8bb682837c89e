package store_test

import (
	"strings"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/teststore"
	"fanfare/store"
)

// TestListsOfAuditRecordsReadAnIndex, whatever they are narrowed by: one page
// of few records is never a look at all of them.
func TestListsOfAuditRecordsReadAnIndex(t *testing.T) {
	db := teststore.New(t)
	db.Exec(`INSERT INTO audit_logs (user_id, action, resource, status, created_at)
		SELECT ('00000000-0000-7000-8000-0000000000' || 10 + n % 7)::uuid, 'a.' || n % 10, (n / 4)::text,
			CASE WHEN n % 50 = 0 THEN 'failure' ELSE 'success' END, date_trunc('month', now()) + make_interval(secs => n)
		FROM generate_series(1, 20000) n`)
	db.Exec(`ANALYZE audit_logs`)
	user := "00000000-0000-7000-8000-000000000012"
	start := time.Now().UTC()
	for name, filter := range map[string]fanfare.AuditFilter{
		"user_id_created_at_id_idx":        {},
		"user_id_action_created_at_id_idx": {Action: "a.3"},
		"resource_created_at_id_idx":       {Resource: "77"},
		"user_id_created_at_id_idx1":       {Status: fanfare.AuditFailure},
		"user_id_created_at":               {From: start.AddDate(0, 0, -40), To: start.AddDate(0, 2, 0)},
	} {
		for _, before := range []*fanfare.Position{nil, {CreatedAt: start.AddDate(0, 1, 0), ID: user}} {
			query, args := store.AuditsQuery(user, filter, fanfare.Page{Limit: 21, Before: before})
			plan := strings.Join(db.Query(`EXPLAIN `+query, args...), "\n")
			month := "audit_logs_" + start.Format("2006_01")
			if !strings.Contains(plan, month+"_"+name) || strings.Contains(plan, "Seq Scan on "+month) {
				t.Errorf("%+v does not read %s:\n%s", filter, name, plan)
			}
		}
	}
}
