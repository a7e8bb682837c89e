package scheduler

import (
	"context"
	"errors"
	"time"

	"fanfare"
)

const dueEvery = time.Second

// Schedules is what the due schedules need of the database.
type Schedules interface {
	Atomic(ctx context.Context, do func(ctx context.Context) error) error
	// Attempt undoes what do did where it fails; the transaction stays usable.
	Attempt(ctx context.Context, do func(ctx context.Context) error) error
	Audit(ctx context.Context, record fanfare.AuditRecord) error
	// DueSchedule takes a schedule that is due, nil if there is none, until
	// the transaction ends.
	DueSchedule(ctx context.Context, except []string) (*fanfare.DueSchedule, error)
	// ReserveOccurrence reports whether nobody looked after it before.
	ReserveOccurrence(ctx context.Context, scheduleID string, o fanfare.Occurrence) (bool, error)
	SettleOccurrence(ctx context.Context, scheduleID string, run fanfare.OccurrenceRun) error
	AdvanceSchedule(ctx context.Context, due fanfare.DueSchedule, next *fanfare.Occurrence, reason string) error
}

// Timetable works out when schedules are due.
type Timetable interface {
	Next(schedule fanfare.Schedule, after time.Time, n int) ([]fanfare.Occurrence, error)
}

// Launcher submits the launch of an occurrence in the caller's transaction. It
// fails with fanfare.CodeLaunchInProgress, CodeNotReady or CodeInvalidRequest
// where the campaign can't be launched now, and CodeNotFound where it is gone.
type Launcher interface {
	LaunchScheduled(ctx context.Context, userID, campaignID string, channels []fanfare.Channel) (fanfare.Job, error)
}

// Reasons that schedules and their occurrences show.
const (
	reasonOver     = "It has no more times."
	reasonMissed   = "Nothing was running when it was due."
	reasonDisabled = "The account of its owner is disabled."
	reasonDeleted  = "The campaign was deleted."
	reasonUnknown  = "Its cron or its time zone can't be read any more."
)

// Due launches what is due. The schedule's row, the occurrence's row, the job
// and the next time are one transaction, so that each occurrence is launched
// once, however many schedulers run and wherever one of them stops.
type Due struct {
	Schedules Schedules
	Timetable Timetable
	Launcher  Launcher
	Hints     Publisher
	Carrier   interface {
		Enqueue(ctx context.Context, job fanfare.Job) (added bool, err error)
	}
}

// Name implements Task.
func (d Due) Name() string { return "due" }

// Every implements Task.
func (d Due) Every() time.Duration { return dueEvery }

// Tick implements Task. A schedule that fails keeps no other from its time: it
// is tried again at the next tick.
func (d Due) Tick(ctx context.Context) error {
	var failed []string
	var errs []error
	for {
		id, job, err := d.one(ctx, failed)
		switch {
		case err != nil && id != "":
			failed, errs = append(failed, id), append(errs, err)
		case err != nil || id == "":
			return errors.Join(append(errs, err)...)
		case job != nil:
			d.Hints.Publish(ctx, *job)
			_, _ = d.Carrier.Enqueue(ctx, *job) // what can't be carried now the relay carries later
		}
	}
}

// one looks after one schedule that is due, and returns its id and the job that
// it has launched.
func (d Due) one(ctx context.Context, except []string) (id string, job *fanfare.Job, err error) {
	err = d.Schedules.Atomic(ctx, func(ctx context.Context) error {
		due, err := d.Schedules.DueSchedule(ctx, except)
		if err != nil || due == nil {
			return err
		}
		id = due.ID
		job, err = d.handle(ctx, *due)
		return err
	})
	return id, job, err
}

func (d Due) handle(ctx context.Context, due fanfare.DueSchedule) (*fanfare.Job, error) {
	if due.OwnerDisabled {
		return nil, d.stop(ctx, due, reasonDisabled)
	}
	run, next, err := d.plan(due)
	if err != nil {
		return nil, d.stop(ctx, due, reasonUnknown)
	}
	if run == nil || !run.At.Equal(due.Due.At) {
		if err := d.miss(ctx, due, run); err != nil {
			return nil, err
		}
	}
	if run == nil {
		return nil, d.Schedules.AdvanceSchedule(ctx, due, next, reasonOver)
	}
	job, err := d.run(ctx, due, *run)
	switch {
	case fanfare.ErrorCode(err) == fanfare.CodeNotFound:
		return nil, d.stop(ctx, due, reasonDeleted)
	case err != nil:
		return nil, err
	}
	return job, d.Schedules.AdvanceSchedule(ctx, due, next, reasonOver)
}

