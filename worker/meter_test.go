package worker_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/worker"
)

// counts is a worker's meter, and a store's.
type counts struct {
	mu   sync.Mutex
	have map[string]int
}

func (c *counts) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if n > 0 {
		c.have[what] += n
	}
}

func (c *counts) JobClaimed(fanfare.Job)             { c.add("claimed", 1) }
func (c *counts) AttemptEnded(string, time.Duration) { c.add("ended", 1) }
func (c *counts) AttemptFenced(string)               { c.add("fenced", 1) }
func (c *counts) JobDone(job fanfare.Job)            { c.add(string(job.Status), 1) }

func (c *counts) settled(deliveries []fanfare.DeliveryCount) {
	for _, d := range deliveries {
		c.add(string(d.Channel)+" "+string(d.Status), d.Count)
	}
}

func (c *counts) want(t *testing.T, want map[string]int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.have); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

// counted is a rig whose meter, and that of its store, is the test's.
func counted(t *testing.T) (*rig, *counts) {
	t.Helper()
	c := &counts{have: map[string]int{}}
	r := newRig(t, func(config *worker.Config) { config.Meter = c })
	r.db.Settled = c.settled
	return r, c
}

// TestAJobIsCountedWhenItEnds, and not at each of its attempts.
func TestAJobIsCountedWhenItEnds(t *testing.T) {
	r, c := counted(t)
	r.model.fail = map[string]error{"sms": errors.New("away")}
	job := r.submit()
	r.handle(job)
	c.want(t, map[string]int{"claimed": 1, "ended": 1})
	r.model.fail = nil
	r.due(job)
	r.handle(job)
	r.handle(job) // a task that comes twice
	c.want(t, map[string]int{"claimed": 2, "ended": 2, "succeeded": 1})
}

// TestALostLeaseCountsNothing but itself: what the attempt would have come to
// did not happen.
func TestALostLeaseCountsNothing(t *testing.T) {
	for _, beating := range []bool{true, false} {
		r, c := counted(t)
		gate := r.model.hold("sms", beating)
		job := r.submit()
		ended := r.begin(job)
		call := gate.wait(t)
		r.db.Lost(job)
		if _, err := r.db.Reap(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if beating {
			r.beat()
			await.Value(t, "the call is cut off", call.Done())
		}
		close(gate.release)
		await.Value(t, "the attempt's end", ended)
		c.want(t, map[string]int{"claimed": 1, "fenced": 1})
	}
}

// TestDeliveriesAreCountedAsTheLedgerSettlesThem, each once, whichever way.
func TestDeliveriesAreCountedAsTheLedgerSettlesThem(t *testing.T) {
	r, c := counted(t)
	campaign := r.launchable("a@x.example", "b@x.example", "c@x.example", "d@x.example")
	r.suppress("d@x.example")
	r.outlet.before = failing(fanfare.FateRefused, "b@x.example")
	r.outlet.after = func(m fanfare.Outgoing) error {
		if m.Recipient == "c@x.example" {
			return errors.New("the connection broke")
		}
		return nil
	}
	r.handle(r.launch(campaign))
	ledger := r.ledger()
	c.want(t, map[string]int{
		"claimed": 1, "ended": 1, "succeeded": 1, "email sent": 1, "email failed": 1, "email unknown": 1, "email skipped": 1,
	})
	if len(ledger) != 4 {
		t.Errorf("the ledger has %v", ledger)
	}
}

// TestALostAttemptsDeliveriesAreCountedOnce: by who found them, and not again
// by the attempt when it comes back.
func TestALostAttemptsDeliveriesAreCountedOnce(t *testing.T) {
	r, c := counted(t)
	campaign := r.launchable("a@x.example")
	entered, release := make(chan string, 1), make(chan struct{})
	r.outlet.before = func(_ context.Context, m fanfare.Outgoing) error {
		entered <- m.Recipient
		<-release
		return nil
	}
	job := r.launch(campaign)
	ended := r.begin(job)
	await.Value(t, "a message is in flight", entered)
	r.db.Exec(`UPDATE jobs SET losses = 2 WHERE id = $1`, job.ID)
	r.db.Lost(job)
	if _, err := r.db.Reap(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	if n, err := r.db.SettleAbandoned(t.Context(), 10); n != 1 || err != nil {
		t.Fatalf("SettleAbandoned = %d, %v", n, err)
	}
	close(release)
	await.Value(t, "the first attempt ends", ended)
	c.want(t, map[string]int{"claimed": 1, "fenced": 1, "email unknown": 1})
}
