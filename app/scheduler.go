package app

import (
	"context"

	"fanfare/scheduler"
	"fanfare/timetable"
	"fanfare/worker"
)

// Scheduler runs the relay, the reaper, the pruners, the sealer and what is due
// until ctx is done, and says all the while that it lives.
func (p Process) Scheduler(ctx context.Context) error {
	stopMetrics, err := p.measure(ctx, "scheduler")
	if err != nil {
		return err
	}
	defer stopMetrics()
	parts, err := p.open(ctx, "scheduler")
	if err != nil {
		return err
	}
	defer parts.close()
	parts.logger.InfoContext(ctx, "the scheduler is ready")
	scheduler.Run(ctx, parts.logger,
		scheduler.Pulse{Store: parts.store, ID: processID()},
		scheduler.Relay{Outbox: parts.store, Carrier: parts.queue, Meter: parts.metrics},
		scheduler.NewReaper(parts.store, parts.hub, parts.reporter, parts.metrics, worker.DefaultLease),
		scheduler.Pruner{Store: parts.store},
		scheduler.JobPruner{Store: parts.store, Keep: p.Config.Retention.Jobs},
		scheduler.NewSealer(parts.store, parts.logger),
		scheduler.AuditPruner{Store: parts.store, Keep: p.Config.Retention.Audit},
		scheduler.Due{
			Schedules: parts.store, Timetable: timetable.Table{}, Launcher: launcher{store: parts.store, tracer: parts.reporter},
			Hints: parts.hub, Carrier: parts.queue,
		},
	)
	return nil
}
