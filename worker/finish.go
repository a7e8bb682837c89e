package worker

import (
	"context"
	"time"

	"fanfare"
	"fanfare/jobs"
)

// finish writes how an attempt ended and carries the next one, if there is one.
// It returns the job as it is now, nil if nothing was written.
func (w *Worker) finish(ctx context.Context, kind string, outcome fanfare.Outcome, workErr error) *fanfare.Job {
	var job *fanfare.Job
	err := jobs.Persist(ctx, func() (err error) {
		job, err = w.results.do(ctx, outcome)
		return err
	})
	if err != nil {
		w.logger.ErrorContext(ctx, "an attempt's outcome could not be written; its lease will expire", "error", err)
		return nil
	}
	if job == nil {
		w.config.Meter.AttemptFenced(kind)
		w.logger.WarnContext(ctx, "an attempt's outcome came too late: its lease was lost", "work", workErr)
		return nil
	}
	w.hints.Publish(ctx, *job)
	if job.Status.Done() {
		w.config.Meter.JobDone(*job)
	}
	if job.Status == fanfare.JobFailed {
		w.reporter.Report(ctx, workErr, map[string]string{"kind": job.Kind})
	}
	if job.Status.Waiting() {
		w.carry(ctx, *job)
	}
	return job
}

// carryLimit keeps a Redis that hangs from holding up a slot, or the end of the
// process: the relay carries what was not.
const carryLimit = 2 * time.Second

func (w *Worker) carry(ctx context.Context, job fanfare.Job) {
	ctx, cancel := context.WithTimeout(ctx, carryLimit)
	defer cancel()
	if _, err := w.queue.Enqueue(ctx, job); err != nil {
		w.logger.WarnContext(ctx, "the next attempt is left to the relay", "error", err)
	}
}

// recorder is the worker as a run sees it.
type recorder Worker

// RecordStep implements jobs.StepRecorder.
func (r *recorder) RecordStep(ctx context.Context, step fanfare.StepDone) error {
	var job *fanfare.Job
	err := jobs.Persist(ctx, func() (err error) {
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
