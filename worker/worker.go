// Package worker runs jobs of any kind: it claims a job under a lease, lets
// the kind do its work, and writes the outcome, fenced by the lease's token.
//
// An attempt's context is the worker's own: it ends when the user cancels the
// job, its time is up, its lease is lost or the process shuts down, and not
// when the queue that brought the task thinks so.
package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/gofrs/uuid/v5"

	"fanfare"
	"fanfare/jobs"
)

// Store is what a worker needs of the database.
type Store interface {
	Claim(ctx context.Context, worker string, leases []fanfare.Lease, ttl time.Duration) ([]fanfare.Claimed, error)
	Held(ctx context.Context, lease fanfare.Lease) (*fanfare.Claimed, error)
	Heartbeat(ctx context.Context, worker string, leases []fanfare.Lease, ttl time.Duration) (cancel map[string]bool, err error)
	RecordSteps(ctx context.Context, steps []fanfare.StepDone) ([]fanfare.Job, error)
	Finish(ctx context.Context, outcomes []fanfare.Outcome) ([]fanfare.Job, error)
}

// Queue carries a job's next attempt.
type Queue interface {
	Enqueue(ctx context.Context, job fanfare.Job) (added bool, err error)
}

// Publisher tells listeners about jobs that changed.
type Publisher interface {
	Publish(ctx context.Context, jobs ...fanfare.Job)
}

// Config are a worker's figures.
type Config struct {
	ID        string // unique among all workers
	Settings  jobs.Settings
	Lease     time.Duration // how long an attempt is owned without a heartbeat
	Heartbeat time.Duration // how often leases are renewed; well below Lease
	// Lookup finds a kind by its name; nil is jobs.Lookup, every kind there is.
	Lookup func(name string) (jobs.Definition, bool)
	Meter  Meter // nil: nobody counts
}

// Default times. A dead worker's jobs are running again after at most the
// lease, the reaper's look and the relay's: well within a minute.
const (
	DefaultLease     = 15 * time.Second
	DefaultHeartbeat = 2 * time.Second
)

// lastWrites is for the outcomes of attempts that were cut off, as PostgreSQL
// restarts, and for a token that is just being renewed.
const lastWrites = 12 * time.Second

// Why an attempt's context ended.
var (
	errCanceled  = errors.New("the job was canceled")
	errTimeout   = errors.New("the attempt has used up its time")
	errDeadline  = errors.New("the job's deadline has passed")
	errLeaseLost = errors.New("the attempt has lost its lease")
	errDrained   = errors.New("the worker is shutting down")
)

// Worker runs attempts. Handle may be called from any number of goroutines.
type Worker struct {
	config   Config
	store    Store
	queue    Queue
	hints    Publisher
	deps     jobs.Deps
	logger   *slog.Logger
	reporter fanfare.Reporter

	claims  *batch[fanfare.Lease, fanfare.Claimed]
	steps   *batch[fanfare.StepDone, fanfare.Job]
	results *batch[fanfare.Outcome, fanfare.Job]

	mu       sync.Mutex
	calls    int                 // of Handle, from its first line to its last
	closing  bool                // no job is claimed any more
	draining bool                // no attempt goes on
	attempts map[string]*attempt // by lease token
	gone     bool                // nobody waits for what is still to be written
	idle     sync.Cond           // signaled when calls becomes 0, or gone true
}

type attempt struct {
	lease fanfare.Lease
	stop  context.CancelCauseFunc
}

