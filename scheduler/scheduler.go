// Package scheduler holds the loops that look after what nobody else is looking
// after: the relay, the reaper, the sealer and the pruners. Any number of
// processes may run them at once; the database hands each row to one of them.
package scheduler

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"fanfare"
)

// Publisher tells listeners about jobs that changed.
type Publisher interface {
	Publish(ctx context.Context, jobs ...fanfare.Job)
}

// Task is one loop of the scheduler.
type Task interface {
	// Tick does what is due now. It is called again after Every, or sooner
	// after an error.
	Tick(ctx context.Context) error
	Every() time.Duration
	Name() string
}

// Run runs each task in a loop of its own until ctx is done. An error is
// logged, and the loop goes on.
func Run(ctx context.Context, logger *slog.Logger, tasks ...Task) {
	var wg sync.WaitGroup
	for _, task := range tasks {
		wg.Go(func() { loop(ctx, logger, task) })
	}
	wg.Wait()
}

func loop(ctx context.Context, logger *slog.Logger, task Task) {
	for {
		if err := task.Tick(ctx); err != nil && ctx.Err() == nil {
			logger.WarnContext(ctx, "a scheduler task failed and will be tried again", "task", task.Name(), "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(task.Every()):
		}
	}
}