// plan picks the latest occurrence that has come due, unless it is too late
// even for that one, and the first of those to come. However long nothing ran,
// it looks at no more of them than fit into what may be made up for.
func (d Due) plan(due fanfare.DueSchedule) (run, next *fanfare.Occurrence, err error) {
	at := &due.Due
	if oldest := due.Now.Add(-due.Misfire.Tolerance()); at.At.Before(oldest) {
		if at, err = d.after(due, oldest.Add(-time.Nanosecond)); err != nil {
			return nil, nil, err
		}
	}
	for at != nil && !at.At.After(due.Now) {
		run = at
		if at, err = d.after(due, run.At); err != nil {
			return nil, nil, err
		}
	}
	return run, at, nil
}

func (d Due) after(due fanfare.DueSchedule, after time.Time) (*fanfare.Occurrence, error) {
	found, err := d.Timetable.Next(due.Schedule, after, 1)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// miss notes that the occurrences from the first that is due were left out, up
// to the one that is run or to now. However many they are, it is one record.
func (d Due) miss(ctx context.Context, due fanfare.DueSchedule, run *fanfare.Occurrence) error {
	until := due.Now
	if run != nil {
		until = run.At
	}
	if _, err := d.Schedules.ReserveOccurrence(ctx, due.ID, due.Due); err != nil {
		return err
	}
	return d.skip(ctx, due, due.Due, fanfare.OccurrenceMissed, reasonMissed, map[string]any{"until": until})
}

// run launches an occurrence, unless somebody did so before or the campaign
// can't be launched.
func (d Due) run(ctx context.Context, due fanfare.DueSchedule, o fanfare.Occurrence) (*fanfare.Job, error) {
	first, err := d.Schedules.ReserveOccurrence(ctx, due.ID, o)
	if err != nil || !first {
		return nil, err
	}
	var job fanfare.Job
	err = d.Schedules.Attempt(ctx, func(ctx context.Context) (err error) {
		job, err = d.Launcher.LaunchScheduled(ctx, due.UserID, due.CampaignID, due.Channels)
		return err
	})
	switch fanfare.ErrorCode(err) {
	case "":
		return &job, d.launched(ctx, due, o, job)
	case fanfare.CodeLaunchInProgress, fanfare.CodeNotReady, fanfare.CodeInvalidRequest:
		refusal, _ := errors.AsType[*fanfare.Error](err)
		return nil, d.skip(ctx, due, o, fanfare.OccurrenceSkipped, refusal.Message, map[string]any{"code": refusal.Code})
	default:
		return nil, err
	}
}

func (d Due) launched(ctx context.Context, due fanfare.DueSchedule, o fanfare.Occurrence, job fanfare.Job) error {
	err := d.Schedules.SettleOccurrence(ctx, due.ID, fanfare.OccurrenceRun{
		LocalTime: o.Local, At: o.At, Outcome: fanfare.OccurrenceLaunched, JobID: &job.ID,
	})
	if err != nil {
		return err
	}
	return d.audit(ctx, due, fanfare.ActionScheduleFire, fanfare.AuditSuccess,
		map[string]any{"localTime": o.Local, "at": o.At, "job": job.ID})
}

func (d Due) skip(ctx context.Context, due fanfare.DueSchedule, o fanfare.Occurrence, outcome fanfare.OccurrenceOutcome, reason string, more map[string]any) error {
	err := d.Schedules.SettleOccurrence(ctx, due.ID, fanfare.OccurrenceRun{
		LocalTime: o.Local, At: o.At, Outcome: outcome, Reason: &reason,
	})
	if err != nil {
		return err
	}
	more["localTime"], more["at"], more["reason"] = o.Local, o.At, reason
	return d.audit(ctx, due, fanfare.ActionScheduleSkip, fanfare.AuditFailure, more)
}

// stop ends a schedule before its last time.
func (d Due) stop(ctx context.Context, due fanfare.DueSchedule, reason string) error {
	if err := d.Schedules.AdvanceSchedule(ctx, due, nil, reason); err != nil {
		return err
	}
	return d.audit(ctx, due, fanfare.ActionScheduleStop, fanfare.AuditSuccess, map[string]any{"reason": reason})
}

func (d Due) audit(ctx context.Context, due fanfare.DueSchedule, action string, status fanfare.AuditStatus, metadata map[string]any) error {
	metadata["schedule"] = due.ID
	return d.Schedules.Audit(ctx, fanfare.AuditRecord{
		UserID: due.UserID, Action: action, Resource: due.CampaignID, Status: status, Metadata: metadata,
	})
}