// New returns a worker. It does nothing until its methods are called.
func New(config Config, store Store, queue Queue, hints Publisher, deps jobs.Deps, logger *slog.Logger, reporter fanfare.Reporter) *Worker {
	if config.Lookup == nil {
		config.Lookup = jobs.Lookup
	}
	if config.Meter == nil {
		config.Meter = unmetered{}
	}
	w := &Worker{
		config: config, store: store, queue: queue, hints: hints, deps: deps, logger: logger, reporter: reporter,
		attempts: map[string]*attempt{},
	}
	w.idle.L = &w.mu
	w.claims = &batch[fanfare.Lease, fanfare.Claimed]{
		name: "claim",
		write: func(ctx context.Context, leases []fanfare.Lease) ([]fanfare.Claimed, error) {
			return store.Claim(ctx, config.ID, leases, config.Lease)
		},
		in:  func(l fanfare.Lease) string { return l.Token },
		out: func(c fanfare.Claimed) string { return c.Lease.Token },
	}
	w.steps = &batch[fanfare.StepDone, fanfare.Job]{
		name:  "record step",
		write: store.RecordSteps,
		in:    func(s fanfare.StepDone) string { return s.Lease.JobID },
		out:   func(j fanfare.Job) string { return j.ID },
	}
	w.results = &batch[fanfare.Outcome, fanfare.Job]{
		name:  "finish",
		write: store.Finish,
		in:    func(o fanfare.Outcome) string { return o.Lease.JobID },
		out:   func(j fanfare.Job) string { return j.ID },
	}
	return w
}

// Handle claims a job and runs one attempt of it. It returns the status that
// the attempt left the job in, and "" where there was nothing to do: the job
// is over, somebody else has it, or it is not due yet.
func (w *Worker) Handle(ctx context.Context, kind, jobID string) (fanfare.JobStatus, error) {
	if !w.enter() {
		return "", errDrained
	}
	defer w.leave()
	ctx = fanfare.WithJobID(ctx, jobID)
	definition, known := w.config.Lookup(kind)
	if !known {
		return "", fmt.Errorf("this worker knows no jobs of kind %q: is it older than the API?", kind)
	}
	claimed, err := w.claim(ctx, jobID)
	if err != nil || claimed == nil {
		return "", err
	}
	return w.attempt(context.WithoutCancel(ctx), definition, *claimed)
}

// claim looks for its attempt where the answer was lost: it may have started,
// and would be nobody's until its lease expires. If it has not, or was given back
// meanwhile, the claim is made again, under another lease.
func (w *Worker) claim(ctx context.Context, jobID string) (*fanfare.Claimed, error) {
	lease := newLease(jobID)
	claimed, err := w.claims.do(ctx, lease)
	if fanfare.ErrorCode(err) != fanfare.CodeUnavailable {
		return claimed, err
	}
	if claimed, err = w.held(ctx, lease); err != nil || claimed != nil {
		return claimed, err
	}
	if claimed, err = w.claims.do(ctx, newLease(jobID)); err != nil || claimed != nil {
		return claimed, err
	}
	return w.held(ctx, lease) // it may have been committed since
}

// held waits for a database that is away.
func (w *Worker) held(ctx context.Context, lease fanfare.Lease) (claimed *fanfare.Claimed, err error) {
	ctx = context.WithoutCancel(ctx)
	err = jobs.Persist(ctx, func() error {
		claimed, err = w.store.Held(ctx, lease)
		return err
	})
	return claimed, err
}

func newLease(jobID string) fanfare.Lease {
	return fanfare.Lease{JobID: jobID, Token: uuid.Must(uuid.NewV4()).String()}
}

func (w *Worker) attempt(ctx context.Context, definition jobs.Definition, claimed fanfare.Claimed) (status fanfare.JobStatus, err error) {
	began := time.Now()
	w.config.Meter.JobClaimed(claimed.Job)
	w.hints.Publish(ctx, claimed.Job)
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w.begin(&attempt{lease: claimed.Lease, stop: stop})
	defer w.end(claimed.Lease)

	ctx, ended := w.reporter.Trace(ctx, fanfare.OpJob, claimed.Job.Kind,
		slog.String("fanfare.job.kind", claimed.Job.Kind), slog.Int("fanfare.job.attempt", claimed.Job.Attempt))
	run := jobs.NewRun(claimed, w.deps, (*recorder)(w))
	finished, workErr := w.work(ctx, definition, run)
	defer func() { ended(workErr, slog.String("fanfare.job.status", string(status))) }()
	if errors.Is(context.Cause(ctx), errLeaseLost) {
		w.config.Meter.AttemptFenced(claimed.Job.Kind)
		w.logger.WarnContext(ctx, "an attempt lost its lease; what it did not record is dropped")
		return "", nil
	}
	outcome := w.outcome(ctx, definition, claimed, finished, workErr)
	outcome.Usage = run.UnbookedUsage()
	job := w.finish(context.WithoutCancel(ctx), claimed.Job.Kind, outcome, workErr)
	if job == nil {
		return "", nil
	}
	w.config.Meter.AttemptEnded(job.Kind, time.Since(began))
	return job.Status, nil
}

