package scheduler

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"fanfare"
)

// leases is a database that may be away; it counts what is asked of it.
type leases struct {
	away           bool
	expires, reaps int
}

func (l *leases) Expire(context.Context, int) ([]fanfare.Job, error) {
	if l.away {
		return nil, errors.New("away")
	}
	l.expires++
	return nil, nil
}

func (l *leases) SettleAbandoned(context.Context, int) (int, error) { return 0, nil }

func (l *leases) Reap(context.Context, int) ([]fanfare.Job, error) {
	l.reaps++
	return nil, nil
}

type nobody struct{}

func (nobody) Publish(context.Context, ...fanfare.Job) {}

func (nobody) Report(context.Context, error, map[string]string) {}

func (nobody) Trace(ctx context.Context, op fanfare.Op, name string, _ ...slog.Attr) (context.Context, fanfare.EndTrace) {
	return fanfare.Trace(ctx, op, name) // measures nothing
}

// clock is a reaper's time, in the test's hand.
func clocked(l *leases) (r *Reaper, tickAt func(time.Duration) error) {
	const lease = 10 * time.Second
	start := time.Now()
	r = NewReaper(l, nobody{}, nobody{}, nil, lease)
	return r, func(at time.Duration) error {
		r.now = func() time.Time { return start.Add(at) }
		return r.Tick(context.Background())
	}
}

// TestTheReaperTakesNoLeaseBeforeWorkersCouldRenew: after its own start, after
// an outage of the database and after it slept itself, it waits one lease.
func TestTheReaperTakesNoLeaseBeforeWorkersCouldRenew(t *testing.T) {
	l := &leases{}
	_, tickAt := clocked(l)
	reapsBetween := func(from, to int) (first int) {
		t.Helper()
		first = -1
		for second := from; second <= to; second++ {
			before := l.reaps
			if err := tickAt(time.Duration(second) * time.Second); err != nil {
				t.Fatal(err)
			}
			if l.reaps > before && first < 0 {
				first = second
			}
		}
		return first
	}
	if first := reapsBetween(0, 20); first != 11 {
		t.Errorf("after its start, it took a lease at %d s, want 11", first)
	}
	l.away = true
	for second := 21; second < 30; second++ {
		if err := tickAt(time.Duration(second) * time.Second); err == nil {
			t.Error("an outage is no error")
		}
	}
	l.away = false
	if first := reapsBetween(30, 50); first != 41 {
		t.Errorf("after an outage until 30 s, it took a lease at %d s, want 41", first)
	}
	if first := reapsBetween(60, 80); first != 71 {
		t.Errorf("after it slept until 60 s, it took a lease at %d s, want 71", first)
	}
	if first := reapsBetween(85, 95); first != 85 {
		t.Errorf("after a short gap, it took a lease at %d s, want 85", first)
	}
}

// TestTheReaperExpiresMeanwhile: that needs no trust.
func TestTheReaperExpiresMeanwhile(t *testing.T) {
	l := &leases{}
	_, tickAt := clocked(l)
	if err := tickAt(0); err != nil || l.expires != 1 || l.reaps != 0 {
		t.Errorf("at its start: %v, %d looks for late jobs, %d for lost leases", err, l.expires, l.reaps)
	}
}
