package worker

import (
	"context"
	"errors"
	"time"

	"fanfare"
)

const (
	// persistFor is how long a worker holds on to what it has to write while
	// the database is away: longer than a restart takes, and than the reaper
	// waits after one.
	persistFor = time.Minute
	persistGap = 500 * time.Millisecond
)

// finish writes how an attempt ended and carries the next one, if there is one.
func (w *Worker) finish(ctx context.Context, outcome fanfare.Outcome, workErr error) (fanfare.JobStatus, error) {
	var job *fanfare.Job
	err := persist(ctx, func() (err error) {
		job, err = w.results.do(ctx, outcome)
		return err
	})
	if err != nil {
		w.logger.ErrorContext(ctx, "an attempt's outcome could not be written; its lease will expire", "error", err)
		return "", nil
	}
	if job == nil {
		w.logger.WarnContext(ctx, "an attempt's outcome came too late: its lease was lost", "work", workErr)
		return "", nil
	}
	w.hints.Publish(ctx, *job)
	if job.Status.Waiting() {
		if _, err := w.queue.Enqueue(ctx, *job); err != nil {
			w.logger.WarnContext(ctx, "the next attempt is left to the relay", "error", err)
		}
	}
	return job.Status, nil
}

// persist repeats do while the database can't be reached. Each statement may
// be repeated: the lease's token lets it through once.
func persist(ctx context.Context, do func() error) error {
	giveUp := time.Now().Add(persistFor)
	for {
		err := do()
		if fanfare.ErrorCode(err) != fanfare.CodeUnavailable || time.Now().After(giveUp) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(persistGap):
		}
	}
}

// recorder is the worker as a run sees it.
type recorder Worker

// RecordStep implements jobs.StepRecorder.
func (r *recorder) RecordStep(ctx context.Context, step fanfare.StepDone) error {
	var job *fanfare.Job
	err := persist(ctx, func() (err error) {
		job, err = r.steps.do(ctx, step)
		return err
	})
	if err != nil {
		return err
	}
	if job == nil {
		(*Worker)(r).stop(step.Lease, errLeaseLost)
		return errLeaseLost
	}
	r.hints.Publish(ctx, *job)
	if job.CancelRequested {
		(*Worker)(r).stop(step.Lease, errCanceled) // the step itself was recorded
	}
	return nil
}