// work gives the attempt its time and catches its panics. The error tells by
// its cause when the attempt was stopped rather than failed.
func (w *Worker) work(ctx context.Context, definition jobs.Definition, run *jobs.Run) (finished jobs.Finished, err error) {
	ctx, cancel := context.WithDeadlineCause(ctx, run.Job.Deadline, errDeadline)
	defer cancel()
	if definition.Timeout != nil {
		ctx, cancel = context.WithTimeoutCause(ctx, definition.Timeout(w.config.Settings), errTimeout)
		defer cancel()
	}
	err = jobs.Protect(func() (err error) {
		finished, err = definition.Work(ctx, run)
		return err
	})
	switch cause := context.Cause(ctx); {
	case err == nil && errors.Is(cause, errCanceled):
		err = cause // told in time, though the work heeded it no more
	case err != nil && cause != nil && !errors.Is(err, cause):
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return finished, err
}

func (w *Worker) begin(a *attempt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attempts[a.lease.Token] = a
	if w.draining {
		a.stop(errDrained)
	}
}

func (w *Worker) end(lease fanfare.Lease) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.attempts, lease.Token)
}

// enter counts a call, from before its claim: Drain must not miss one that is
// about to get a job.
func (w *Worker) enter() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closing {
		return false
	}
	w.calls++
	return true
}

func (w *Worker) leave() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls--
	if w.calls == 0 {
		w.idle.Broadcast()
	}
}

func (w *Worker) leases() []fanfare.Lease {
	w.mu.Lock()
	defer w.mu.Unlock()
	leases := make([]fanfare.Lease, 0, len(w.attempts))
	for _, a := range w.attempts {
		leases = append(leases, a.lease)
	}
	return leases
}

// Run renews the leases of running attempts until ctx is done.
func (w *Worker) Run(ctx context.Context) {
	tick := time.NewTicker(w.config.Heartbeat)
	defer tick.Stop()
	for {
		w.beat(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// beat renews all leases in one statement, and stops the attempts whose lease
// is lost or whose job is to be canceled.
func (w *Worker) beat(ctx context.Context) {
	leases := w.leases()
	cancel, err := w.store.Heartbeat(ctx, w.config.ID, leases, w.config.Lease)
	if err != nil {
		if ctx.Err() == nil {
			w.logger.WarnContext(ctx, "leases could not be renewed", "error", err)
		}
		return
	}
	for _, lease := range leases {
		canceled, held := cancel[lease.JobID]
		switch {
		case !held:
			w.stop(lease, errLeaseLost)
		case canceled:
			w.stop(lease, errCanceled)
		}
	}
}

func (w *Worker) stop(lease fanfare.Lease, cause error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if a, running := w.attempts[lease.Token]; running {
		a.stop(cause)
	}
}

// Drain claims no more jobs and waits until all attempts have ended. When ctx
// is done first, it cuts the rest off: they give their attempt back, unspent,
// for another worker to do. What can't be written then, because the database is
// away, is left to the reaper.
func (w *Worker) Drain(ctx context.Context) {
	defer context.AfterFunc(ctx, w.cutOff)()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closing = true
	for w.calls > 0 && !w.gone {
		w.idle.Wait()
	}
	if w.calls > 0 {
		w.logger.WarnContext(ctx, "the worker stops with attempts that could not be given back; their leases will expire", "attempts", w.calls)
	}
}

func (w *Worker) cutOff() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.draining = true
	for _, a := range w.attempts {
		a.stop(errDrained)
	}
	time.AfterFunc(lastWrites, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.gone = true
		w.idle.Broadcast()
	})
}
