package queue

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// asynq polls: an idle server sleeps between looks, half a second on average,
// and looking every few milliseconds instead costs a tenth of a core. A waker
// sits as a hook in the server's own Redis client and holds the next look back
// until somebody says that there is something to find.
//
// It only ever delays a look that follows an empty one, and never for longer
// than wakeFallback: a wake-up that gets lost costs that much and nothing else.

const wakeFallback = time.Second

func wakeChannel(queue string) string { return "fanfare:wake:" + queue }

func (q *Queue) wake(ctx context.Context, queue string) {
	q.rdb.Publish(ctx, wakeChannel(queue), "") // lost: see wakeFallback
}

type waker struct {
	pending string        // the key of the queue's list of pending tasks
	signal  chan struct{} // holds one: a wake-up before the wait is not lost
	closed  chan struct{}
	close   sync.Once
	longest time.Duration // that a look is held back
	empty   bool          // whether the last look found nothing; of asynq's one dequeuing goroutine
}

func newWaker(queue string) *waker {
	return &waker{
		pending: "asynq:{" + queue + "}:pending",
		signal:  make(chan struct{}, 1),
		closed:  make(chan struct{}),
		longest: wakeFallback,
	}
}

// listen wakes on each message until ctx is done. go-redis connects the
// subscription again by itself.
func (w *waker) listen(ctx context.Context, rdb redis.UniversalClient, queue string) {
	subscription := rdb.Subscribe(ctx, wakeChannel(queue))
	defer func() { _ = subscription.Close() }()
	for {
		select {
		case <-ctx.Done():
			return
		case <-subscription.Channel():
			w.wake()
		}
	}
}

func (w *waker) wake() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// release ends the waiting for good, so that the server can stop at once.
func (w *waker) release() { w.close.Do(func() { close(w.closed) }) }

func (w *waker) wait() {
	timeout := time.NewTimer(w.longest)
	defer timeout.Stop()
	select {
	case <-w.signal:
	case <-timeout.C:
	case <-w.closed:
	}
}

// DialHook implements redis.Hook.
func (w *waker) DialHook(next redis.DialHook) redis.DialHook { return next }

// ProcessPipelineHook implements redis.Hook.
func (w *waker) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// ProcessHook implements redis.Hook.
func (w *waker) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if !w.dequeues(cmd) {
			err := next(ctx, cmd)
			if w.forwarded(cmd) {
				w.wake()
			}
			return err
		}
		if w.empty {
			w.wait()
		}
		err := next(ctx, cmd)
		w.empty = errors.Is(err, redis.Nil)
		return err
	}
}

// scriptKeys returns the keys of a script call: EVALSHA sha n key… arg….
func scriptKeys(cmd redis.Cmder) []any {
	args := cmd.Args()
	if name := cmd.Name(); (name != "evalsha" && name != "eval") || len(args) < 4 {
		return nil
	}
	n, ok := args[2].(int)
	if !ok || n < 1 || len(args) < 3+n {
		return nil
	}
	return args[3 : 3+n]
}

// dequeues reports whether cmd is asynq's script that takes a pending task: of
// its scripts the only one with the list of pending tasks as its first key and
// the lease set as its fourth (asynq 0.26, internal/rdb/rdb.go).
func (w *waker) dequeues(cmd redis.Cmder) bool {
	keys := scriptKeys(cmd)
	if len(keys) != 4 || keys[0] != w.pending {
		return false
	}
	lease, ok := keys[3].(string)
	return ok && strings.HasSuffix(lease, ":lease")
}

// forwarded reports whether cmd has moved due tasks to the pending list.
func (w *waker) forwarded(cmd redis.Cmder) bool {
	keys := scriptKeys(cmd)
	if len(keys) != 2 || keys[1] != w.pending {
		return false
	}
	result, ok := cmd.(*redis.Cmd)
	if !ok {
		return false
	}
	moved, err := result.Int()
	return err == nil && moved > 0
}
