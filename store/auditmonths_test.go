package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
)

// years is a trail of two old months with partitions of their own, one that
// lies in the rest, and today. Around midnight the months' records are mixed.
func years(t *testing.T) *teststore.DB {
	t.Helper()
	db := teststore.New(t)
	for _, month := range []string{"2021-02", "2021-03"} {
		start, err := time.Parse("2006-01", month)
		if err != nil {
			t.Fatal(err)
		}
		db.Exec(fmt.Sprintf(`CREATE TABLE audit_logs_%s PARTITION OF audit_logs FOR VALUES FROM ('%s 00:00Z') TO ('%s 00:00Z')`,
			start.Format("2006_01"), start.Format(time.DateOnly), start.AddDate(0, 1, 0).Format(time.DateOnly)))
	}
	for _, at := range []string{
		"2021-01-01 00:00", "2021-01-31 23:59:59.5", "2021-02-01 00:00", "2021-01-31 23:59:59.9", "2021-02-15 12:00",
		"2021-02-28 23:59:59", "2021-03-01 00:00:01", "2021-02-28 23:59:59.7", "2021-03-31 23:59:59",
	} {
		db.Exec(`INSERT INTO audit_logs (action, resource, created_at) VALUES ('test', $1, $1::text::timestamp AT TIME ZONE 'UTC')`, at)
	}
	for n := range 3 {
		audit(t, t.Context(), db, fmt.Sprint(n))
	}
	seal(t, db)
	return db
}

func droppedMonths(db *teststore.DB) []string {
	return db.Query(`SELECT to_char(month, 'YYYY-MM ') || records || ' of ' || first_sequence || '-' || last_sequence
		FROM audit_dropped_months ORDER BY month`)
}

// drop drops what is older than that many days, and takes its lock's refusal
// for what it is.
func drop(t *testing.T, db *teststore.DB, keep time.Duration) {
	t.Helper()
	await.True(t, "months are dropped", func() bool { return db.DropAuditMonths(t.Context(), keep) == nil })
}

// TestMonthsAreDroppedWithTheirSealKept, one after the other, and what is left
// is as well guarded as before.
func TestMonthsAreDroppedWithTheirSealKept(t *testing.T) {
	db := years(t)
	before, err := db.AuditHead(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	since := func(date string) time.Duration {
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			t.Fatal(err)
		}
		return time.Since(at)
	}
	for _, step := range []struct {
		keep time.Duration
		want []string
		left string // records
	}{
		{since("2021-01-31"), nil, "12"},
		{since("2021-02-02"), []string{"2021-01 3 of 1-2"}, "9"},
		{since("2021-02-28"), []string{"2021-01 3 of 1-2"}, "9"},
		{24 * time.Hour * 32, []string{"2021-01 3 of 1-2", "2021-02 4 of 3-6", "2021-03 2 of 7-9"}, "3"},
		{time.Second, []string{"2021-01 3 of 1-2", "2021-02 4 of 3-6", "2021-03 2 of 7-9"}, "3"},
	} {
		drop(t, db, step.keep)
		if diff := cmp.Diff(step.want, droppedMonths(db)); diff != "" {
			t.Fatalf("%s: months (-want +got):\n%s", step.keep, diff)
		}
		if left := db.Query(`SELECT count(*) FROM audit_logs WHERE action = 'test'`); left[0] != step.left {
			t.Errorf("%s: %s records are left, want %s", step.keep, left[0], step.left)
		}
		report, err := db.VerifyAudit(t.Context(), &before.Hash)
		if err != nil || len(report.Problems) > 0 || report.Dropped != len(step.want) {
			t.Errorf("%s: %+v, %v", step.keep, report, err)
		}
		seal(t, db)
	}
	if tables := db.Query(`SELECT relname FROM pg_class WHERE relname IN ('audit_logs_2021_02', 'audit_logs_2021_03')`); len(tables) > 0 {
		t.Errorf("%v are still there", tables)
	}
	if links := db.Query(`SELECT min(sequence) FROM audit_chain`); links[0] != "10" {
		t.Errorf("the chain begins at %s", links[0])
	}
	if told := db.Query(`SELECT resource FROM audit_logs WHERE action = $1 ORDER BY position`, fanfare.ActionAuditDrop); !cmp.Equal(told, []string{"2021-01", "2021-02", "2021-03"}) {
		t.Errorf("audited: %v", told)
	}
	if report := sound(t, db); report.Records != 6 {
		t.Errorf("%+v", report)
	}
	for do, want := range map[string]string{
		`DELETE FROM audit_logs WHERE resource = '0'`:                                          "is missing",
		`DELETE FROM audit_chain WHERE sequence = 10`:                                          "The seals before",
		`DELETE FROM audit_dropped_months WHERE month = '2021-02-01'`:                          "the dropped month 2021-03 does not stand",
		`UPDATE audit_dropped_months SET last_sequence = 10 WHERE month = '2021-03-01'`:        "is not the one that the chain has there",
		`UPDATE audit_dropped_months SET last_hash = sha256('') WHERE month = '2021-01-01'`:    "the dropped month 2021-01 has no audit record",
		`DELETE FROM audit_logs WHERE action = 'audit.drop' AND resource = '2021-01'`:          "the dropped month 2021-01 has no audit record",
		`UPDATE audit_dropped_months SET records = 5 WHERE month = '2021-03-01'`:               "the dropped month 2021-03 has no audit record",
		`UPDATE audit_dropped_months SET dropped_at = '2021-03-09' WHERE month = '2021-03-01'`: "is older than the month's end",
		`INSERT INTO audit_logs (action, created_at) VALUES ('forged', '2021-02-02')`:          "waits for its seal",
	} {
		report, err := db.VerifyAfter(t.Context(), do)
		if err != nil || len(report.Problems) == 0 || !strings.Contains(report.Problems[0], want) {
			t.Errorf("after %s: %q, %v", do, report.Problems, err)
		}
	}
}

