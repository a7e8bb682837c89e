package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"fanfare"
)

// Deps is what work may use. Each is an interface in the terms of the domain;
// the program wires them.
type Deps struct {
	Writer    fanfare.Writer
	Analyst   fanfare.Analyst
	Campaigns CampaignReader
	Texts     Texts // nil: nobody watches

	Ledger       Ledger
	Integrations Integrations
	Connections  fanfare.Connections
	Links        Links
	Logger       *slog.Logger // nil: nobody reads
}

// Ledger keeps what a launch has sent. Its writes do nothing once the attempt's
// lease is lost.
type Ledger interface {
	LaunchChannel(ctx context.Context, launchID string, channel fanfare.Channel) (fanfare.LaunchChannel, error)
	CampaignRecipients(ctx context.Context, userID, campaignID string, channel fanfare.Channel, limit int) ([]string, error)
	Plan(ctx context.Context, lease fanfare.Lease, launch fanfare.Launch, channel fanfare.Channel, integrationID string, broadcast bool) error
	Stranded(ctx context.Context, lease fanfare.Lease, page fanfare.LedgerPage) ([]fanfare.Begun, error)
	Turn(ctx context.Context, lease fanfare.Lease, settled []fanfare.Settlement, page fanfare.LedgerPage) ([]fanfare.Begun, error)
	FailRest(ctx context.Context, lease fanfare.Lease, launchID string, channel fanfare.Channel, reason string) error
	Abandon(ctx context.Context, lease fanfare.Lease, launchID string, channel fanfare.Channel, reason string) error
	Reopen(ctx context.Context, lease fanfare.Lease, launchID string, unknown bool) error
	// Reserve books the next message of an integration, and returns how long to
	// wait before it may go out; nothing is booked where that is over within.
	Reserve(ctx context.Context, integrationID string, rate float64, within time.Duration) (time.Duration, error)
	Hold(ctx context.Context, integrationID string, d time.Duration) error
	DeliveryCounts(ctx context.Context, launchID string) ([]fanfare.DeliveryCount, error)
	ProviderIDs(ctx context.Context, launchID string, channel fanfare.Channel, limit int) ([]string, error)
}

// Integrations finds users' connections to providers.
type Integrations interface {
	// Integration and IntegrationFor fail with fanfare.CodeNotFound where
	// there is none; the latter returns the newest for a channel.
	Integration(ctx context.Context, userID, id string) (fanfare.Integration, error)
	IntegrationFor(ctx context.Context, userID string, channel fanfare.Channel) (fanfare.Integration, error)
	// SetIntegrationStatus stores how a call went; answered says whether the
	// provider was there to answer it.
	SetIntegrationStatus(ctx context.Context, userID, id string, status fanfare.IntegrationStatus, answered bool) error
}

// Links makes the addresses that messages carry.
type Links interface {
	UnsubscribeURL(userID string, channel fanfare.Channel, address string) string
}

// Texts shows the texts of jobs to whoever watches.
type Texts interface {
	// Open returns a sink for a job's texts. What is still on its way when
	// close is called is shown first.
	Open(jobID string) (sink fanfare.TextSink, close func())
}

// CampaignReader reads campaigns.
type CampaignReader interface {
	// Campaign returns a user's campaign; fanfare.CodeNotFound if it is gone.
	Campaign(ctx context.Context, userID, id string) (fanfare.Campaign, error)
}

// StepRecorder keeps what a step produced. It fails when the attempt has lost
// its lease.
type StepRecorder interface {
	RecordStep(ctx context.Context, step fanfare.StepDone) error
}

// Run is one attempt, as its work sees it. Its methods may be called from
// several goroutines.
type Run struct {
	Job fanfare.Job
	Deps

	lease    fanfare.Lease
	recorder StepRecorder

	mu       sync.Mutex
	steps    map[string]json.RawMessage
	total    int
	unbooked fanfare.Usage // of calls that no recorded step has accounted for
}

// NewRun starts a run of a claimed job.
func NewRun(claimed fanfare.Claimed, deps Deps, recorder StepRecorder) *Run {
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	return &Run{
		Job:      claimed.Job,
		Deps:     deps,
		lease:    claimed.Lease,
		recorder: recorder,
		steps:    maps.Clone(claimed.Steps),
		total:    claimed.Job.Progress.Total,
	}
}

// Plan says how many steps the work has, once that is known.
func (r *Run) Plan(total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.total = total
}

// OpenTexts returns a sink for the job's texts, to be closed when the work ends.
func (r *Run) OpenTexts() (sink fanfare.TextSink, close func()) {
	if r.Texts == nil {
		return unwatched{}, func() {}
	}
	return r.Texts.Open(r.Job.ID)
}

type unwatched struct{}

func (unwatched) Restart(fanfare.Channel)                {}
func (unwatched) Append(fanfare.Channel, string, string) {}

// UnbookedUsage returns the usage that no recorded step has accounted for: that
// of calls which failed. The attempt's outcome carries it.
func (r *Run) UnbookedUsage() fanfare.Usage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.unbooked
}

// Step does one named step of a job, unless an earlier attempt finished it
// already: then it returns what that attempt produced. The output is recorded
// before Step returns, so no later attempt pays for it again. Nothing is begun
// once ctx is done.
func Step[T any](ctx context.Context, r *Run, name string, do func(context.Context) (T, fanfare.Usage, error)) (T, error) {
	var output T
	if saved, ok := r.saved(name); ok {
		if err := json.Unmarshal(saved, &output); err != nil {
			return output, fmt.Errorf("decoding the saved step %s: %w", name, err)
		}
		return output, nil
	}
	if ctx.Err() != nil {
		return output, context.Cause(ctx)
	}
	output, usage, err := do(ctx)
	if err != nil {
		r.book(usage)
		return output, err
	}
	raw, err := json.Marshal(output)
	if err != nil {
		return output, fmt.Errorf("encoding step %s: %w", name, err)
	}
	return output, r.finish(ctx, name, raw, usage)
}

func (r *Run) saved(name string) (json.RawMessage, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	raw, ok := r.steps[name]
	return raw, ok
}

func (r *Run) book(usage fanfare.Usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unbooked = r.unbooked.Add(usage)
}

// finish records under the lock, so that the progress of steps that end side
// by side only grows.
func (r *Run) finish(ctx context.Context, name string, output json.RawMessage, usage fanfare.Usage) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	progress := fanfare.Progress{Step: name, Completed: len(r.steps) + 1, Total: r.total}
	err := r.recorder.RecordStep(ctx, fanfare.StepDone{
		Lease: r.lease, Name: name, Output: output, Progress: progress, Usage: usage,
	})
	if err != nil {
		r.unbooked = r.unbooked.Add(usage)
		return fmt.Errorf("recording step %s: %w", name, err)
	}
	if r.steps == nil {
		r.steps = map[string]json.RawMessage{}
	}
	r.steps[name] = output
	return nil
}
