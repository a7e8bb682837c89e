package worker_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
	"fanfare/jobs"
	"fanfare/worker"
)

// slowClaim holds the answer to a claim back until it is released.
type slowClaim struct {
	*teststore.DB
	asked, release chan struct{}
}

func (s *slowClaim) Claim(ctx context.Context, worker string, leases []fanfare.Lease, ttl time.Duration) ([]fanfare.Claimed, error) {
	claimed, err := s.DB.Claim(ctx, worker, leases, ttl)
	close(s.asked)
	<-s.release
	return claimed, err
}

// TestADrainWaitsForAClaimThatIsUnderWay: its attempt has begun in the
// database, though the worker does not know it yet.
func TestADrainWaitsForAClaimThatIsUnderWay(t *testing.T) {
	slow := &slowClaim{DB: teststore.New(t), asked: make(chan struct{}), release: make(chan struct{})}
	r := rigWith(t, slow.DB, slow)
	job := r.submit()
	ended := r.begin(job)
	await.Value(t, "the claim", slow.asked)
	drained := make(chan struct{})
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	go func() { r.worker.Drain(impatient); close(drained) }()
	select {
	case <-drained:
		t.Fatal("the drain did not wait for the claim")
	case <-time.After(50 * time.Millisecond):
	}
	close(slow.release)
	await.Value(t, "the drain's end", drained)
	if status := await.Value(t, "the attempt's end", ended); status != fanfare.JobQueued {
		t.Errorf("the job was not given back: %s", status)
	}
}

// away is a database that takes no outcome.
type away struct{ *teststore.DB }

func (away) Finish(context.Context, []fanfare.Outcome) ([]fanfare.Job, error) {
	return nil, fanfare.Errorf(fanfare.CodeUnavailable, "The database can't be reached right now.")
}

// TestADrainLeavesWhatCanNotBeWritten: the reaper gives it to another worker.
func TestADrainLeavesWhatCanNotBeWritten(t *testing.T) {
	t.Parallel()
	db := teststore.New(t)
	r := rigWith(t, db, away{db})
	gate := r.model.hold("sms", true)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	drained := make(chan struct{})
	go func() { r.worker.Drain(impatient); close(drained) }()
	await.Value(t, "the drain's end", drained)
	if now := db.Now(job); now.Status != fanfare.JobRunning {
		t.Errorf("the job is %s", now.Status)
	}
	select {
	case status := <-ended:
		t.Errorf("the attempt ended with %q, though nothing could be written", status)
	default:
	}
}

// TestAQueueThatHangsHoldsNobodyUp: the outcome is written, and the relay
// carries the next attempt.
func TestAQueueThatHangsHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.model.fail = map[string]error{"intent": errors.New("no")}
	job := r.submit()
	config := worker.Config{ID: "w2", Settings: jobs.Settings{JobTimeout: time.Minute}, Lease: time.Minute, Heartbeat: time.Second}
	r.worker = worker.New(config, r.db, hanging{}, r.ears, r.deps, slog.New(slog.DiscardHandler), r.ears)
	if status := await.Value(t, "the attempt's end", r.begin(job)); status != fanfare.JobRetrying {
		t.Errorf("the job is %s", status)
	}
}

// hanging is a queue that answers nothing for as long as it is let.
type hanging struct{}

func (hanging) Enqueue(ctx context.Context, _ fanfare.Job) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}
