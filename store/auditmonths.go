package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"fanfare"
)

// errUnsealed keeps a month from being dropped.
var errUnsealed = errors.New("not all of its records are sealed: see fanfare audit verify")

// DropAuditMonths drops the audit records of whole months that ended longer
// ago than keep, the oldest first, and keeps the seal of each. A month with a
// record that is not sealed stays, and so do those after it. Any number of
// processes may call it at once.
func (s *Store) DropAuditMonths(ctx context.Context, keep time.Duration) error {
	for {
		start, err := s.oldestMonth(ctx, keep)
		if errors.Is(err, sql.ErrNoRows) {
			return s.pruneChain(ctx)
		}
		if err != nil {
			return wrap(err, "looking for months of audit records that have had their time")
		}
		if err := s.dropAuditMonth(ctx, start); err != nil {
			return fmt.Errorf("dropping the audit records of %s: %w", month(start), err)
		}
	}
}

// oldestMonth returns the first instant of a month to drop; sql.ErrNoRows if
// there is none. Records that came late for a month that was dropped already
// lie in the rest, and stay there to be seen.
func (s *Store) oldestMonth(ctx context.Context, keep time.Duration) (start time.Time, err error) {
	err = s.q(ctx).GetContext(ctx, &start, `SELECT start AT TIME ZONE 'UTC' FROM (
			SELECT to_date(right(c.relname, 7), 'YYYY_MM')::timestamp AS start
			FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
			WHERE i.inhparent = 'audit_logs'::regclass AND c.relname ~ '^audit_logs_\d{4}_\d\d$'
			UNION SELECT date_trunc('month', created_at AT TIME ZONE 'UTC') FROM audit_logs_rest
		) months
		WHERE (start + interval '1 month') AT TIME ZONE 'UTC' <= now() - make_interval(secs => $1)
			AND NOT EXISTS (SELECT 1 FROM audit_dropped_months d WHERE d.month = start::date)
		ORDER BY start LIMIT 1`, seconds(keep))
	return start.UTC(), err
}

// dropAuditMonth looks at the month's records and links in steps, and then
// changes everything in one short transaction.
func (s *Store) dropAuditMonth(ctx context.Context, start time.Time) error {
	end := start.AddDate(0, 1, 0)
	var records int64
	var base, last fanfare.AuditLink
	err := s.Atomic(ctx, func(ctx context.Context) (err error) {
		if _, err = s.q(ctx).ExecContext(ctx, byIndex); err != nil {
			return wrap(err, "beginning to look at it")
		}
		if records, err = s.sealedRecords(ctx, start, end); err != nil {
			return err
		}
		if base, err = s.droppedUpTo(ctx); err != nil {
			return err
		}
		last, err = s.lastBefore(ctx, base, end)
		return err
	})
	if err != nil {
		return err
	}
	return s.Atomic(ctx, func(ctx context.Context) error {
		result, err := s.q(ctx).ExecContext(ctx, `INSERT INTO audit_dropped_months
				(month, records, first_sequence, last_sequence, previous_hash, last_hash) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT DO NOTHING`, start.Format(time.DateOnly), records, base.Sequence+1, last.Sequence, base.Hash[:], last.Hash[:])
		if err != nil {
			return wrap(err, "keeping its seal")
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return wrap(err, "keeping its seal") // somebody else was first
		}
		if err := s.Audit(ctx, fanfare.AuditRecord{Action: fanfare.ActionAuditDrop, Resource: month(start), Metadata: map[string]any{
			"records": records, "lastSequence": last.Sequence, "lastHash": last.Hash.String(),
		}}); err != nil {
			return err
		}
		return s.dropPartition(ctx, start, end)
	})
}

