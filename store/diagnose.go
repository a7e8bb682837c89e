package store

import (
	"context"
	"time"
)

// Diagnosis is what shows in the rows whether all processes do their work.
type Diagnosis struct {
	Waiting    int           // jobs that could run now
	WaitingFor time.Duration // the one of them that was accepted first
	Uncarried  time.Duration // for how long the relay has left a job that it is to look at
	Lost       int           // running jobs whose lease ended a while ago: the reaper takes them within seconds
	Unsealed   time.Duration // the age of the oldest audit record that is not sealed
	Overdue    int           // schedules whose time came more than a minute ago and was not looked after
}

// Diagnose looks at the rows that wait for somebody.
func (s *Store) Diagnose(ctx context.Context) (d Diagnosis, err error) {
	var waiting, uncarried, unsealed float64
	err = s.q(ctx).QueryRowxContext(ctx, `SELECT count(*) FILTER (WHERE due), `+secondsSince(`min(created_at) FILTER (WHERE due)`)+`, `+secondsSince(`min(relay_at)`)+`
		FROM (SELECT created_at, relay_at, run_at IS NULL OR run_at <= now() AS due FROM jobs
			WHERE status IN ('scheduled', 'queued', 'retrying')) w`).Scan(&d.Waiting, &waiting, &uncarried)
	if err != nil {
		return d, wrap(err, "looking at the jobs that wait")
	}
	err = s.q(ctx).QueryRowxContext(ctx, `SELECT
		(SELECT count(*) FROM jobs WHERE status = 'running' AND lease_expires_at < now() - interval '1 minute'),
		(SELECT count(*) FROM schedules WHERE enabled AND next_at < now() - interval '1 minute'),
		(SELECT `+secondsSince(`min(created_at)`)+` FROM (SELECT a.created_at FROM audit_head h, LATERAL (SELECT created_at FROM audit_logs
			WHERE (position, id, created_at) > (h.settled, h.settled_id, h.settled_at) ORDER BY position, id, created_at LIMIT 1) a) oldest)`).
		Scan(&d.Lost, &d.Overdue, &unsealed)
	d.WaitingFor, d.Uncarried, d.Unsealed = duration(waiting), duration(uncarried), duration(unsealed)
	return d, wrap(err, "looking at what waits for the scheduler")
}

// secondsSince is 0 where there is no such time, and before it.
func secondsSince(at string) string {
	return `coalesce(greatest(extract(epoch FROM clock_timestamp() - ` + at + `), 0), 0)::float8`
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

// Failures counts the jobs that failed within a time, by the code of their error.
func (s *Store) Failures(ctx context.Context, within time.Duration) (map[string]int, error) {
	var rows []struct {
		Code  string `db:"code"`
		Count int    `db:"count"`
	}
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT coalesce(error->>'code', '') AS code, count(*) FILTER (WHERE status = 'failed') AS count
		FROM jobs WHERE finished_at > now() - make_interval(secs => $1) GROUP BY 1`, seconds(within))
	failures := map[string]int{}
	for _, row := range rows {
		if row.Count > 0 {
			failures[row.Code] = row.Count
		}
	}
	return failures, wrap(err, "counting the jobs that failed")
}

// KeysInUse names the keys that credentials are sealed under. Each step of it
// finds the next one by the index, however many rows are under one.
func (s *Store) KeysInUse(ctx context.Context) (keyIDs []string, err error) {
	err = s.q(ctx).SelectContext(ctx, &keyIDs, `WITH RECURSIVE used AS (
			(SELECT key_id FROM integrations ORDER BY key_id LIMIT 1)
			UNION ALL
			SELECT (SELECT key_id FROM integrations i WHERE i.key_id > u.key_id ORDER BY i.key_id LIMIT 1) FROM used u WHERE u.key_id IS NOT NULL
		) SELECT key_id FROM used WHERE key_id IS NOT NULL`)
	return keyIDs, wrap(err, "looking at the keys of credentials")
}
