package worker_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"fanfare"
)

// BenchmarkLaunch sends one launch to b.N recipients by a provider that takes
// five milliseconds for each, and tells what memory it took at its highest:
//
//	go test ./worker -run xxx -bench Launch -benchtime 100000x
func BenchmarkLaunch(b *testing.B) {
	r := newRig(b)
	r.outlet.taken = nil // it would grow with every recipient
	r.outlet.before = func(context.Context, fanfare.Outgoing) error {
		time.Sleep(5 * time.Millisecond)
		return &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "No."} // so that it counts nothing
	}
	campaign := r.launchable()
	r.db.Exec(`INSERT INTO recipients (list_id, channel, address)
		SELECT recipient_list, 'email', 'r' || i || '@x.example' FROM campaigns, generate_series(1, $2) AS i WHERE id = $1`, campaign.ID, b.N)
	r.beat()
	job := r.launch(campaign)
	var highest atomic.Uint64
	ctx, stop := context.WithCancel(b.Context())
	go watchHeap(ctx, &highest)
	b.ResetTimer()
	if status := r.handle(job); status != fanfare.JobSucceeded {
		b.Fatalf("the job is %s", status)
	}
	stop()
	b.ReportMetric(float64(highest.Load())/(1<<20), "MiB-heap")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}

// watchHeap keeps the highest heap that it sees.
func watchHeap(ctx context.Context, highest *atomic.Uint64) {
	for ctx.Err() == nil {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		highest.Store(max(highest.Load(), stats.HeapAlloc))
		time.Sleep(50 * time.Millisecond)
	}
}
