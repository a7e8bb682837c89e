package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lib/pq"

	"fanfare"
)

type eventRow struct {
	JobID     string    `db:"job_id"`
	Sequence  int64     `db:"sequence"`
	Type      string    `db:"type"`
	Data      document  `db:"data"`
	Position  string    `db:"position"`
	CreatedAt time.Time `db:"created_at"`
}

const eventColumns = `job_id, sequence, type, data, position::text AS position, created_at`

func (r eventRow) event() (fanfare.Event, error) {
	var row jobRow
	if err := json.Unmarshal(r.Data, &row); err != nil {
		return fanfare.Event{}, fmt.Errorf("decoding event %d of job %s: %w", r.Sequence, r.JobID, err)
	}
	job, err := row.job()
	return fanfare.Event{
		JobID: r.JobID, Sequence: r.Sequence, Type: fanfare.EventType(r.Type), Job: job, CreatedAt: r.CreatedAt.UTC(),
	}, err
}

func eventsOf(rows []eventRow) ([]fanfare.Event, error) {
	events := make([]fanfare.Event, len(rows))
	for i, row := range rows {
		event, err := row.event()
		if err != nil {
			return nil, err
		}
		events[i] = event
	}
	return events, nil
}

// Events returns the events of a user's job after a sequence, oldest first.
func (s *Store) Events(ctx context.Context, userID, jobID string, after int64, limit int) ([]fanfare.Event, error) {
	var rows []eventRow
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT `+eventColumns+` FROM job_events
		WHERE job_id = $1 AND user_id = $2 AND sequence > $3 ORDER BY sequence LIMIT $4`, jobID, userID, after, limit)
	if err != nil {
		return nil, wrap(err, "reading a job's events")
	}
	return eventsOf(rows)
}

// Origin names this database, for cursors: transactions are counted by the
// server, a copy of the data elsewhere counts them anew, and one that went back
// to an earlier point in time (which starts a new timeline) counts some again.
func (s *Store) Origin(ctx context.Context) (string, error) {
	var origin string
	err := s.q(ctx).GetContext(ctx, &origin, `SELECT database_server() || '-' || timeline_id || '-' ||
		(SELECT oid FROM pg_database WHERE datname = current_database()) FROM pg_control_checkpoint()`)
	return origin, wrap(err, "asking the database for its name")
}

// Unfinished returns a user's jobs that are not over, and a cursor: the events
// after it, and perhaps some that are in the jobs already, are what comes next.
func (s *Store) Unfinished(ctx context.Context, userID string, limit int) ([]fanfare.Job, fanfare.Cursor, error) {
	cursor := fanfare.Cursor{}
	var err error
	if cursor.Origin, err = s.Origin(ctx); err != nil {
		return nil, cursor, err
	}
	// Asked first: what lies before it is in the jobs that are read after.
	err = s.q(ctx).GetContext(ctx, &cursor.Position, `SELECT pg_snapshot_xmin(pg_current_snapshot())::text`)
	if err != nil {
		return nil, cursor, wrap(err, "asking for the oldest running transaction")
	}
	var rows []jobRow
	err = s.q(ctx).SelectContext(ctx, &rows, `SELECT `+jobColumns+` FROM jobs
		WHERE user_id = $1 AND finished_at IS NULL ORDER BY id DESC LIMIT $2`, userID, limit)
	if err != nil {
		return nil, cursor, wrap(err, "reading a user's unfinished jobs")
	}
	jobs, err := jobsOf(rows)
	return jobs, cursor, err
}

// UserEvents returns events of all of a user's jobs after a cursor, in an order
// in which none can still appear before those returned, and where to go on. It
// stops before the oldest running transaction; behind says that there are
// events beyond that, to be looked for again soon.
func (s *Store) UserEvents(ctx context.Context, userID string, after fanfare.Cursor, limit int) (events []fanfare.Event, next []fanfare.Cursor, behind bool, err error) {
	jobID := after.JobID
	if jobID == "" {
		jobID = "00000000-0000-0000-0000-000000000000"
	}
	var rows []struct {
		eventRow
		Settled bool `db:"settled"`
	}
	err = s.q(ctx).SelectContext(ctx, &rows, `SELECT `+eventColumns+`,
			job_events.position < pg_snapshot_xmin(pg_current_snapshot()) AS settled
		FROM job_events
		WHERE user_id = $1 AND (job_events.position, job_id, sequence) > ($2::xid8, $3::uuid, $4)
		ORDER BY job_events.position, job_id, sequence LIMIT $5`,
		userID, after.Position, jobID, after.Sequence, limit)
	if err != nil {
		return nil, nil, false, wrap(err, "reading a user's events")
	}
	for _, row := range rows {
		if !row.Settled {
			return events, next, true, nil
		}
		event, err := row.event()
		if err != nil {
			return nil, nil, false, err
		}
		events = append(events, event)
		next = append(next, fanfare.Cursor{
			Origin: after.Origin, Position: row.Position, JobID: row.JobID, Sequence: row.Sequence,
		})
	}
	return events, next, false, nil
}

// Versions tells how far jobs and users are: the sequence of a job's latest
// event, the position of a user's. Ids that are gone are left out.
func (s *Store) Versions(ctx context.Context, jobIDs, userIDs []string) (map[string]string, error) {
	var rows []struct{ ID, Version string }
	err := s.q(ctx).SelectContext(ctx, &rows, `
		SELECT id::text, sequence::text AS version FROM jobs WHERE id = ANY($1::uuid[])
		UNION ALL
		SELECT u::text, position::text FROM unnest($2::uuid[]) AS u
		CROSS JOIN LATERAL (SELECT position FROM job_events WHERE user_id = u ORDER BY position DESC LIMIT 1) latest`,
		pq.Array(jobIDs), pq.Array(userIDs))
	if err != nil {
		return nil, wrap(err, "looking how far jobs are")
	}
	versions := make(map[string]string, len(rows))
	for _, row := range rows {
		versions[row.ID] = row.Version
	}
	return versions, nil
}

// LiveCredentials returns those of the sessions and API keys that still let
// their user in.
func (s *Store) LiveCredentials(ctx context.Context, sessionIDs, keyIDs []string) (map[string]bool, error) {
	var ids []string
	err := s.q(ctx).SelectContext(ctx, &ids, `
		SELECT s.id::text FROM sessions s JOIN users u ON u.id = s.user_id
		WHERE s.id = ANY($1::uuid[]) AND s.expires_at > now() AND u.disabled_at IS NULL
		UNION ALL
		SELECT k.id::text FROM api_keys k JOIN users u ON u.id = k.user_id
		WHERE k.id = ANY($2::uuid[]) AND u.disabled_at IS NULL`, pq.Array(sessionIDs), pq.Array(keyIDs))
	if err != nil {
		return nil, wrap(err, "looking which credentials still hold")
	}
	live := make(map[string]bool, len(ids))
	for _, id := range ids {
		live[id] = true
	}
	return live, nil
}
