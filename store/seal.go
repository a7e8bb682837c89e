package store

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/lib/pq"

	"fanfare"
)

// headRow is the chain's end and how far the records have been looked at. The
// latter is only ever handed back to the database, so it stays as its text.
type headRow struct {
	Sequence  int64  `db:"sequence"`
	Hash      []byte `db:"hash"`
	Settled   string `db:"settled"`
	SettledID string `db:"settled_id"`
	SettledAt string `db:"settled_at"`
}

const selectHead = `SELECT sequence, hash, settled::text, settled_id::text, settled_at::text FROM audit_head`

// AuditHead returns the last link of the chain; its sequence is 0 while nothing
// is sealed.
func (s *Store) AuditHead(ctx context.Context) (fanfare.AuditLink, error) {
	head, err := s.auditHead(ctx)
	return head.link(), err
}

func (s *Store) auditHead(ctx context.Context) (headRow, error) {
	var head headRow
	err := s.q(ctx).GetContext(ctx, &head, selectHead)
	return head, wrap(err, "reading the head of the audit chain")
}

func (h headRow) link() fanfare.AuditLink {
	return fanfare.AuditLink{Sequence: h.Sequence, Hash: hashOf(h.Hash)}
}

// hashOf makes of what is no hash one that fits to nothing.
func hashOf(raw []byte) (hash fanfare.AuditHash) {
	if len(raw) != len(hash) {
		return fanfare.AuditHash(bytes.Repeat([]byte{0xff}, len(hash)))
	}
	copy(hash[:], raw)
	return hash
}

// SealAudit puts settled records at the end of the chain, looking at up to
// limit of them, and reports whether there may be more. Of any number of
// callers at once one works; for the others there is nothing to do. One that is
// held up meanwhile can't fork the chain: it has lost its lock with its
// transaction, and the head has moved on.
func (s *Store) SealAudit(ctx context.Context, limit int) (sealed int, more bool, err error) {
	err = s.Atomic(ctx, func(ctx context.Context) error {
		// The lock in a statement of its own: the next one sees what its last
		// holder has committed. It is no row lock, since that would take a
		// transaction number at once, and streams wait for the oldest.
		var mine bool
		err := s.q(ctx).GetContext(ctx, &mine, `SELECT pg_try_advisory_xact_lock(hashtext('seal_audit')) FROM (`+byIndex+`) planned`)
		if err != nil || !mine {
			return wrap(err, "locking the audit chain")
		}
		head, err := s.auditHead(ctx)
		if err != nil {
			return err
		}
		sealed, more, err = s.seal(ctx, head, limit)
		return err
	})
	return sealed, more, err
}

// byIndex holds the planner to the indexes for the rest of a transaction that
// walks through the trail in parts. It would guess from statistics that are
// soon old, and one wrong guess would have each part read all of a table. What
// it must do nevertheless has costs that look worth compiling, which they never are.
const byIndex = `SELECT set_config('jit', 'off', true), set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true),
	set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), set_config('enable_sort', 'off', true)`

type settledRow struct {
	auditRow
	Position string `db:"position"`
	At       string `db:"at"`
	Sealed   bool   `db:"sealed"`
}

// seal takes records that are settled: every transaction that could write a
// lower position is over, so nothing can come before them any more. It passes
// by those that are sealed already: positions that were given anew made the
// sealer start over. (For EXISTS PostgreSQL may hash all of the chain.)
func (s *Store) seal(ctx context.Context, head headRow, limit int) (sealed int, more bool, err error) {
	var rows []settledRow
	err = s.q(ctx).SelectContext(ctx, &rows, `SELECT `+auditColumns+`, a.position::text, a.created_at::text AS at,
			(SELECT c.sequence FROM audit_chain c WHERE c.audit_id = a.id AND c.created_at = a.created_at) IS NOT NULL AS sealed
		FROM audit_logs a WHERE (a.position, a.id, a.created_at) > ($1::xid8, $2::uuid, $3::timestamptz)
			AND a.position < pg_snapshot_xmin(pg_current_snapshot())
		ORDER BY a.position, a.id, a.created_at LIMIT $4`,
		head.Settled, head.SettledID, head.SettledAt, limit)
	if err != nil || len(rows) == 0 {
		return 0, false, wrap(err, "reading audit records to seal")
	}
	link := head.link()
	var links []fanfare.AuditLink
	for _, row := range rows {
		if !row.Sealed {
			link = link.After(row.ID, row.CreatedAt, row.entry().Digest())
			links = append(links, link)
		}
	}
	last := rows[len(rows)-1]
	next := headRow{link.Sequence, link.Hash[:], last.Position, last.ID, last.At}
	return len(links), len(rows) == limit, s.append(ctx, head.Sequence, next, links)
}

// append is one statement: its transaction has a number only for as long as
// that takes.
func (s *Store) append(ctx context.Context, from int64, head headRow, links []fanfare.AuditLink) error {
	var ids, times []string
	var digests, hashes [][]byte
	for _, l := range links {
		ids, times = append(ids, l.RecordID), append(times, l.CreatedAt.Format(time.RFC3339Nano))
		digests, hashes = append(digests, l.Digest[:]), append(hashes, l.Hash[:])
	}
	result, err := s.q(ctx).ExecContext(ctx, `WITH head AS (
			UPDATE audit_head SET sequence = $2, hash = $3, settled = $4::xid8, settled_id = $5, settled_at = $6::timestamptz
			WHERE sequence = $1 RETURNING 1
		)
		INSERT INTO audit_chain (sequence, audit_id, created_at, digest, hash)
		SELECT $1 + n, id, created_at, digest, hash FROM head, unnest($7::uuid[], $8::timestamptz[], $9::bytea[], $10::bytea[])
			WITH ORDINALITY AS l(id, created_at, digest, hash, n)`,
		from, head.Sequence, head.Hash, head.Settled, head.SettledID, head.SettledAt,
		pq.Array(ids), pq.Array(times), pq.Array(digests), pq.Array(hashes))
	if err != nil {
		return wrap(err, "appending to the audit chain")
	}
	n, err := result.RowsAffected()
	if err == nil && n != int64(len(links)) {
		err = errors.New("another process has moved its head")
	}
	return wrap(err, "appending to the audit chain")
}
