package store_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
)

// audit writes an audit record.
func audit(t testing.TB, ctx context.Context, db *teststore.DB, resource string) {
	t.Helper()
	err := db.Audit(ctx, fanfare.AuditRecord{
		UserID: db.User.ID, Action: "test", Resource: resource, Metadata: map[string]any{"n": 1.5, "to": []string{"<a>", "é"}},
		Origin: fanfare.Origin{IPAddress: "::1", UserAgent: "test"},
	})
	if err != nil {
		t.Error(err)
	}
}

// seal seals until every record is sealed: transactions of other tests on the
// same server may hold it back.
func seal(t testing.TB, db *teststore.DB) {
	t.Helper()
	await.True(t, "all records are sealed", func() bool {
		if _, _, err := db.SealAudit(t.Context(), 100); err != nil {
			t.Fatal(err)
		}
		return db.Query(`SELECT count(*) FROM audit_logs a WHERE NOT EXISTS
			(SELECT 1 FROM audit_chain c WHERE c.audit_id = a.id AND c.created_at = a.created_at)`)[0] == "0"
	})
}

// sound fails the test unless the audit trail holds.
func sound(t testing.TB, db *teststore.DB) fanfare.AuditReport {
	t.Helper()
	report, err := db.VerifyAudit(t.Context(), nil)
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("the trail does not hold: %q, %v", report.Problems, err)
	}
	return report
}

func chain(db *teststore.DB) []string {
	return db.Query(`SELECT a.resource FROM audit_chain c LEFT JOIN audit_logs a ON a.id = c.audit_id ORDER BY c.sequence`)
}

// TestRecordsAreSealedInTheOrderOfSettling: one whose transaction began first
// and is still open may yet come, and has its place before the others.
func TestRecordsAreSealedInTheOrderOfSettling(t *testing.T) {
	db := teststore.New(t)
	audit(t, t.Context(), db, "before")
	seal(t, db)
	err := db.Atomic(t.Context(), func(ctx context.Context) error {
		audit(t, ctx, db, "late")
		audit(t, t.Context(), db, "young")
		for range 3 {
			if sealed, more, err := db.SealAudit(t.Context(), 100); sealed != 0 || more || err != nil {
				t.Errorf("sealed %d behind an open transaction, more: %t, %v", sealed, more, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seal(t, db)
	if diff := cmp.Diff([]string{"before", "late", "young"}, chain(db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, db)
}

// TestNoRecordIsLostOrSealedTwice, whatever commits late and however many seal.
func TestNoRecordIsLostOrSealedTwice(t *testing.T) {
	db := teststore.New(t)
	const writers, transactions, sealers = 8, 30, 3
	var writing, sealing sync.WaitGroup
	var done atomic.Bool
	turn := make(chan struct{}, writers)
	for w := range writers {
		writing.Go(func() {
			for n := range transactions {
				err := db.Atomic(t.Context(), func(ctx context.Context) error {
					audit(t, ctx, db, fmt.Sprintf("%d-%d", w, n))
					if n%3 == 0 { // others commit before this one does
						select {
						case turn <- struct{}{}:
						case <-turn:
						}
					}
					audit(t, ctx, db, fmt.Sprintf("%d-%d", w, n))
					if n%7 == 6 {
						return errors.New("taken back")
					}
					return nil
				})
				if (err != nil) != (n%7 == 6) {
					t.Error(err)
				}
			}
		})
	}
	for range sealers {
		sealing.Go(func() {
			for !done.Load() {
				if _, _, err := db.SealAudit(t.Context(), 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	var before []string
	await.True(t, "the sealers come to it", func() bool { before = chain(db); return len(before) > 0 })
	done.Store(true)
	sealing.Wait()
	seal(t, db)
	after := chain(db)
	if diff := cmp.Diff(before, after[:len(before)]); diff != "" {
		t.Errorf("what was sealed has another order now (-before +after):\n%s", diff)
	}
	want := db.Query(`SELECT count(*) FROM audit_logs`)[0]
	if report := sound(t, db); fmt.Sprint(report.Records) != want || fmt.Sprint(report.Head.Sequence) != want {
		t.Errorf("%d of %s records are sound, the head is %d", report.Records, want, report.Head.Sequence)
	}
}

// TestOneSealsAtATime, and nobody waits for it.
func TestOneSealsAtATime(t *testing.T) {
	db := teststore.New(t)
	audit(t, t.Context(), db, "a")
	seal(t, db)
	audit(t, t.Context(), db, "b")
	gone := errors.New("the process is gone")
	err := db.Atomic(t.Context(), func(ctx context.Context) error {
		await.True(t, "the first seals", func() bool {
			sealed, _, err := db.SealAudit(ctx, 100)
			return sealed == 1 && err == nil
		})
		if sealed, more, err := db.SealAudit(t.Context(), 100); sealed != 0 || more || err != nil {
			t.Errorf("a second one sealed %d, more: %t, %v", sealed, more, err)
		}
		return gone
	})
	if !errors.Is(err, gone) {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a"}, chain(db)); diff != "" {
		t.Errorf("after the first one's end (-want +got):\n%s", diff)
	}
	seal(t, db)
	sound(t, db)
}

// TestALateSealerCannotForkTheChain: it has read a head that is none any more.
func TestALateSealerCannotForkTheChain(t *testing.T) {
	db := teststore.New(t)
	audit(t, t.Context(), db, "a")
	err := db.SealFrom(t.Context(), func(context.Context) error {
		seal(t, db)
		audit(t, t.Context(), db, "b")
		await.True(t, "b is settled", func() bool {
			return db.Query(`SELECT bool_and(position < pg_snapshot_xmin(pg_current_snapshot())) FROM audit_logs`)[0] == "true"
		})
		return nil
	})
	if err == nil {
		t.Error("a sealer that was overtaken has sealed")
	}
	if diff := cmp.Diff([]string{"a"}, chain(db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, db)
}

// TestSealsOutliveARestore: on another server all positions are given anew.
func TestSealsOutliveARestore(t *testing.T) {
	db := teststore.New(t)
	for n := range 5 {
		audit(t, t.Context(), db, fmt.Sprint(n))
	}
	seal(t, db)
	before := chain(db)
	audit(t, t.Context(), db, "unsealed")
	db.Exec(`UPDATE audit_logs SET position = '999999999999'`)
	db.Exec(`UPDATE database_origin SET server = 'another'`)
	db.Exec(`SELECT adopt_database()`)
	if report := sound(t, db); report.Waiting != 1 || report.Records != 5 {
		t.Errorf("%d records wait, %d are sound", report.Waiting, report.Records)
	}
	for {
		if _, more, err := db.SealAudit(t.Context(), 2); err != nil {
			t.Fatal(err)
		} else if !more {
			break
		}
	}
	seal(t, db)
	audit(t, t.Context(), db, "new")
	seal(t, db)
	if diff := cmp.Diff(append(before, "unsealed", "new"), chain(db)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	sound(t, db)
}
