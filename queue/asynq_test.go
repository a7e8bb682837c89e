package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"fanfare/internal/await"
	"fanfare/internal/testqueue"
)

// These tests show what asynq does that we work around. One that fails after
// an upgrade tells that its work-around may go; each names it.

// asynqServer starts a server of asynq's own, without anything of ours.
func asynqServer(t *testing.T, q *testqueue.Queue, hook redis.Hook, handle asynq.HandlerFunc) {
	t.Helper()
	options := *q.Redis.Options()
	options.PushNotificationProcessor = nil
	rdb := redis.NewClient(&options)
	if hook != nil {
		rdb.AddHook(hook)
	}
	server := asynq.NewServerFromRedisClient(rdb, asynq.Config{
		Concurrency: 1, Queues: map[string]int{"ai": 1}, LogLevel: asynq.FatalLevel,
		TaskCheckInterval: 10 * time.Millisecond, DelayedTaskCheckInterval: 100 * time.Millisecond,
		ShutdownTimeout: time.Millisecond,
		RetryDelayFunc:  func(int, error, *asynq.Task) time.Duration { return 0 },
	})
	if err := server.Start(handle); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Shutdown()
		_ = rdb.Close()
	})
}

func add(t *testing.T, q *testqueue.Queue, options ...asynq.Option) {
	t.Helper()
	options = append([]asynq.Option{asynq.Queue("ai"), asynq.TaskID("task")}, options...)
	if _, err := asynq.NewClientFromRedisClient(q.Redis).Enqueue(asynq.NewTask("kind", nil), options...); err != nil {
		t.Fatal(err)
	}
}

// TestAsynqRunsATaskBesideItself: after a timeout it frees the slot of a handler
// that still runs, and calls it again. Hence a timeout beyond any attempt's
// (queue.go), slots of our own (server.go), and the claim.
func TestAsynqRunsATaskBesideItself(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	calls, release := make(chan int, 10), make(chan struct{})
	asynqServer(t, q, nil, func(context.Context, *asynq.Task) error {
		calls <- 1
		<-release
		return nil
	})
	t.Cleanup(func() { close(release) })
	add(t, q, asynq.Timeout(time.Second), asynq.MaxRetry(3))
	for range 2 { // though one handler may run at a time, and the first has not returned
		await.Value(t, "a call", calls)
	}
}

// TestAsynqAcknowledgesWithADeadContext: an acknowledgement that failed once is
// tried again with a context that has been canceled, and can't arrive: the task
// runs again when its lease has run out, minutes later. Hence the claim answers
// for what is over that there is nothing to do (worker.Handle).
func TestAsynqAcknowledgesWithADeadContext(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	hook := &acknowledgements{contexts: make(chan error, 10)}
	asynqServer(t, q, hook, func(context.Context, *asynq.Task) error { return nil })
	add(t, q)
	if err := await.Value(t, "an acknowledgement", hook.contexts); err != nil {
		t.Fatalf("the first acknowledgement came with a context that was over: %v", err)
	}
	if err := await.Value(t, "another", hook.contexts); !errors.Is(err, context.Canceled) {
		t.Errorf("the second acknowledgement came with a context that ends with %v", err)
	}
	_ = await.Value(t, "a third, after the second", hook.contexts)
	if info := task(q, "task"); info == nil || info.State != asynq.TaskStateActive {
		t.Errorf("the task that was done is %+v, want it active still", info)
	}
}

// acknowledgements fails the first one, and tells the contexts of all.
type acknowledgements struct {
	once     sync.Once
	contexts chan error
}

func (a *acknowledgements) DialHook(next redis.DialHook) redis.DialHook { return next }

func (a *acknowledgements) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a *acknowledgements) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !calls(cmd, "asynq:{ai}:active") {
			return next(ctx, cmd)
		}
		a.contexts <- ctx.Err()
		err := error(nil)
		a.once.Do(func() { err = errors.New("cut off") })
		if err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

