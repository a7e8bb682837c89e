// Package queue carries jobs to the workers with asynq. A task holds a job's
// id, and in a header the trace that it belongs to, and nothing else: the
// database knows the rest, and losing a task loses nothing that the relay does
// not bring back.
//
// Only this package knows asynq.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/jobs"
)

const (
	// taskTimeout is beyond any attempt's: the worker ends attempts itself.
	// Without one asynq would set 30 minutes, and after its timeout it runs a
	// second copy beside the first.
	taskTimeout = 26 * time.Hour
	// maxRetry bounds how often asynq calls again when a handler could not
	// even claim its job. The relay goes on where it ends.
	maxRetry = 25
)

// Queue puts tasks on queues. It may be used by any number of goroutines.
type Queue struct {
	rdb       redis.UniversalClient
	client    *asynq.Client
	inspector *asynq.Inspector
}

// New returns a queue on a Redis client, which stays the caller's to close.
func New(rdb redis.UniversalClient) *Queue {
	return &Queue{
		rdb:       rdb,
		client:    asynq.NewClientFromRedisClient(rdb),
		inspector: asynq.NewInspectorFromRedisClient(rdb),
	}
}

// Enqueue carries a waiting job's current dispatch: now, or at the job's RunAt.
// It reports whether a task was added; false means that this dispatch is being
// carried already.
func (q *Queue) Enqueue(ctx context.Context, job fanfare.Job) (added bool, err error) {
	ctx, end := fanfare.Trace(ctx, fanfare.OpEnqueue, "enqueue "+job.Queue,
		slog.String("messaging.destination.name", job.Queue), slog.String("fanfare.job.id", job.ID))
	defer func() { end(err) }()
	options, later := taskOptions(job)
	_, err = q.client.EnqueueContext(ctx, asynq.NewTaskWithHeaders(job.Kind, []byte(job.ID), headers(job)), options...)
	switch {
	case errors.Is(err, asynq.ErrTaskIDConflict):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("enqueueing job %s: %w", job.ID, err)
	}
	if !later {
		q.wake(ctx, job.Queue)
	}
	return true, nil
}

// taskOptions are a task's, and whether it waits for its time.
func taskOptions(job fanfare.Job) (options []asynq.Option, later bool) {
	options = []asynq.Option{
		asynq.Queue(job.Queue),
		asynq.TaskID(taskID(job)),
		asynq.MaxRetry(maxRetry),
		asynq.Timeout(taskTimeout),
	}
	later = job.RunAt != nil && job.RunAt.After(time.Now())
	if later {
		options = append(options, asynq.ProcessAt(wholeSecond(*job.RunAt)))
	}
	return options, later
}

// traceHeader is W3C Trace Context's.
const traceHeader = "traceparent"

// headers tell of the trace that the job's row names, not of what enqueues it:
// whatever carries it, every attempt belongs to the request that submitted it.
func headers(job fanfare.Job) map[string]string {
	if job.Traceparent == "" {
		return nil
	}
	return map[string]string{traceHeader: job.Traceparent}
}

// wholeSecond rounds up: asynq keeps whole seconds, and rounding down would
// start an attempt before its time.
func wholeSecond(t time.Time) time.Time {
	return t.Add(time.Second - time.Nanosecond).Truncate(time.Second)
}

// taskID names one dispatch of a job. asynq refuses an id that it still knows,
// so enqueueing the same dispatch again is safe, and tells whether it was lost.
func taskID(job fanfare.Job) string {
	return job.ID + ":" + strconv.Itoa(job.Dispatch)
}

// Carried reports whether the job's current dispatch is on its way to a
// worker. A task that is archived, completed or active without having claimed
// its job will not bring it there.
func (q *Queue) Carried(ctx context.Context, job fanfare.Job) (bool, error) {
	info, err := q.inspector.GetTaskInfo(job.Queue, taskID(job))
	switch {
	case errors.Is(err, asynq.ErrTaskNotFound), errors.Is(err, asynq.ErrQueueNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("looking for the task of job %s: %w", job.ID, err)
	}
	return info.State == asynq.TaskStatePending || info.State == asynq.TaskStateScheduled, nil
}

// Restore makes every queue known to asynq's inspector again. A living client
// adds a queue to that set only once, so an emptied Redis would hide them all
// from the dashboard (asynq 0.26, client.go).
func (q *Queue) Restore(ctx context.Context) error {
	for _, name := range jobs.Queues() {
		if err := q.rdb.SAdd(ctx, "asynq:queues", name).Err(); err != nil {
			return fmt.Errorf("making queue %s known: %w", name, err)
		}
	}
	return nil
}
