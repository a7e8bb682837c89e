package store

import (
	"context"
	"database/sql"

	"fanfare"
)

// Where Backlog stops to count, so that asking costs the same in the worst of
// times, when the answer matters most: 5,000 waiting jobs that lie far apart on a
// slow disk take 150 ms, four times as many took longer than healthLimit.
const (
	backlogJobs = 5_000
	backlogRest = 1000
)

// backlogSQL reads each part by the index of those who work it off. A job that
// waits for its next attempt could run from run_at on.
var backlogSQL = `
WITH waiting AS (
	SELECT queue, count(*) AS waiting, min(coalesce(run_at, created_at)) AS since
	FROM (SELECT queue, run_at, created_at FROM jobs WHERE status IN ('scheduled', 'queued', 'retrying')
		ORDER BY relay_at LIMIT $1) j
	GROUP BY queue
), running AS (
	SELECT queue, count(*) AS running
	FROM (SELECT queue FROM jobs WHERE status = 'running' ORDER BY lease_expires_at LIMIT $1) j
	GROUP BY queue
), unsealed AS (
	SELECT count(*) AS unsealed, min(created_at) AS since
	FROM (SELECT created_at FROM audit_logs a
		WHERE (a.position, a.id, a.created_at) > (SELECT settled, settled_id, settled_at FROM audit_head)
		ORDER BY a.position, a.id, a.created_at LIMIT $2) a
), overdue AS (
	SELECT count(*) AS overdue, min(next_at) AS since
	FROM (SELECT next_at FROM schedules WHERE enabled AND next_at <= now() ORDER BY next_at LIMIT $2) s
)
SELECT (SELECT coalesce(jsonb_agg(jsonb_build_object('queue', queue, 'waiting', coalesce(waiting, 0),
			'running', coalesce(running, 0), 'oldest', ` + nanoseconds("since") + `) ORDER BY queue), '[]')
		FROM waiting FULL JOIN running USING (queue)),
	(SELECT ` + nanoseconds("min(relay_at)") + ` FROM (SELECT relay_at FROM jobs
		WHERE status IN ('scheduled', 'queued', 'retrying') ORDER BY relay_at LIMIT 1) j),
	unsealed, ` + nanoseconds("unsealed.since") + `, overdue, ` + nanoseconds("overdue.since") + `,
	(SELECT count(*) FROM workers WHERE seen_at > now() - interval '30 seconds')
FROM unsealed, overdue`

// nanoseconds is how long ago a time was, as a time.Duration has it; 0 for one
// to come and for none.
func nanoseconds(since string) string {
	return `(greatest(coalesce(extract(epoch FROM now() - ` + since + `), 0), 0) * 1000000000)::bigint`
}

// Backlog tells what waits. Of jobs it counts up to 5,000 that wait and as many
// that run, and up to 1,000 records and schedules. It uses the connections of
// Ping, and gives up as soon.
func (s *Store) Backlog(ctx context.Context) (fanfare.Backlog, error) {
	ctx, cancel := context.WithTimeout(ctx, healthLimit)
	defer cancel()
	var b fanfare.Backlog
	var queues document
	err := s.health.QueryRowContext(ctx, backlogSQL, backlogJobs, backlogRest).Scan(
		&queues, (*int64)(&b.RelayLag), &b.Unsealed, (*int64)(&b.UnsealedAge), &b.Overdue, (*int64)(&b.OverdueBy), &b.Workers)
	if err != nil {
		return fanfare.Backlog{}, wrap(err, "looking at what waits")
	}
	return b, queues.into(&b.Queues)
}

// Pool tells how the connections stand that everything but Ping and the backlog
// uses. It asks no server.
func (s *Store) Pool() sql.DBStats { return s.db.Stats() }
