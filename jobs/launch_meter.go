package jobs

import (
	"context"
	"sync"
	"time"

	"fanfare"
)

// meterEvery is how often a launch's progress is recorded: often enough for
// whoever watches, seldom beside the messages themselves.
const meterEvery = time.Second

// meter counts recipients for the job's progress.
type meter struct {
	run *Run

	mu        sync.Mutex
	completed int
	total     int
	recorded  time.Time
}

// count counts what the ledger says, and records it.
func (m *meter) count(ctx context.Context, launchID string) error {
	counts, err := m.run.Ledger.DeliveryCounts(ctx, launchID)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.completed, m.total = 0, 0
	for _, c := range counts {
		m.total += c.Count
		if c.Status != fanfare.DeliveryPending && c.Status != fanfare.DeliverySending {
			m.completed += c.Count
		}
	}
	m.recorded = time.Now()
	return m.record(ctx)
}

// add counts deliveries that were settled. That the progress can't be recorded
// stops nothing: a lost lease shows at the next turn of the ledger.
func (m *meter) add(ctx context.Context, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.completed += n
	if n == 0 || time.Since(m.recorded) < meterEvery {
		return
	}
	m.recorded = time.Now()
	if err := m.record(ctx); err != nil {
		m.run.Logger.WarnContext(ctx, "a launch's progress could not be recorded", "error", err)
	}
}

func (m *meter) record(ctx context.Context) error {
	return m.run.recorder.RecordStep(ctx, fanfare.StepDone{
		Lease:    m.run.lease,
		Progress: fanfare.Progress{Step: "send", Completed: m.completed, Total: m.total},
	})
}
