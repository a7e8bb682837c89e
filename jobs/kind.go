// Package jobs defines every kind of job, one file each: its name, its queue,
// its payload and result, how it is retried, and the work itself.
//
// A new kind is a new file with one call of define. Nothing else has to know:
// the worker finds kinds by name, and whoever submits a job calls New.
package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"fanfare"
)

// The queues. Launches have one of their own, so that a slow model never holds
// back a message that is due.
const (
	QueueAI     = "ai"
	QueueLaunch = "launch"
)

// Settings are the figures that kinds take from the program's configuration.
type Settings struct {
	JobTimeout time.Duration // of one attempt of a job that calls the model
}

// Kind is one kind of job with payload P and result R.
type Kind[P, R any] struct {
	Name        string
	Queue       string
	MaxAttempts int
	Expiry      time.Duration // from acceptance to the deadline
	Backoff     Backoff
	// Timeout of one attempt; nil for none.
	Timeout func(Settings) time.Duration
	// Settles, unless nil, tells the status that the job's campaign gets when
	// the job reaches the key's status; what is not in it leaves the campaign
	// alone.
	Settles func(P) map[fanfare.JobStatus]fanfare.CampaignStatus
	// Exclusive, unless nil, names what a job works on: a second unfinished
	// job of the same name is refused. "" is refused nothing.
	Exclusive func(P) string
	// Work does it. It must stop soon after its context is done.
	Work func(ctx context.Context, run *Run, payload P) (Done[R], error)
}

// Done is what finished work hands over: the job's result, and what becomes of
// its campaign and conversation in the same transaction. With an error it may
// tell the campaign and the audit record of a job that ends with that error.
type Done[R any] struct {
	Result   R
	Campaign *fanfare.Campaign    // nil: unchanged, but for Settles
	Reply    *fanfare.Reply       // nil: none
	Audit    *fanfare.AuditRecord // nil: none but the attempt's own
}

// New returns a job of this kind, ready to be submitted.
func (k Kind[P, R]) New(userID, campaignID string, payload P) (fanfare.NewJob, error) {
	raw, err := json.Marshal(payload)
	if err != nil {
		return fanfare.NewJob{}, fmt.Errorf("encoding the payload of %s: %w", k.Name, err)
	}
	job := fanfare.NewJob{
		UserID:      userID,
		CampaignID:  campaignID,
		Kind:        k.Name,
		Queue:       k.Queue,
		Payload:     raw,
		MaxAttempts: k.MaxAttempts,
		Expiry:      k.Expiry,
	}
	if k.Settles != nil {
		job.Settles = k.Settles(payload)
	}
	if k.Exclusive != nil && k.Exclusive(payload) != "" {
		job.Exclusive = k.Name + ":" + k.Exclusive(payload)
	}
	return job, nil
}

// Definition is a kind without its types, as the worker runs it.
type Definition struct {
	Name    string
	Queue   string
	Expiry  time.Duration
	Backoff Backoff
	Timeout func(Settings) time.Duration // nil for none
	Work    func(ctx context.Context, run *Run) (Finished, error)
}

// Finished is what a definition's work hands over: Done with its result encoded.
type Finished struct {
	Result   json.RawMessage
	Campaign *fanfare.Campaign
	Reply    *fanfare.Reply
	Audit    *fanfare.AuditRecord
}

// registry is filled while the package is initialised and only read after that.
var registry = map[string]Definition{}

// define makes a kind known by its name.
func define[P, R any](k Kind[P, R]) Kind[P, R] {
	if _, taken := registry[k.Name]; taken {
		panic("jobs: two kinds are called " + k.Name)
	}
	registry[k.Name] = Definition{
		Name: k.Name, Queue: k.Queue, Expiry: k.Expiry, Backoff: k.Backoff, Timeout: k.Timeout,
		Work: k.work,
	}
	return k
}

// defineModel is define for kinds whose work is calls of the model: they share
// a queue, and the figures by which they are retried.
func defineModel[P, R any](k Kind[P, R]) Kind[P, R] {
	k.Queue = QueueAI
	k.MaxAttempts = 5
	k.Expiry = 15 * time.Minute
	k.Backoff = Backoff{Min: time.Second, Max: 16 * time.Second}
	k.Timeout = func(s Settings) time.Duration { return s.JobTimeout }
	return define(k)
}

func (k Kind[P, R]) work(ctx context.Context, run *Run) (Finished, error) {
	var payload P
	if err := json.Unmarshal(run.Job.Payload, &payload); err != nil {
		return Finished{}, Permanent(fmt.Errorf("decoding the payload of %s: %w", k.Name, err))
	}
	done, err := k.Work(ctx, run, payload)
	finished := Finished{Campaign: done.Campaign, Reply: done.Reply, Audit: done.Audit}
	if err != nil {
		return finished, steer(err)
	}
	if finished.Result, err = json.Marshal(done.Result); err != nil {
		return Finished{}, Permanent(fmt.Errorf("encoding the result of %s: %w", k.Name, err))
	}
	return finished, nil
}

// Lookup finds a kind by its exact name.
func Lookup(name string) (Definition, bool) {
	d, ok := registry[name]
	return d, ok
}

// Names lists every kind, sorted.
func Names() []string { return slices.Sorted(maps.Keys(registry)) }

// Queues lists every queue that kinds use, sorted.
func Queues() []string {
	queues := map[string]bool{}
	for _, d := range registry {
		queues[d.Queue] = true
	}
	return slices.Sorted(maps.Keys(queues))
}
