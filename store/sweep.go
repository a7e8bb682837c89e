package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"fanfare"
)

// Reap settles attempts whose lease has expired: their worker is gone, or was
// away for too long and can write nothing any more. It returns the jobs it
// changed, at most limit.
func (s *Store) Reap(ctx context.Context, limit int) ([]fanfare.Job, error) {
	ends, err := encode(map[fanfare.JobStatus]fanfare.JobError{
		fanfare.JobCanceled: fanfare.CanceledError(), fanfare.JobExpired: fanfare.ExpiredError(), fanfare.JobFailed: fanfare.LostError(),
	})
	if err != nil {
		return nil, err
	}
	return transition(ctx, s.hot.reap, "settling lost attempts", limit, ends)
}

// Expire ends jobs that waited past their deadline, at most limit.
func (s *Store) Expire(ctx context.Context, limit int) ([]fanfare.Job, error) {
	return transition(ctx, s.hot.expire, "expiring jobs", limit, jobError(fanfare.ExpiredError()))
}

var relaySQL = `
WITH due AS (
	SELECT id FROM jobs WHERE status IN ('scheduled', 'queued', 'retrying') AND relay_at <= now()
	ORDER BY relay_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE jobs j SET relay_at = now() + make_interval(secs => $2) FROM due WHERE j.id = due.id
RETURNING ` + prefixed("j", jobColumns)

// Uncarried returns waiting jobs that it is time to look after: their task
// should have arrived by now. They are left alone for the time given, at most
// limit of them, by however many relays.
func (s *Store) Uncarried(ctx context.Context, limit int, again time.Duration) ([]fanfare.Job, error) {
	return transition(ctx, s.hot.relay, "looking for jobs that were not carried", limit, seconds(again))
}

// Redispatch gives a waiting job's task a new number, unless somebody has done
// so already or the job waits no longer. It reports whether it did.
func (s *Store) Redispatch(ctx context.Context, job fanfare.Job) (bool, error) {
	result, err := s.q(ctx).ExecContext(ctx, `UPDATE jobs SET dispatch = dispatch + 1
		WHERE id = $1 AND dispatch = $2 AND status IN ('scheduled', 'queued', 'retrying')`, job.ID, job.Dispatch)
	if err != nil {
		return false, wrap(err, "giving a job's task a new number")
	}
	n, err := result.RowsAffected()
	return n == 1, wrap(err, "giving a job's task a new number")
}

// RunNow makes a waiting job due at once and gives its task a new number, unless
// it is not as it was read any more. It reports whether it did.
func (s *Store) RunNow(ctx context.Context, job fanfare.Job) (fanfare.Job, bool, error) {
	var rows []jobRow
	err := s.q(ctx).SelectContext(ctx, &rows, `UPDATE jobs SET run_at = now(), dispatch = dispatch + 1,
			relay_at = now() + `+relayGrace+`, updated_at = now()
		WHERE id = $1 AND dispatch = $2 AND status IN ('scheduled', 'queued', 'retrying')
		RETURNING `+jobColumns, job.ID, job.Dispatch)
	if err != nil || len(rows) == 0 {
		return fanfare.Job{}, false, wrap(err, "letting a job run at once")
	}
	due, err := rows[0].job()
	return due, err == nil, err
}

// Prune makes the audit partitions of the coming months and deletes what has
// had its time: idempotency keys after a day, expired sessions, workers and
// schedulers not heard of for a day, lists of recipients that no campaign has, and what became of
// occurrences a month ago. It deletes in small steps, and what fails does not
// keep the rest from being done.
func (s *Store) Prune(ctx context.Context) error {
	_, err := s.q(ctx).ExecContext(ctx, `SELECT ensure_audit_months(3)`)
	errs := []error{wrap(err, "making audit partitions")}
	for _, rows := range []string{
		`idempotency_keys WHERE created_at < now() - interval '24 hours'`,
		`sessions WHERE expires_at < now()`,
		`workers WHERE seen_at < now() - interval '1 day'`,
		`schedulers WHERE seen_at < now() - interval '1 day'`,
		`schedule_occurrences WHERE created_at < now() - interval '30 days'`,
	} {
		errs = append(errs, s.prune(ctx, rows))
	}
	errs = append(errs, s.pruneRecipients(ctx))
	return errors.Join(errs...)
}

// Rows in one step of pruning. A job takes its events and steps with it, about
// ten rows. A step is a transaction, and streams wait for the oldest.
const (
	pruneBatch    = 1000
	pruneJobBatch = 200
)

func (s *Store) prune(ctx context.Context, rows string) error {
	return s.pruneSteps(ctx, rows, pruneBatch)
}

// pruneSteps rests after each step for as long as that took: a backlog has half
// of the time of one connection, and what it has filled is written out meanwhile.
func (s *Store) pruneSteps(ctx context.Context, rows string, batch int64) error {
	table, _, _ := strings.Cut(rows, " ")
	for {
		started := time.Now()
		result, err := s.q(ctx).ExecContext(ctx, `DELETE FROM `+table+`
			WHERE ctid = ANY (ARRAY(SELECT ctid FROM `+rows+` LIMIT $1))`, batch)
		if err != nil {
			return wrap(err, "pruning "+table)
		}
		if n, err := result.RowsAffected(); err != nil || n < batch {
			return wrap(err, "pruning "+table)
		}
		select {
		case <-time.After(time.Since(started)):
		case <-ctx.Done():
			return wrap(ctx.Err(), "pruning "+table)
		}
	}
}

// WorkersUp reports whether any worker was heard of within the given time.
func (s *Store) WorkersUp(ctx context.Context, within time.Duration) (bool, error) {
	var up bool
	err := s.health.QueryRowContext(ctx, `SELECT EXISTS
		(SELECT 1 FROM workers WHERE seen_at > now() - make_interval(secs => $1))`, seconds(within)).Scan(&up)
	return up, wrap(err, "looking for workers")
}
