package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"fanfare"
)

const (
	// pauseAfterEmpty is asynq's sleep after a look that found nothing; the
	// waker holds the next look back for as long as is right.
	pauseAfterEmpty = time.Millisecond
	// delayedCheck is how often tasks that wait for their time are looked at.
	delayedCheck = 250 * time.Millisecond
	// stopLimit is for the answer to the last question for a task.
	stopLimit = time.Second
	// shutdownGrace is for handlers that have been told to return already.
	shutdownGrace = 2 * time.Second
	// shutdownLimit is how long the end of a server may take in all.
	shutdownLimit = shutdownGrace + 2*time.Second
)

// Handler works on the job that a task names. It returns the status that the
// attempt left the job in, "" where there was nothing to do: the job is over,
// or somebody else has it. An error means that not even that could be found
// out; it is called again.
type Handler func(ctx context.Context, kind, jobID string) (fanfare.JobStatus, error)

// Server calls a handler for the tasks of one queue.
type Server struct {
	queue    string
	rdb      *redis.Client
	server   *asynq.Server
	waker    *waker
	handler  Handler
	slots    chan struct{} // as many as handlers may run
	stopWake context.CancelFunc
	// shutdown is done once: asynq's own returns at once the second time, while
	// the first still needs the client.
	shutdown func() error
}

// NewServer prepares a server with a Redis client of its own, made from
// options. At most concurrency handlers run at once.
func NewServer(options *redis.Options, queue string, concurrency int, handler Handler, logger *slog.Logger) *Server {
	own := *options
	own.PushNotificationProcessor = nil // that of another client, where its Options were passed
	rdb := redis.NewClient(&own)
	w := newWaker(queue)
	rdb.AddHook(w)
	s := &Server{
		queue: queue, rdb: rdb, waker: w, handler: handler, slots: make(chan struct{}, concurrency),
		server: asynq.NewServerFromRedisClient(rdb, asynq.Config{
			Concurrency:              concurrency,
			Queues:                   map[string]int{queue: 1},
			TaskCheckInterval:        pauseAfterEmpty,
			DelayedTaskCheckInterval: delayedCheck,
			ShutdownTimeout:          shutdownGrace,
			RetryDelayFunc:           retryDelay,
			Logger:                   asynqLogger{logger},
			LogLevel:                 asynq.WarnLevel,
		}),
	}
	s.shutdown = sync.OnceValue(s.end)
	return s
}

// Start begins to take tasks. While Redis is away it waits for it.
func (s *Server) Start() error {
	ctx, cancel := context.WithCancel(context.Background())
	s.stopWake = cancel
	go s.waker.listen(ctx, s.rdb, s.queue)
	if err := s.server.Start(asynq.HandlerFunc(s.handle)); err != nil {
		cancel()
		return fmt.Errorf("starting to take tasks from queue %s: %w", s.queue, err)
	}
	return nil
}

// Stop takes no more tasks. Handlers go on. A look at the queue that is under
// way is waited for, but not where Redis hangs.
func (s *Server) Stop() {
	s.waker.release()
	endsWithin(stopLimit, s.server.Stop)
}

// Shutdown ends the server after Stop, once its handlers have returned.
func (s *Server) Shutdown() error { return s.shutdown() }

// end lets asynq go, which asks Redis for many things on its way out, one after
// the other: where Redis hangs, it is left behind, for the end of the process.
// (Without its client under it, it would panic.)
func (s *Server) end() error {
	defer s.stopWake()
	if !endsWithin(shutdownLimit, s.server.Shutdown) {
		return fmt.Errorf("ending queue %s: Redis did not answer within %s", s.queue, shutdownLimit)
	}
	return s.rdb.Close()
}

// endsWithin reports whether do has returned in time. It goes on otherwise.
func endsWithin(limit time.Duration, do func()) bool {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		do()
	}()
	select {
	case <-ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// handle tells asynq that a task is done, whatever became of the job: retries
// are the database's. Only a job that has failed is shown as a failed task, so
// that the dashboard tells operators the truth.
func (s *Server) handle(ctx context.Context, task *asynq.Task) error {
	// asynq's own count is not enough: when it can't reach Redis for as long as
	// its lease lasts, it frees the slots of handlers that still run.
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return fmt.Errorf("waiting for a free slot: %w", context.Cause(ctx))
	}
	jobID := string(task.Payload())
	ctx = fanfare.WithTrace(ctx, task.Headers()[traceHeader], nil)
	status, err := s.handler(ctx, task.Type(), jobID)
	switch {
	case err != nil:
		return err
	case status == fanfare.JobFailed:
		return fmt.Errorf("job %s failed; its record says why: %w", jobID, asynq.SkipRetry)
	default:
		return nil
	}
}

// retryDelay is for handlers that could not reach the database: 1, 2, 4, … 30 s.
func retryDelay(n int, _ error, _ *asynq.Task) time.Duration {
	return min(time.Second<<min(n, 5), 30*time.Second)
}

// asynqLogger passes asynq's own messages on.
type asynqLogger struct{ logger *slog.Logger }

func (l asynqLogger) Debug(args ...any) { l.logger.Debug("asynq: " + fmt.Sprint(args...)) }
func (l asynqLogger) Info(args ...any)  { l.logger.Info("asynq: " + fmt.Sprint(args...)) }
func (l asynqLogger) Error(args ...any) { l.logger.Error("asynq: " + fmt.Sprint(args...)) }
func (l asynqLogger) Fatal(args ...any) { l.logger.Error("asynq: " + fmt.Sprint(args...)) }

// Warn leaves out that a task's retries are over: the job's own line says what
// became of it.
func (l asynqLogger) Warn(args ...any) {
	if text := fmt.Sprint(args...); !strings.HasPrefix(text, "Retry exhausted") {
		l.logger.Warn("asynq: " + text)
	}
}
