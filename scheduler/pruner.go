package scheduler

import (
	"context"
	"time"
)

const pruneEvery = 10 * time.Minute

// Pruner deletes what has had its time.
type Pruner struct {
	Store interface {
		Prune(ctx context.Context) error
	}
}

// Name implements Task.
func (p Pruner) Name() string { return "pruner" }

// Every implements Task.
func (p Pruner) Every() time.Duration { return pruneEvery }

// Tick implements Task.
func (p Pruner) Tick(ctx context.Context) error { return p.Store.Prune(ctx) }
