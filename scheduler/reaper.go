package scheduler

import (
	"context"
	"time"

	"fanfare"
)

const (
	reapEvery = time.Second
	reapBatch = 200
)

// Leases is what the reaper needs of the database.
type Leases interface {
	Reap(ctx context.Context, limit int) ([]fanfare.Job, error)
	Expire(ctx context.Context, limit int) ([]fanfare.Job, error)
	// SettleAbandoned settles messages that nobody sends any more, since their
	// job ended when its worker was lost.
	SettleAbandoned(ctx context.Context, limit int) (int, error)
}

// Reaper settles attempts that lost their worker, and ends jobs that waited
// past their deadline.
//
// It takes no lease while it has not itself seen the database for one lease's
// time without a gap: after an outage, the workers could not renew their
// leases either, and must get the chance to.
type Reaper struct {
	leases   Leases
	hints    Publisher
	reporter fanfare.Reporter
	meter    Meter
	lease    time.Duration

	lastSeen time.Time
	quiet    time.Time // no lease is taken before this
	now      func() time.Time
}

// NewReaper returns a reaper; lease is how long the workers' leases last, and
// meter may be nil.
func NewReaper(leases Leases, hints Publisher, reporter fanfare.Reporter, meter Meter, lease time.Duration) *Reaper {
	return &Reaper{leases: leases, hints: hints, reporter: reporter, meter: metered(meter), lease: lease, now: time.Now}
}

// Name implements Task.
func (r *Reaper) Name() string { return "reaper" }

// Every implements Task.
func (r *Reaper) Every() time.Duration { return reapEvery }

// Tick implements Task.
func (r *Reaper) Tick(ctx context.Context) error {
	expired, err := r.leases.Expire(ctx, reapBatch)
	if err != nil {
		return err
	}
	r.tell(ctx, expired)
	if !r.trusted() {
		return nil
	}
	reaped, err := r.leases.Reap(ctx, reapBatch)
	if err != nil {
		return err
	}
	r.tell(ctx, reaped)
	for _, job := range reaped {
		r.meter.LeaseLost(job.Kind)
		if job.Status == fanfare.JobFailed { // the workers that could tell of it are gone
			lost := fanfare.Errorf(job.Error.Code, "%s", job.Error.Message)
			r.reporter.Report(fanfare.WithJobID(ctx, job.ID), lost, map[string]string{"kind": job.Kind})
		}
	}
	_, err = r.leases.SettleAbandoned(ctx, reapBatch)
	return err
}

func (r *Reaper) tell(ctx context.Context, changed []fanfare.Job) {
	r.hints.Publish(ctx, changed...)
	for _, job := range changed {
		if job.Status.Done() {
			r.meter.JobDone(job)
		}
	}
}

// trusted is called after each answer of the database.
func (r *Reaper) trusted() bool {
	now := r.now()
	if now.Sub(r.lastSeen) > r.lease/2 {
		r.quiet = now.Add(r.lease)
	}
	r.lastSeen = now
	return now.After(r.quiet)
}
