package scheduler_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/teststore"
	"fanfare/scheduler"
)

// BenchmarkWritersBesideASealer writes audit records, a transaction each, by
// turns without and with a sealer that runs. Only the ratio travels.
func BenchmarkWritersBesideASealer(b *testing.B) {
	db := teststore.New(b)
	sealer := scheduler.NewSealer(db, slog.New(slog.DiscardHandler))
	var alone, beside float64
	write(b, db, time.Second)
	rounds := 0
	for b.Loop() {
		rounds++
		if err := sealer.Tick(b.Context()); err != nil {
			b.Fatal(err)
		}
		alone += write(b, db, 3*time.Second)
		if err := sealer.Tick(b.Context()); err != nil {
			b.Fatal(err)
		}
		ctx, stop := context.WithCancel(b.Context())
		var running sync.WaitGroup
		running.Go(func() { scheduler.Run(ctx, slog.New(slog.DiscardHandler), sealer) })
		beside += write(b, db, 3*time.Second)
		stop()
		running.Wait()
	}
	b.ReportMetric(alone/float64(rounds), "alone/s")
	b.ReportMetric(beside/float64(rounds), "sealed/s")
	b.ReportMetric(beside/alone, "ratio")
}

// write returns how many records a second eight writers write.
func write(b *testing.B, db *teststore.DB, during time.Duration) float64 {
	b.Helper()
	start := time.Now()
	var written atomic.Int64
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for time.Since(start) < during {
				err := db.Audit(b.Context(), fanfare.AuditRecord{
					UserID: db.User.ID, Action: fanfare.ActionBrandUpdate, Resource: db.User.ID, Metadata: map[string]any{"kind": "campaign.generate"},
				})
				if err != nil {
					b.Error(err)
					return
				}
				written.Add(1)
			}
		})
	}
	writers.Wait()
	return float64(written.Load()) / time.Since(start).Seconds()
}

// BenchmarkSealing tells how many records a second one sealer seals.
func BenchmarkSealing(b *testing.B) {
	db := teststore.New(b)
	sealer := scheduler.NewSealer(db, slog.New(slog.DiscardHandler))
	const records = 20_000
	for b.Loop() {
		b.StopTimer()
		db.Exec(`INSERT INTO audit_logs (action, user_id, resource, metadata)
			SELECT 'brand.update', $1, uuidv7()::text, '{"kind": "campaign.generate", "attempt": 1}' FROM generate_series(1, $2)`, db.User.ID, records)
		b.StartTimer()
		if err := sealer.Tick(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*records/b.Elapsed().Seconds(), "records/s")
}
