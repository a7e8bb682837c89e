package api

import (
	"context"
	"time"

	"fanfare"
)

type scheduleStore interface {
	DatabaseTime(ctx context.Context) (time.Time, error)
	PutSchedule(ctx context.Context, schedule fanfare.Schedule, first fanfare.Occurrence) (fanfare.Schedule, error)
	Schedule(ctx context.Context, userID, campaignID string) (fanfare.Schedule, error)
	DeleteSchedule(ctx context.Context, userID, campaignID string) (fanfare.Schedule, error)
	StopSchedulesWithout(ctx context.Context, userID string, channel fanfare.Channel, reason string) ([]fanfare.Schedule, error)
}

// Timetable works out when schedules are due.
type Timetable interface {
	// Next returns the first n occurrences after an instant, fewer where no
	// more come.
	Next(schedule fanfare.Schedule, after time.Time, n int) ([]fanfare.Occurrence, error)
	// RunAt reads the time of a single run.
	RunAt(text, timezone string) (time.Time, error)
}

// shownRuns is how many of the next runs a schedule shows.
const shownRuns = 5

type putScheduleInput struct {
	IDInput
	Body struct {
		Cron     *string           `json:"cron,omitempty" nullable:"true" example:"0 9 * * MON-FRI" doc:"Minute, hour, day of the month, month, day of the week. Either this or runAt"`
		RunAt    *string           `json:"runAt,omitempty" nullable:"true" example:"2030-12-01T09:00" doc:"Once: what the time zone's clock shows, or RFC 3339 with an offset, which makes the time zone irrelevant"`
		Timezone *string           `json:"timezone,omitempty" nullable:"true" example:"Europe/Berlin" doc:"An IANA name; UTC where it is left out"`
		Channels []fanfare.Channel `json:"channels,omitempty" doc:"Which channels to launch; all of the campaign's where empty"`
		Misfire  *fanfare.Misfire  `json:"misfire,omitempty" enum:"skip,run_once" doc:"What becomes of an occurrence when nothing ran at the time: skip leaves it out, run_once (the default) runs the latest one if it is not more than an hour late"`
	}
}

type scheduleOutput struct{ Body fanfare.Schedule }

func (s *Server) putSchedule(ctx context.Context, in *putScheduleInput) (*scheduleOutput, error) {
	out := &scheduleOutput{}
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		if _, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		now, err := s.Store.DatabaseTime(ctx)
		if err != nil {
			return err
		}
		wanted, err := s.readSchedule(in)
		if err != nil {
			return err
		}
		wanted.CampaignID, wanted.UserID = in.ID, user(ctx).ID
		first, err := s.firstRun(wanted, now)
		if err != nil {
			return err
		}
		if out.Body, err = s.Store.PutSchedule(ctx, wanted, first); err != nil {
			return err
		}
		s.tellRuns(&out.Body, now)
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionScheduleSet, in.ID, map[string]any{
			"schedule": out.Body.ID, "cron": wanted.Cron, "runAt": wanted.RunAt, "timezone": wanted.Timezone, "misfire": wanted.Misfire,
		}))
	})
	return out, err
}

func (s *Server) readSchedule(in *putScheduleInput) (fanfare.Schedule, error) {
	b := in.Body
	wanted := fanfare.Schedule{Cron: b.Cron, Timezone: "UTC", Channels: distinct(b.Channels), Misfire: fanfare.MisfireRunOnce}
	if (b.Cron == nil) == (b.RunAt == nil) {
		return wanted, fanfare.Invalid("cron", "or runAt is required, and not both")
	}
	if b.Timezone != nil {
		wanted.Timezone = *b.Timezone
	}
	if b.Misfire != nil {
		wanted.Misfire = *b.Misfire
	}
	if b.RunAt == nil {
		return wanted, nil
	}
	at, err := s.Timetable.RunAt(*b.RunAt, wanted.Timezone)
	wanted.RunAt = &at
	return wanted, err
}

// firstRun refuses a schedule that never comes due.
func (s *Server) firstRun(wanted fanfare.Schedule, now time.Time) (fanfare.Occurrence, error) {
	runs, err := s.Timetable.Next(wanted, now, 1)
	switch {
	case err != nil:
		return fanfare.Occurrence{}, err
	case len(runs) == 1:
		return runs[0], nil
	case wanted.RunAt != nil:
		return fanfare.Occurrence{}, fanfare.Invalid("runAt", "must be in the future; it is now %s", now.Format(time.RFC3339))
	default:
		return fanfare.Occurrence{}, fanfare.Invalid("cron", "never comes: there is no such day")
	}
}

func (s *Server) getSchedule(ctx context.Context, in *IDInput) (*scheduleOutput, error) {
	schedule, err := s.Store.Schedule(ctx, user(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	now, err := s.Store.DatabaseTime(ctx)
	if err != nil {
		return nil, err
	}
	s.tellRuns(&schedule, now)
	return &scheduleOutput{Body: schedule}, nil
}

func (s *Server) deleteSchedule(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, s.Store.Atomic(ctx, func(ctx context.Context) error {
		deleted, err := s.Store.DeleteSchedule(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionScheduleDelete, in.ID, map[string]any{"schedule": deleted.ID}))
	})
}

// stopOrphans stops schedules that an integration of a type was the last one
// for.
func (s *Server) stopOrphans(ctx context.Context, typ fanfare.Channel) error {
	const reason = "Its integration is gone: none of its channels has one any more. Connect one, then set the schedule again."
	stopped, err := s.Store.StopSchedulesWithout(ctx, user(ctx).ID, typ, reason)
	if err != nil {
		return err
	}
	for _, schedule := range stopped {
		if err := s.auditStop(ctx, schedule, reason); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) auditStop(ctx context.Context, schedule fanfare.Schedule, reason string) error {
	return s.Store.Audit(ctx, audited(ctx, fanfare.ActionScheduleStop, schedule.CampaignID,
		map[string]any{"schedule": schedule.ID, "reason": reason}))
}

// tellRuns fills in a schedule's next runs: none where it is not enabled, and
// none where its time zone is one that this machine does not know any more.
func (s *Server) tellRuns(schedule *fanfare.Schedule, now time.Time) {
	schedule.NextRuns = []time.Time{}
	if !schedule.Enabled {
		return
	}
	runs, _ := s.Timetable.Next(*schedule, now, shownRuns) // the scheduler stops it with the reason
	for _, run := range runs {
		schedule.NextRuns = append(schedule.NextRuns, run.At)
	}
}

// tellCampaignRuns fills in the next runs of those campaigns that have a
// schedule.
func (s *Server) tellCampaignRuns(ctx context.Context, campaigns ...fanfare.Campaign) error {
	var now time.Time
	for _, campaign := range campaigns {
		if campaign.Schedule == nil {
			continue
		}
		if now.IsZero() {
			var err error
			if now, err = s.Store.DatabaseTime(ctx); err != nil {
				return err
			}
		}
		s.tellRuns(campaign.Schedule, now)
	}
	return nil
}