// TestRecordsOfDroppingAreDroppedInTheirTime: the seal of the month that they
// went with vouches for those before it, and for nothing behind it.
func TestRecordsOfDroppingAreDroppedInTheirTime(t *testing.T) {
	db := teststore.New(t)
	for n := range 4 { // each month was dropped on the tenth of the next one
		start := time.Date(2021, time.Month(1+n), 1, 0, 0, 0, 0, time.UTC)
		for day := range 2 {
			db.Exec(`INSERT INTO audit_logs (action, created_at) VALUES ('test', $1)`, start.AddDate(0, 0, 14+day))
		}
		seal(t, db)
		drop(t, db, time.Hour)
		tenth := start.AddDate(0, 1, 9)
		db.Exec(`UPDATE audit_logs SET created_at = $1 WHERE action = 'audit.drop' AND resource = $2`, tenth, start.Format("2006-01"))
		db.Exec(`UPDATE audit_dropped_months SET dropped_at = $1 WHERE month = $2`, tenth, start)
		seal(t, db)
		if report := sound(t, db); report.Dropped != n+1 || !report.LastDropped.Equal(start) {
			t.Errorf("%+v", report)
		}
	}
	if left := db.Query(`SELECT resource FROM audit_logs WHERE action = 'audit.drop'`); !cmp.Equal(left, []string{"2021-04"}) {
		t.Fatalf("the records of dropping are those of %v", left)
	}
	for n := range 3 {
		audit(t, t.Context(), db, fmt.Sprint(n))
	}
	seal(t, db)
	forge := `INSERT INTO audit_dropped_months SELECT '%s', 0, h.last_sequence + 1, c.sequence, h.last_hash, c.hash, '%s'
		FROM audit_dropped_months h, audit_chain c WHERE h.month = '2021-04-01' AND c.sequence = (SELECT max(sequence) - 1 FROM audit_chain);
		DELETE FROM audit_logs USING audit_chain c WHERE audit_id = audit_logs.id AND sequence < (SELECT max(sequence) FROM audit_chain);
		DELETE FROM audit_chain WHERE sequence < (SELECT max(sequence) FROM audit_chain)`
	for do, want := range map[string]string{
		fmt.Sprintf(forge, "2020-12-01", "2021-02-10"):                                    "2020-12 has no audit record",
		fmt.Sprintf(forge, "2021-05-01", "2021-06-10"):                                    "2021-05 has no audit record",
		fmt.Sprintf(forge, "2021-05-01", "2021-04-10"):                                    "is older than the month's end",
		`UPDATE audit_dropped_months SET month = '2020-12-01' WHERE month = '2021-04-01'`: "2021-03 has no audit record",
		`DELETE FROM audit_logs WHERE action = 'audit.drop'`:                              "2021-04 has no audit record",
	} {
		report, err := db.VerifyAfter(t.Context(), do)
		if err != nil || !strings.Contains(strings.Join(report.Problems, " "), want) {
			t.Errorf("after %s: %q, %v", do, report.Problems, err)
		}
	}
}

// TestAMonthThatIsNotSealedStays, and those after it.
func TestAMonthThatIsNotSealedStays(t *testing.T) {
	db := years(t)
	db.Exec(`INSERT INTO audit_logs (action, created_at, position) VALUES ('forged', '2021-02-03', '3')`)
	await.True(t, "the month before is dropped", func() bool {
		err := db.DropAuditMonths(t.Context(), time.Hour)
		return err != nil && strings.Contains(err.Error(), "2021-02") && strings.Contains(err.Error(), "fanfare audit verify")
	})
	if diff := cmp.Diff([]string{"2021-01 3 of 1-2"}, droppedMonths(db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	report, err := db.VerifyAudit(t.Context(), nil)
	if err != nil || len(report.Problems) != 1 || !strings.Contains(report.Problems[0], "of 2021-02-03") {
		t.Errorf("%q, %v", report.Problems, err)
	}
}

// TestDroppingWaitsForNobody: behind a lock that it waits for, all writers
// would wait too.
func TestDroppingWaitsForNobody(t *testing.T) {
	db := years(t)
	err := db.Atomic(t.Context(), func(ctx context.Context) error {
		audit(t, ctx, db, "open")
		if err := db.DropAuditMonths(t.Context(), time.Hour); err == nil || !strings.Contains(err.Error(), "lock timeout") {
			t.Errorf("beside an open transaction: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if dropped := droppedMonths(db); len(dropped) > 1 { // the one in the rest needs no lock
		t.Errorf("%v", dropped)
	}
	drop(t, db, time.Hour)
	sound(t, db)
}

// TestManyDropAtOnce: each month once.
func TestManyDropAtOnce(t *testing.T) {
	db := years(t)
	done := make(chan struct{})
	for range 3 {
		go func() {
			defer func() { done <- struct{}{} }()
			for range 20 {
				if db.DropAuditMonths(background(t), time.Hour) == nil {
					return
				}
			}
			t.Error("the months were not dropped")
		}()
	}
	for range 3 {
		await.Value(t, "the end", done)
	}
	if diff := cmp.Diff([]string{"2021-01 3 of 1-2", "2021-02 4 of 3-6", "2021-03 2 of 7-9"}, droppedMonths(db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if told := db.Query(`SELECT count(*) FROM audit_logs WHERE action = $1`, fanfare.ActionAuditDrop); told[0] != "3" {
		t.Errorf("%s were audited", told[0])
	}
	sound(t, db)
}
