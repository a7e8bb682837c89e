package store

import (
	"context"
	"errors"
	"time"

	"github.com/lib/pq"

	"fanfare"
)

// scheduleRow is a row of schedules as to_jsonb writes it, which is how it
// comes with its campaign, too.
type scheduleRow struct {
	ID             string                 `json:"id"`
	CampaignID     string                 `json:"campaign_id"`
	Cron           *string                `json:"cron"`
	RunAt          *time.Time             `json:"run_at"`
	Timezone       string                 `json:"timezone"`
	Channels       []fanfare.Channel      `json:"channels"`
	Misfire        fanfare.Misfire        `json:"misfire"`
	Enabled        bool                   `json:"enabled"`
	Reason         *string                `json:"reason"`
	NextAt         *time.Time             `json:"next_at"`
	NextLocal      string                 `json:"next_local"`
	LastRun        *time.Time             `json:"last_run"`
	LastOccurrence *fanfare.OccurrenceRun `json:"last_occurrence"`
	CreatedAt      time.Time              `json:"created_at"`
	UpdatedAt      time.Time              `json:"updated_at"`
}

// scheduleColumn is a campaign's schedule in a query of campaigns.
const scheduleColumn = `(SELECT to_jsonb(s) FROM schedules s WHERE s.campaign_id = campaigns.id) AS schedule`

// schedule decodes one; nil for none.
func (d document) schedule(userID string) (*fanfare.Schedule, *scheduleRow, error) {
	if d == nil {
		return nil, nil, nil
	}
	var r scheduleRow
	if err := d.into(&r); err != nil {
		return nil, nil, err
	}
	return &fanfare.Schedule{
		ID: r.ID, CampaignID: r.CampaignID, UserID: userID, Cron: r.Cron, RunAt: utc(r.RunAt), Timezone: r.Timezone,
		Channels: r.Channels, Misfire: r.Misfire, Enabled: r.Enabled, Reason: r.Reason,
		LastRun: utc(r.LastRun), LastOccurrence: r.LastOccurrence,
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}, &r, nil
}

// DatabaseTime is what the database's clock shows, which decides what is due.
func (s *Store) DatabaseTime(ctx context.Context) (time.Time, error) {
	var now time.Time
	err := s.q(ctx).GetContext(ctx, &now, `SELECT now()`)
	return now.UTC(), wrap(err, "asking the database for the time")
}

// PutSchedule gives a campaign a schedule, in place of the one that it has.
// first is its first occurrence. What became of earlier ones stays to be seen.
func (s *Store) PutSchedule(ctx context.Context, sch fanfare.Schedule, first fanfare.Occurrence) (fanfare.Schedule, error) {
	return s.oneSchedule(ctx, sch.UserID, "storing a schedule", `INSERT INTO schedules AS s
		(id, campaign_id, user_id, cron, run_at, timezone, channels, misfire, next_at, next_local)
		SELECT $1, id, user_id, $4, $5, $6, $7, $8, $9, $10 FROM campaigns WHERE id = $2 AND user_id = $3
		ON CONFLICT (campaign_id) DO UPDATE SET id = EXCLUDED.id, cron = EXCLUDED.cron, run_at = EXCLUDED.run_at,
			timezone = EXCLUDED.timezone, channels = EXCLUDED.channels, misfire = EXCLUDED.misfire,
			next_at = EXCLUDED.next_at, next_local = EXCLUDED.next_local,
			enabled = true, reason = NULL, updated_at = now()
		RETURNING to_jsonb(s)`,
		NewID(), sch.CampaignID, sch.UserID, sch.Cron, sch.RunAt, sch.Timezone, textArray(sch.Channels), sch.Misfire, first.At, first.Local)
}

// Schedule returns the schedule of a user's campaign.
func (s *Store) Schedule(ctx context.Context, userID, campaignID string) (fanfare.Schedule, error) {
	return s.oneSchedule(ctx, userID, "reading a schedule", `SELECT to_jsonb(s)
		FROM schedules s JOIN campaigns c ON c.id = s.campaign_id WHERE c.id = $1 AND c.user_id = $2`, campaignID, userID)
}

// DeleteSchedule deletes the schedule of a user's campaign, and returns it.
func (s *Store) DeleteSchedule(ctx context.Context, userID, campaignID string) (fanfare.Schedule, error) {
	return s.oneSchedule(ctx, userID, "deleting a schedule", `DELETE FROM schedules s
		USING campaigns c WHERE c.id = s.campaign_id AND c.id = $1 AND c.user_id = $2 RETURNING to_jsonb(s)`, campaignID, userID)
}

func (s *Store) oneSchedule(ctx context.Context, userID, doing, query string, args ...any) (fanfare.Schedule, error) {
	var row document
	if err := s.q(ctx).GetContext(ctx, &row, query, args...); err != nil {
		return fanfare.Schedule{}, wrap(err, doing)
	}
	found, _, err := row.schedule(userID)
	if err != nil {
		return fanfare.Schedule{}, err
	}
	return *found, nil
}

// Both rows are taken, or neither is waited for: nobody deletes the campaign
// meanwhile, and whoever holds it and wants the schedule is not held up.
const dueScheduleSQL = `SELECT to_jsonb(s) AS schedule, c.user_id, u.disabled_at IS NOT NULL AS disabled, now() AS now
	FROM schedules s JOIN campaigns c ON c.id = s.campaign_id JOIN users u ON u.id = c.user_id
	WHERE s.enabled AND s.next_at <= now() AND NOT s.id = ANY ($1::uuid[])
	ORDER BY s.next_at LIMIT 1 FOR UPDATE OF s, c SKIP LOCKED`

