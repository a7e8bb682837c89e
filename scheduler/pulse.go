package scheduler

import (
	"context"
	"time"
)

// pulseEvery is well below the time after which a scheduler counts as hung.
const pulseEvery = 2 * time.Second

// Pulse says that the scheduler lives, in the database, as a worker's heartbeat
// does. No other task can hang unseen for long: each call of the database and
// of Redis has a limit of its own.
type Pulse struct {
	Store interface {
		Pulse(ctx context.Context, scheduler string) error
	}
	ID string // unique among all schedulers
}

// Name implements Task.
func (p Pulse) Name() string { return "pulse" }

// Every implements Task.
func (p Pulse) Every() time.Duration { return pulseEvery }

// Tick implements Task.
func (p Pulse) Tick(ctx context.Context) error { return p.Store.Pulse(ctx, p.ID) }
