package worker

import (
	"context"
	"errors"
	"time"

	"fanfare"
	"fanfare/jobs"
)

// outcome decides what becomes of a job after an attempt.
func (w *Worker) outcome(ctx context.Context, definition jobs.Definition, claimed fanfare.Claimed, finished jobs.Finished, err error) fanfare.Outcome {
	job := claimed.Job
	outcome := fanfare.Outcome{Lease: claimed.Lease}
	delay, snoozed := jobs.SnoozeDelay(err)
	left := time.Until(job.Deadline)
	switch {
	case err == nil:
		outcome.Status, outcome.Result = fanfare.JobSucceeded, finished.Result
	case errors.Is(err, errCanceled):
		outcome.Status = fanfare.JobCanceled
	case errors.Is(err, errDrained):
		outcome.Status, outcome.Unspent, outcome.Reason = fanfare.JobQueued, true, "released"
	case errors.Is(err, errDeadline):
		expired := fanfare.ExpiredError()
		outcome.Status, outcome.Error = fanfare.JobExpired, &expired
	case snoozed && delay < left:
		outcome.Status, outcome.Unspent, outcome.Delay, outcome.Reason = fanfare.JobRetrying, true, delay, "snoozed"
	case jobs.IsPermanent(err), snoozed, job.Attempt >= job.MaxAttempts:
		outcome.Status, outcome.Error = fanfare.JobFailed, jobError(err)
	default:
		outcome.Status, outcome.Delay = fanfare.JobRetrying, definition.Backoff.Delay(job.Attempt)
	}
	if outcome.Status.Done() {
		outcome.Campaign, outcome.Reply, outcome.Audit = finished.Campaign, finished.Reply, finished.Audit
	}
	w.log(ctx, job, outcome, err)
	return outcome
}

// jobError is what a client is told of err: its own words if it was made for
// people, and nothing of what is inside otherwise.
func jobError(err error) *fanfare.JobError {
	if errors.Is(err, errTimeout) {
		return &fanfare.JobError{
			Code: fanfare.CodeAITimeout, Retryable: true,
			Message: "The model did not finish within the time of an attempt (JOB_TIMEOUT), again and again. Retry later, or ask the operator to look at the model's speed.",
		}
	}
	if e, ok := errors.AsType[*fanfare.Error](err); ok && fanfare.IsJobCode(e.Code) {
		return &fanfare.JobError{Code: e.Code, Message: e.Message, Retryable: e.Code != fanfare.CodeAIRefused}
	}
	return &fanfare.JobError{
		Code: fanfare.CodeInternal, Retryable: true,
		Message: "Something went wrong on our side; it has been reported. Retry the job, or ask the operator to look into it.",
	}
}

func (w *Worker) log(ctx context.Context, job fanfare.Job, outcome fanfare.Outcome, err error) {
	attrs := []any{"kind", job.Kind, "attempt", job.Attempt, "status", outcome.Status}
	if outcome.Delay > 0 {
		attrs = append(attrs, "delay", outcome.Delay.String())
	}
	if panicked, ok := errors.AsType[*jobs.PanicError](err); ok {
		attrs = append(attrs, "stack", string(panicked.Stack))
	}
	switch {
	case err == nil:
		w.logger.InfoContext(ctx, "an attempt has succeeded", attrs...)
	case outcome.Status == fanfare.JobFailed:
		w.logger.ErrorContext(ctx, "a job has failed", append(attrs, "error", err)...)
	default:
		w.logger.WarnContext(ctx, "an attempt has ended", append(attrs, "error", err)...)
	}
}