// DueSchedule takes a schedule of which an occurrence has come due, but for
// those with the ids given, and keeps it from others until the transaction
// ends. It returns nil where there is none that nobody else has taken.
func (s *Store) DueSchedule(ctx context.Context, except []string) (*fanfare.DueSchedule, error) {
	var rows []struct {
		Schedule document  `db:"schedule"`
		UserID   string    `db:"user_id"`
		Disabled bool      `db:"disabled"`
		Now      time.Time `db:"now"`
	}
	err := s.q(ctx).SelectContext(ctx, &rows, dueScheduleSQL, pq.Array(append([]string{}, except...)))
	if err != nil || len(rows) == 0 {
		return nil, wrap(err, "looking for a schedule that is due")
	}
	found, row, err := rows[0].Schedule.schedule(rows[0].UserID)
	if err != nil {
		return nil, err
	}
	return &fanfare.DueSchedule{
		Schedule: *found, Due: fanfare.Occurrence{Local: row.NextLocal, At: row.NextAt.UTC()},
		OwnerDisabled: rows[0].Disabled, Now: rows[0].Now.UTC(),
	}, nil
}

// ReserveOccurrence notes that the caller looks after an occurrence, as missed
// until it says otherwise. It reports whether nobody has done so before.
func (s *Store) ReserveOccurrence(ctx context.Context, scheduleID string, o fanfare.Occurrence) (bool, error) {
	result, err := s.q(ctx).ExecContext(ctx, `INSERT INTO schedule_occurrences (schedule_id, local_time, at, outcome)
		VALUES ($1, $2, $3, 'missed') ON CONFLICT ON CONSTRAINT schedule_occurrences_once DO NOTHING`, scheduleID, o.Local, o.At)
	if err != nil {
		return false, wrap(err, "reserving an occurrence")
	}
	n, err := result.RowsAffected()
	return n == 1, wrap(err, "reserving an occurrence")
}

// SettleOccurrence says what became of an occurrence that was reserved.
func (s *Store) SettleOccurrence(ctx context.Context, scheduleID string, run fanfare.OccurrenceRun) error {
	last, err := encode(run)
	if err != nil {
		return err
	}
	_, err = s.q(ctx).ExecContext(ctx, `WITH occurred AS (
			UPDATE schedule_occurrences SET outcome = $3::text, reason = $4, job_id = $5 WHERE schedule_id = $1 AND local_time = $2
		)
		UPDATE schedules SET last_occurrence = $6, updated_at = now(),
			last_run = CASE WHEN $3::text = 'launched' THEN $7::timestamptz ELSE last_run END
		WHERE id = $1`, scheduleID, run.LocalTime, run.Outcome, run.Reason, run.JobID, last, run.At)
	return wrap(err, "settling an occurrence")
}

// ErrScheduleMoved says that somebody else has advanced a schedule meanwhile.
var ErrScheduleMoved = errors.New("the schedule has been advanced by somebody else")

// AdvanceSchedule moves a schedule that DueSchedule returned on to its next
// occurrence, or stops it for a reason where next is nil.
func (s *Store) AdvanceSchedule(ctx context.Context, due fanfare.DueSchedule, next *fanfare.Occurrence, reason string) error {
	var at *time.Time
	var local *string
	if next != nil {
		at, local, reason = &next.At, &next.Local, ""
	}
	result, err := s.q(ctx).ExecContext(ctx, `UPDATE schedules
		SET next_at = $3, next_local = $4, enabled = $3::timestamptz IS NOT NULL, reason = $5, updated_at = now()
		WHERE id = $1 AND next_at = $2`, due.ID, due.Due.At, at, local, nullable(reason))
	if err != nil {
		return wrap(err, "advancing a schedule")
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return errors.Join(ErrScheduleMoved, err)
	}
	return nil
}

// effectiveChannels are those that a schedule's launches go to.
const effectiveChannels = `(CASE WHEN s.channels <> '{}' THEN s.channels ELSE c.channels END)`

// StopSchedulesWithout stops, for a reason, those of a user's schedules whose
// launches go to a channel and have no integration for any of their channels
// any more. It returns them.
func (s *Store) StopSchedulesWithout(ctx context.Context, userID string, channel fanfare.Channel, reason string) ([]fanfare.Schedule, error) {
	var rows []document
	err := s.q(ctx).SelectContext(ctx, &rows, `UPDATE schedules s
		SET enabled = false, next_at = NULL, next_local = NULL, reason = $3, updated_at = now()
		FROM campaigns c
		WHERE c.id = s.campaign_id AND s.user_id = $1 AND s.enabled AND $2 = ANY (`+effectiveChannels+`)
			AND NOT EXISTS (SELECT 1 FROM integrations i WHERE i.user_id = $1 AND i.type = ANY (`+effectiveChannels+`))
		RETURNING to_jsonb(s)`, userID, channel, reason)
	if err != nil {
		return nil, wrap(err, "stopping schedules")
	}
	stopped := make([]fanfare.Schedule, len(rows))
	for i, row := range rows {
		found, _, err := row.schedule(userID)
		if err != nil {
			return nil, err
		}
		stopped[i] = *found
	}
	return stopped, nil
}
