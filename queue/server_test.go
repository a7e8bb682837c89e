package queue_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
	"fanfare/internal/testqueue"
)

// hold serves the queue with a handler that holds its first task until the end
// of the test, and returns once it has it.
func hold(t *testing.T, q *testqueue.Queue) {
	t.Helper()
	held, release := make(chan string, 1), make(chan struct{})
	q.Serve("ai", func(_ context.Context, _, jobID string) (fanfare.JobStatus, error) {
		held <- jobID
		<-release
		return "", nil
	})
	t.Cleanup(func() { close(release) })
	await.Value(t, "a task", held)
}

// listening waits until a server hears wake-ups.
func listening(t *testing.T, q *testqueue.Queue) {
	t.Helper()
	await.True(t, "the server listens for wake-ups", func() bool {
		counts, err := q.Redis.PubSubNumSub(t.Context(), "fanfare:wake:ai").Result()
		return err == nil && counts["fanfare:wake:ai"] > 0
	})
}

func TestAnIdleServerIsWoken(t *testing.T) {
	t.Parallel()
	q := testqueue.Open(t, testdb.OwnRedis(t).URL())
	handler, ids := testqueue.Collect(fanfare.JobSucceeded)
	server := q.NewServer("ai", handler)
	server.TrustWakeUps()
	testqueue.Start(t, server)
	listening(t, q)
	for range 20 { // each finds a server that waits, and would for an hour
		job := testqueue.Job()
		q.Add(job)
		if got := await.Value(t, "the task", ids); got != job.ID {
			t.Fatalf("job %s came, want %s", got, job.ID)
		}
	}
}

func TestATaskThatComesDueWakesItsServer(t *testing.T) {
	t.Parallel()
	q := testqueue.Open(t, testdb.OwnRedis(t).URL())
	handler, ids := testqueue.Collect(fanfare.JobSucceeded)
	server := q.NewServer("ai", handler)
	server.TrustWakeUps()
	testqueue.Start(t, server)
	listening(t, q)
	due := time.Now().Add(500 * time.Millisecond)
	job := testqueue.Job()
	job.RunAt = &due
	q.Add(job)
	if got := await.Value(t, "the task", ids); got != job.ID || time.Now().Before(due) {
		t.Errorf("job %s came at %s, want %s no earlier than %s", got, time.Now(), job.ID, due)
	}
}

// TestALostWakeUpCostsAMoment: nobody says that there is a task.
func TestALostWakeUpCostsAMoment(t *testing.T) {
	t.Parallel()
	q := testqueue.Open(t, testdb.OwnRedis(t).URL()) // others must not wake it
	handler, ids := testqueue.Collect(fanfare.JobSucceeded)
	q.Serve("ai", handler)
	listening(t, q)
	for range 2 {
		job := testqueue.Job()
		if _, err := asynq.NewClientFromRedisClient(q.Redis).Enqueue(asynq.NewTask(job.Kind, []byte(job.ID)), asynq.Queue("ai")); err != nil {
			t.Fatal(err)
		}
		if got := await.Value(t, "the task", ids); got != job.ID {
			t.Fatalf("job %s came, want %s", got, job.ID)
		}
	}
}

func TestAnIdleServerStopsAtOnce(t *testing.T) {
	t.Parallel()
	q := testqueue.Open(t, testdb.OwnRedis(t).URL())
	handler, _ := testqueue.Collect(fanfare.JobSucceeded)
	server := q.NewServer("ai", handler)
	server.TrustWakeUps() // what it waits for never comes
	testqueue.Start(t, server)
	listening(t, q)
	stopped := make(chan error, 1)
	go func() { server.Stop(); stopped <- server.Shutdown() }()
	if err := await.Value(t, "the server's end", stopped); err != nil {
		t.Error(err)
	}
}

