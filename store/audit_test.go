package store_test

import (
	"regexp"
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
		SELECT CASE WHEN n % 6 > 0 THEN ('00000000-0000-7000-8000-0000000000' || 10 + n % 7)::uuid END, 'a.' || n % 10, (n / 4)::text,
			CASE WHEN n % 50 = 0 THEN 'failure' ELSE 'success' END, date_trunc('month', now()) + make_interval(secs => n)
		FROM generate_series(1, 20000) n`)
	db.Exec(`ANALYZE audit_logs`)
	user := "00000000-0000-7000-8000-000000000012"
	start := time.Now().UTC()
	sorts := regexp.MustCompile(`(^|\s)(Incremental )?Sort  \(`)
	for _, test := range []struct {
		whose, name string
		filter      fanfare.AuditFilter
	}{
		{user, "user_id_created_at_id_idx", fanfare.AuditFilter{}},
		{user, "user_id_action_created_at_id_idx", fanfare.AuditFilter{Action: "a.3"}},
		{user, "resource_created_at_id_idx", fanfare.AuditFilter{Resource: "77"}},
		{user, "user_id_created_at_id_idx1", fanfare.AuditFilter{Status: fanfare.AuditFailure}},
		{user, "user_id_created_at", fanfare.AuditFilter{From: start.AddDate(0, 0, -40), To: start.AddDate(0, 2, 0)}},
		{fanfare.AuditsOfNone, "user_id_created_at_id_idx", fanfare.AuditFilter{}},
		{fanfare.AuditsOfNone, "user_id_action_created_at_id_idx", fanfare.AuditFilter{Action: "a.3"}},
		{fanfare.AuditsOfNone, "resource_created_at_id_idx", fanfare.AuditFilter{Resource: "77"}},
		{fanfare.AuditsOfAny, "pkey", fanfare.AuditFilter{}},
		{fanfare.AuditsOfAny, "action_created_at_id_idx", fanfare.AuditFilter{Action: "a.3"}},
		{fanfare.AuditsOfAny, "resource_created_at_id_idx", fanfare.AuditFilter{Resource: "77"}},
		{fanfare.AuditsOfAny, "status_created_at_id_idx", fanfare.AuditFilter{Status: fanfare.AuditFailure}},
		{fanfare.AuditsOfAny, "pkey", fanfare.AuditFilter{From: start.AddDate(0, 0, -40), To: start.AddDate(0, 2, 0)}},
	} {
		for _, before := range []*fanfare.Position{nil, {CreatedAt: start.AddDate(0, 1, 0), ID: user}} {
			query, args := store.AuditsQuery(test.whose, test.filter, fanfare.Page{Limit: 21, Before: before})
			plan := strings.Join(db.Query(`EXPLAIN `+query, args...), "\n")
			month := "audit_logs_" + start.Format("2006_01")
			if !strings.Contains(plan, month+"_"+test.name) || strings.Contains(plan, "Seq Scan on "+month) || test.filter.Resource == "" && sorts.MatchString(plan) {
				t.Errorf("%+v does not read it alone:\n%s", test, plan)
			}
		}
	}
}
