package scheduler_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
	"fanfare/scheduler"
)

// TestASealerCatchesUpInOneTick, over more than a batch, and logs the head.
func TestASealerCatchesUpInOneTick(t *testing.T) {
	db := teststore.New(t)
	db.Exec(`INSERT INTO audit_logs (action) SELECT 'test' FROM generate_series(1, 3500)`)
	await.True(t, "no transaction is older", func() bool {
		return db.Query(`SELECT bool_and(position < pg_snapshot_xmin(pg_current_snapshot())) FROM audit_logs`)[0] == "true"
	})
	var log bytes.Buffer
	sealer := scheduler.NewSealer(db, slog.New(slog.NewJSONHandler(&log, nil)))
	for range 2 {
		if err := sealer.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	head, err := db.AuditHead(t.Context())
	if err != nil || head.Sequence != 3500 {
		t.Errorf("%d records are sealed, %v", head.Sequence, err)
	}
	var line struct {
		Sequence int64
		Head     string
	}
	if err := json.Unmarshal(log.Bytes(), &line); err != nil || line.Sequence != 3500 || line.Head != head.Hash.String() {
		t.Errorf("logged %s, %v; want the head once", log.String(), err)
	}
}

// TestManySealersBesideWriters make one chain of everything.
func TestManySealersBesideWriters(t *testing.T) {
	db := teststore.New(t)
	ctx, stop := context.WithCancel(t.Context())
	var sealers, writers sync.WaitGroup
	var log safeBuffer
	for range 3 {
		sealers.Go(func() {
			scheduler.Run(ctx, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})), scheduler.NewSealer(db, slog.New(slog.DiscardHandler)))
		})
	}
	var written atomic.Int64
	for range 4 {
		writers.Go(func() {
			for range 200 {
				if err := db.Audit(t.Context(), fanfare.AuditRecord{Action: "test"}); err != nil {
					t.Error(err)
				}
				written.Add(1)
			}
		})
	}
	writers.Wait()
	await.True(t, "all is sealed", func() bool {
		report, err := db.VerifyAudit(t.Context(), nil)
		if err != nil || len(report.Problems) > 0 {
			t.Fatalf("%q, %v", report.Problems, err)
		}
		return report.Records == written.Load() && report.Waiting == 0
	})
	stop()
	sealers.Wait()
	if log.String() != "" {
		t.Errorf("sealers got into each other's way: %s", log.String())
	}
}

type safeBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// TestTheAuditPrunerDropsByItsSetting.
func TestTheAuditPrunerDropsByItsSetting(t *testing.T) {
	db := teststore.New(t)
	db.Exec(`INSERT INTO audit_logs (action, created_at) VALUES ('test', now() - interval '100 days')`)
	await.True(t, "the record is sealed", func() bool {
		sealed, _, err := db.SealAudit(t.Context(), 10)
		return sealed == 1 && err == nil
	})
	left := func() string { return db.Query(`SELECT count(*) FROM audit_logs WHERE action = 'test'`)[0] }
	const day = 24 * time.Hour
	for _, step := range []struct {
		keep time.Duration
		want string
	}{{101 * day, "1"}, {50 * day, "0"}} {
		if err := (scheduler.AuditPruner{Store: db, Keep: step.keep}).Tick(t.Context()); err != nil || left() != step.want {
			t.Errorf("kept for %s: %s records are left, %v", step.keep, left(), err)
		}
	}
}