// TestARedisThatHangsHoldsNoEndUp: what asynq would still ask of it is worth
// nothing.
func TestARedisThatHangsHoldsNoEndUp(t *testing.T) {
	t.Parallel()
	redis := testdb.OwnRedis(t)
	q := testqueue.Open(t, redis.URL())
	handler, _ := testqueue.Collect(fanfare.JobSucceeded)
	server := q.Serve("ai", handler)
	listening(t, q)
	if err := redis.Pause(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	ended := make(chan error, 1)
	go func() { ended <- server.Shutdown() }()
	if err := await.Value(t, "the server's end", ended); err == nil {
		t.Error("it ended in good order: nothing was tested")
	}
}

func TestAStoppedServerTakesNoMore(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	first, release := make(chan string, 2), make(chan struct{})
	server := q.Serve("ai", func(_ context.Context, _, jobID string) (fanfare.JobStatus, error) {
		first <- jobID
		<-release
		return fanfare.JobSucceeded, nil
	})
	running, left := testqueue.Job(), testqueue.Job()
	q.Add(running)
	await.Value(t, "the first task", first)
	server.Stop()
	q.Add(left)
	close(release)
	await.True(t, "the running task ends well", func() bool { return task(q, running.ID+":1") == nil })
	if err := server.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if info := task(q, left.ID+":1"); info == nil || info.State != asynq.TaskStatePending || len(first) != 0 {
		t.Errorf("the other task is %+v, want it left for another server", info)
	}
}

// TestOnlyAFailedJobIsAFailedTask: the dashboard shows operators the truth.
func TestOnlyAFailedJobIsAFailedTask(t *testing.T) {
	for _, status := range append(fanfare.JobStatuses(), "") {
		t.Run(string(status), func(t *testing.T) {
			t.Parallel()
			q := testqueue.New(t)
			handler, _ := testqueue.Collect(status)
			q.Serve("ai", handler)
			job := testqueue.Job()
			q.Add(job)
			await.True(t, "the task ends", func() bool {
				info := task(q, job.ID+":1")
				return info == nil || info.State == asynq.TaskStateArchived
			})
			if archived := task(q, job.ID+":1") != nil; archived != (status == fanfare.JobFailed) {
				t.Errorf("the task is archived: %t", archived)
			}
		})
	}
}

// TestAHandlerThatCouldNotClaimIsCalledAgain.
func TestAHandlerThatCouldNotClaimIsCalledAgain(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	calls := make(chan string, 10)
	var failed atomic.Bool
	q.Serve("ai", func(_ context.Context, _, jobID string) (fanfare.JobStatus, error) {
		calls <- jobID
		if failed.CompareAndSwap(false, true) {
			return "", errors.New("the database is away")
		}
		return fanfare.JobSucceeded, nil
	})
	job := testqueue.Job()
	q.Add(job)
	for range 2 {
		if got := await.Value(t, "a call", calls); got != job.ID {
			t.Errorf("job %s came, want %s", got, job.ID)
		}
	}
}

func TestNoMoreHandlersThanAsked(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	const tasks = 30
	started, release := make(chan int64, tasks), make(chan struct{})
	var running atomic.Int64
	q.Serve("ai", func(context.Context, string, string) (fanfare.JobStatus, error) {
		started <- running.Add(1)
		<-release
		running.Add(-1)
		return fanfare.JobSucceeded, nil
	})
	for range tasks {
		q.Add(testqueue.Job())
	}
	most := int64(0)
	for n := range tasks {
		most = max(most, await.Value(t, "a handler's start", started))
		if n >= testqueue.Concurrency-1 {
			release <- struct{}{} // only now: as many as may run do
		}
	}
	close(release)
	if most != testqueue.Concurrency {
		t.Errorf("%d handlers ran at once, want %d", most, testqueue.Concurrency)
	}
}

// TestAServerOutlivesRedis: it is started without one, and loses it later.
func TestAServerOutlivesRedis(t *testing.T) {
	t.Parallel()
	server := testdb.OwnRedis(t)
	q := testqueue.Open(t, server.URL())
	handler, ids := testqueue.Collect(fanfare.JobSucceeded)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	q.Serve("ai", handler)
	for range 2 {
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		job := testqueue.Job()
		q.Add(job)
		if got := await.Value(t, "the task", ids); got != job.ID {
			t.Fatalf("job %s came, want %s", got, job.ID)
		}
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestATaskCarriesItsJobsTrace, and not that of whatever enqueues it.
func TestATaskCarriesItsJobsTrace(t *testing.T) {
	q := testqueue.New(t)
	parents := make(chan string, 2)
	q.Serve("ai", func(ctx context.Context, _, _ string) (fanfare.JobStatus, error) {
		parents <- fanfare.Traceparent(ctx)
		return fanfare.JobSucceeded, nil
	})
	job := testqueue.Job()
	job.Traceparent = fanfare.NewTraceparent()
	relay := fanfare.WithTrace(t.Context(), fanfare.NewTraceparent(), nil)
	if _, err := q.Enqueue(relay, job); err != nil {
		t.Fatal(err)
	}
	if got := await.Value(t, "the task", parents); got != job.Traceparent {
		t.Errorf("the trace is %q, want %q", got, job.Traceparent)
	}
	q.Add(testqueue.Job())
	if got := await.Value(t, "a task of no trace", parents); got != "" {
		t.Errorf("the trace is %q, want none", got)
	}
}
