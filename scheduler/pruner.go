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

// JobPruner deletes jobs, and the deliveries of launches, that have had their
// time.
type JobPruner struct {
	Store interface {
		PruneJobs(ctx context.Context, keep time.Duration) error
	}
	Keep time.Duration
}

// Name implements Task.
func (p JobPruner) Name() string { return "job pruner" }

// Every implements Task.
func (p JobPruner) Every() time.Duration { return pruneEvery }

// Tick implements Task.
func (p JobPruner) Tick(ctx context.Context) error { return p.Store.PruneJobs(ctx, p.Keep) }

// AuditPruner drops months of audit records that have had their time.
type AuditPruner struct {
	Store interface {
		DropAuditMonths(ctx context.Context, keep time.Duration) error
	}
	Keep time.Duration
}

// Name implements Task.
func (p AuditPruner) Name() string { return "audit pruner" }

// Every implements Task.
func (p AuditPruner) Every() time.Duration { return pruneEvery }

// Tick implements Task.
func (p AuditPruner) Tick(ctx context.Context) error { return p.Store.DropAuditMonths(ctx, p.Keep) }
