package scheduler

import (
	"context"
	"time"

	"fanfare"
)

const (
	relayEvery = time.Second
	// relayAgain is when the relay looks at a waiting job again: with what
	// else it takes, what Redis loses is running within 30 seconds.
	relayAgain = 15 * time.Second
	relayBatch = 500
)

// Outbox is what the relay needs of the database.
type Outbox interface {
	// Uncarried returns waiting jobs that it is time to look after, and leaves
	// them to this caller for the time given.
	Uncarried(ctx context.Context, limit int, again time.Duration) ([]fanfare.Job, error)
	Redispatch(ctx context.Context, job fanfare.Job) (bool, error)
}

// Carrier is what the relay needs of the queue.
type Carrier interface {
	Enqueue(ctx context.Context, job fanfare.Job) (added bool, err error)
	// Carried reports whether the job's current dispatch is on its way.
	Carried(ctx context.Context, job fanfare.Job) (bool, error)
	Restore(ctx context.Context) error
}

// Relay carries what was committed and has not arrived: Redis was away at the
// time, or has lost it since.
type Relay struct {
	Outbox  Outbox
	Carrier Carrier
	Meter   Meter // nil: nobody counts
}

// Name implements Task.
func (r Relay) Name() string { return "relay" }

// Every implements Task.
func (r Relay) Every() time.Duration { return relayEvery }

// Tick implements Task.
func (r Relay) Tick(ctx context.Context) error {
	if err := r.Carrier.Restore(ctx); err != nil {
		return err // Redis is away: leave the rows for the next look
	}
	for {
		jobs, err := r.Outbox.Uncarried(ctx, relayBatch, relayAgain)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			if err := r.carry(ctx, job); err != nil {
				return err
			}
		}
		if len(jobs) < relayBatch {
			return nil
		}
	}
}

// carry enqueues a job's dispatch once more: that it works shows that the task
// was lost. Where the task is still there but will not start the job (it was
// archived, or died with its worker before the claim), a new dispatch does.
func (r Relay) carry(ctx context.Context, job fanfare.Job) error {
	added, err := r.Carrier.Enqueue(ctx, job)
	if added {
		metered(r.Meter).TaskRestored(job.Queue)
	}
	if err != nil || added {
		return err
	}
	carried, err := r.Carrier.Carried(ctx, job)
	if err != nil || carried {
		return err
	}
	renewed, err := r.Outbox.Redispatch(ctx, job)
	if err != nil || !renewed {
		return err
	}
	job.Dispatch++
	if added, err = r.Carrier.Enqueue(ctx, job); added {
		metered(r.Meter).TaskRestored(job.Queue)
	}
	return err
}