// calls reports whether cmd is a script whose first key is the one given.
func calls(cmd redis.Cmder, key string) bool {
	args := cmd.Args()
	return strings.HasPrefix(cmd.Name(), "eval") && len(args) > 3 && args[3] == key
}

// TestAsynqForgetsATaskWithoutALease: one that is active and not in the lease
// set is looked for by nobody. Hence the reaper decides by the database, and a
// lost attempt's job gets a new task.
func TestAsynqForgetsATaskWithoutALease(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	abandon(t, q, "without", 2*time.Hour) // so that it would be found first
	abandon(t, q, "with", time.Hour)
	if n := q.Redis.ZRem(t.Context(), "asynq:{ai}:lease", "without").Val(); n != 1 {
		t.Fatal("the task has no lease")
	}
	recovered := make(chan string, 10)
	asynqServer(t, q, nil, func(ctx context.Context, _ *asynq.Task) error {
		id, _ := asynq.GetTaskID(ctx)
		recovered <- id
		return nil
	})
	if id := await.Value(t, "the task with a lease", recovered); id != "with" {
		t.Errorf("the task %q came again", id)
	}
	if info := task(q, "without"); info == nil || info.State != asynq.TaskStateActive {
		t.Errorf("the task without a lease is %+v, want it active still", info)
	}
}

// abandon adds a task and makes it active, as asynq's own dequeue does, under
// the lease of a worker that died long ago.
func abandon(t *testing.T, q *testqueue.Queue, id string, ago time.Duration) {
	t.Helper()
	add(t, q, asynq.TaskID(id))
	if got := q.Redis.LMove(t.Context(), "asynq:{ai}:pending", "asynq:{ai}:active", "RIGHT", "LEFT").Val(); got != id {
		t.Fatalf("the next task is %q", got)
	}
	lease := redis.Z{Score: float64(time.Now().Add(-ago).Unix()), Member: id}
	_, err := q.Redis.Pipelined(t.Context(), func(p redis.Pipeliner) error {
		p.HSet(t.Context(), "asynq:{ai}:t:"+id, "state", "active")
		p.HDel(t.Context(), "asynq:{ai}:t:"+id, "pending_since")
		p.ZAdd(t.Context(), "asynq:{ai}:lease", lease)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAsynqBurnsRetriesAfterADeadline: a task whose deadline has passed is
// archived, and its handler never called. Hence no task has one (queue.go).
func TestAsynqBurnsRetriesAfterADeadline(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	called := make(chan int, 10)
	asynqServer(t, q, nil, func(context.Context, *asynq.Task) error { called <- 1; return nil })
	add(t, q, asynq.Deadline(time.Now().Add(-time.Minute)), asynq.MaxRetry(2))
	await.True(t, "the task is archived", func() bool {
		info := task(q, "task")
		return info != nil && info.State == asynq.TaskStateArchived
	})
	if len(called) != 0 {
		t.Error("its handler was called")
	}
	if info := task(q, "task"); info.Retried != 2 {
		t.Errorf("it was archived after %d retries", info.Retried)
	}
}

// TestAsynqBlocksTheIDOfAnArchivedTask, for as long as the archive keeps it.
// Hence the relay's new dispatch numbers (scheduler/relay.go).
func TestAsynqBlocksTheIDOfAnArchivedTask(t *testing.T) {
	t.Parallel()
	q := testqueue.New(t)
	add(t, q)
	if err := inspector(q).ArchiveTask("ai", "task"); err != nil {
		t.Fatal(err)
	}
	_, err := asynq.NewClientFromRedisClient(q.Redis).Enqueue(asynq.NewTask("kind", nil), asynq.Queue("ai"), asynq.TaskID("task"))
	if !errors.Is(err, asynq.ErrTaskIDConflict) {
		t.Errorf("adding it again: %v", err)
	}
}
