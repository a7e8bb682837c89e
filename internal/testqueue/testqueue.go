// Package testqueue gives tests a queue on a Redis database of their own.
package testqueue

import (
	"context"
	"log/slog"
	"testing"

	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/internal/testdb"
	"fanfare/queue"
	"fanfare/store"
)

// Concurrency is how many handlers of a server run at once.
const Concurrency = 10

// Queue is a queue and what a test needs around it.
type Queue struct {
	*queue.Queue
	Redis *redis.Client

	t testing.TB
}

// New returns a queue on an empty Redis database of the test's own.
func New(t testing.TB) *Queue {
	t.Helper()
	return Open(t, testdb.Redis(t))
}

// Open returns a queue on the Redis with that URL.
func Open(t testing.TB, url string) *Queue {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	options.DialerRetries = 1 // a Redis that is away is known to be at once
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	return &Queue{Queue: queue.New(rdb), Redis: rdb, t: t}
}

// Add enqueues a job.
func (q *Queue) Add(job fanfare.Job) {
	q.t.Helper()
	if added, err := q.Enqueue(q.t.Context(), job); err != nil || !added {
		q.t.Fatalf("Enqueue = %v, %v; want a task", added, err)
	}
}

// NewServer prepares a server of a queue. It is stopped with the test, if it
// was started and not stopped before.
func (q *Queue) NewServer(name string, handler queue.Handler) *queue.Server {
	q.t.Helper()
	return queue.NewServer(q.Redis.Options(), name, Concurrency, handler, slog.New(slog.DiscardHandler))
}

// Serve starts a server of a queue for as long as the test lasts.
func (q *Queue) Serve(name string, handler queue.Handler) *queue.Server {
	q.t.Helper()
	return Start(q.t, q.NewServer(name, handler))
}

// Start starts a server for as long as the test lasts.
func Start(t testing.TB, server *queue.Server) *queue.Server {
	t.Helper()
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		_ = server.Shutdown() // the test may have ended it
	})
	return server
}

// Job is a job that was never stored: a queue needs no more of it.
func Job() fanfare.Job {
	return fanfare.Job{ID: store.NewID(), Kind: "campaign.generate", Queue: "ai", Dispatch: 1, Status: fanfare.JobQueued}
}

// Collect is a handler that hands over the ids of the jobs that it is given
// and leaves them in the status.
func Collect(status fanfare.JobStatus) (queue.Handler, <-chan string) {
	ids := make(chan string, 1000)
	return func(_ context.Context, _, jobID string) (fanfare.JobStatus, error) {
		ids <- jobID
		return status, nil
	}, ids
}