// dropPartition needs a lock that every writer of audit records would queue
// behind, so it gives up soon: the next call tries again. (DETACH CONCURRENTLY
// is not for tables with a default partition.) PostgreSQL deletes the file
// after the locks are gone.
func (s *Store) dropPartition(ctx context.Context, start, end time.Time) error {
	for _, statement := range []string{
		`SET LOCAL lock_timeout = '300ms'`,
		`DROP TABLE IF EXISTS audit_logs_` + start.Format("2006_01"),
	} {
		if _, err := s.q(ctx).ExecContext(ctx, statement); err != nil {
			return wrap(err, "dropping the partition")
		}
	}
	_, err := s.q(ctx).ExecContext(ctx, `DELETE FROM audit_logs_rest WHERE created_at >= $1 AND created_at < $2`, start, end)
	return wrap(err, "deleting from the rest")
}

// sealedRecords counts the records of a month; errUnsealed if one has no seal.
func (s *Store) sealedRecords(ctx context.Context, start, end time.Time) (int64, error) {
	var all int64
	from := firstKey
	for {
		var part struct {
			recordKey
			Records int64 `db:"records"`
			Sealed  int64 `db:"sealed"`
		}
		err := s.q(ctx).GetContext(ctx, &part, `WITH part AS (
				SELECT id, created_at FROM audit_logs
				WHERE created_at >= $1 AND created_at < $2 AND (created_at, id) > ($4::timestamptz, $3::uuid)
				ORDER BY created_at, id LIMIT $5
			), keys AS (SELECT id, created_at FROM part ORDER BY created_at DESC, id DESC LIMIT 1)
			SELECT count(*) AS records, count(c.sequence) AS sealed,
				coalesce((SELECT id::text FROM keys), '') AS id, coalesce((SELECT created_at::text FROM keys), '') AS at
			FROM part p LEFT JOIN audit_chain c ON c.audit_id = p.id AND c.created_at = p.created_at`,
			start, end, from.ID, from.At, verifyBatch)
		if err != nil {
			return 0, wrap(err, "counting its records")
		}
		if part.Sealed < part.Records {
			return 0, errUnsealed
		}
		if part.Records == 0 {
			return all, nil
		}
		all, from = all+part.Records, part.recordKey
	}
}

// droppedUpTo is the link that what is left of the chain stands behind.
func (s *Store) droppedUpTo(ctx context.Context) (fanfare.AuditLink, error) {
	var head headRow
	err := s.q(ctx).GetContext(ctx, &head, `SELECT last_sequence AS sequence, last_hash AS hash
		FROM audit_dropped_months ORDER BY last_sequence DESC, month DESC LIMIT 1`)
	if errors.Is(err, sql.ErrNoRows) {
		return fanfare.AuditLink{}, nil
	}
	return head.link(), wrap(err, "reading the seals of dropped months")
}

// lastBefore returns the link before the first one after base whose record is
// of a later month. Links are not quite in the order of their records' times,
// so a few of the month's own may come behind it: they stay until the next
// month goes, and need no record till then.
func (s *Store) lastBefore(ctx context.Context, base fanfare.AuditLink, end time.Time) (fanfare.AuditLink, error) {
	last := base
	for {
		var rows []struct {
			Sequence int64  `db:"sequence"`
			Hash     []byte `db:"hash"`
			Later    bool   `db:"later"`
		}
		err := s.q(ctx).SelectContext(ctx, &rows, `SELECT sequence, hash, created_at >= $2 AS later
			FROM audit_chain WHERE sequence > $1 ORDER BY sequence LIMIT $3`, last.Sequence, end, verifyBatch)
		if err != nil || len(rows) == 0 {
			return last, wrap(err, "reading its part of the chain")
		}
		for _, row := range rows {
			if row.Later {
				return last, nil
			}
			last = fanfare.AuditLink{Sequence: row.Sequence, Hash: hashOf(row.Hash)}
		}
	}
}

// pruneChain deletes the links that went with dropped months.
func (s *Store) pruneChain(ctx context.Context) error {
	base, err := s.droppedUpTo(ctx)
	if err != nil || base.Sequence == 0 {
		return err
	}
	return s.prune(ctx, fmt.Sprintf("audit_chain WHERE sequence <= %d", base.Sequence))
}
