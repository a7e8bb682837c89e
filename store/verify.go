package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"fanfare"
)

// verifyBatch bounds the memory that a look at the audit trail needs.
const verifyBatch = 2000

// VerifyAudit checks all of the audit trail: that the chain holds, that each
// link's record is there and unchanged, and that no record is without a link
// for longer than a minute. A noted head, nil for none, must be in the chain
// too. It looks at one snapshot, whatever is written and dropped meanwhile.
func (s *Store) VerifyAudit(ctx context.Context, noted *fanfare.AuditHash) (fanfare.AuditReport, error) {
	tx, err := s.db.BeginTxx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return fanfare.AuditReport{}, wrap(err, "beginning to check the audit trail")
	}
	defer func() { _ = tx.Rollback() }() // it has written nothing
	return s.verify(context.WithValue(ctx, txKey{}, tx), noted)
}

func (s *Store) verify(ctx context.Context, noted *fanfare.AuditHash) (fanfare.AuditReport, error) {
	v := &verification{store: s, noted: noted}
	err := v.run(ctx)
	return v.report, err
}

type verification struct {
	store  *Store
	report fanfare.AuditReport
	noted  *fanfare.AuditHash
	met    bool // the noted head
}

func (v *verification) run(ctx context.Context) error {
	if _, err := v.store.q(ctx).ExecContext(ctx, byIndex); err != nil {
		return wrap(err, "beginning to check the audit trail")
	}
	base, err := v.months(ctx)
	if err != nil {
		return err
	}
	head, err := v.head(ctx)
	if err != nil {
		return err
	}
	v.meet(base.Hash)
	if err := v.chain(ctx, base, head); err != nil {
		return err
	}
	if err := v.unsealed(ctx); err != nil {
		return err
	}
	if v.noted != nil && !v.met && len(v.report.Problems) == 0 {
		v.problem(fmt.Sprintf("The head %s is not in the chain: the chain was made anew since it was noted, or it is of a month that was dropped.", v.noted))
	}
	return nil
}

func (v *verification) head(ctx context.Context) (fanfare.AuditLink, error) {
	head, err := v.store.auditHead(ctx)
	switch {
	case fanfare.ErrorCode(err) == fanfare.CodeNotFound:
		v.problem("The head of the chain is missing.")
	case err != nil:
		return fanfare.AuditLink{}, err
	case head.Sequence == 0 && head.Settled != "0":
		v.problem("The head of the chain says that records were looked at and that none is sealed: it was set back.")
	}
	v.report.Head = head.link()
	return v.report.Head, nil
}

func (v *verification) problem(sentence string) {
	v.report.Problems = append(v.report.Problems, sentence)
}

func (v *verification) meet(hash fanfare.AuditHash) {
	v.met = v.met || v.noted != nil && hash == *v.noted
}

func (v *verification) chain(ctx context.Context, base, head fanfare.AuditLink) error {
	check := fanfare.AuditCheck{Previous: base}
	if v.report.Dropped > 0 {
		check.DroppedUntil = v.report.LastDropped.AddDate(0, 1, 0)
	}
	for more := true; more; {
		rows, err := v.links(ctx, check.Previous.Sequence)
		if err != nil {
			return err
		}
		more = len(rows) == verifyBatch
		for _, row := range rows {
			v.meet(hashOf(row.Hash))
			if !check.Add(row.link(), row.record()) {
				more = false
				break
			}
		}
	}
	check.End(head)
	if broken := check.Broken(); broken != nil {
		v.problem(broken.String())
	}
	v.report.Records, v.report.First, v.report.Last = check.Records, check.First, check.Last
	return nil
}

// linkRow is a link with its record, whose id and time are the link's.
type linkRow struct {
	auditRow
	Sequence int64  `db:"sequence"`
	Digest   []byte `db:"digest"`
	Hash     []byte `db:"hash"`
	There    bool   `db:"there"` // whether there is such a record
}

func (r linkRow) link() fanfare.AuditLink {
	return fanfare.AuditLink{Sequence: r.Sequence, RecordID: r.ID, CreatedAt: r.CreatedAt, Digest: hashOf(r.Digest), Hash: hashOf(r.Hash)}
}

func (r linkRow) record() *fanfare.AuditEntry {
	if !r.There {
		return nil
	}
	entry := r.entry()
	return &entry
}

func (v *verification) links(ctx context.Context, after int64) ([]linkRow, error) {
	var rows []linkRow
	err := v.store.q(ctx).SelectContext(ctx, &rows, `
		SELECT c.sequence, c.digest, c.hash, c.audit_id AS id, c.created_at, a.id IS NOT NULL AS there,
			a.user_id, coalesce(a.action, '') AS action, a.resource, a.metadata, a.ip_address, a.user_agent,
			coalesce(a.status, '') AS status
		FROM (SELECT * FROM audit_chain WHERE sequence > $1 ORDER BY sequence LIMIT $2) c
		LEFT JOIN audit_logs a ON a.id = c.audit_id AND a.created_at = c.created_at
		ORDER BY c.sequence`, after, verifyBatch)
	return rows, wrap(err, "reading the audit chain")
}

type unsealedRow struct {
	ID        string    `db:"id"`
	CreatedAt time.Time `db:"created_at"`
	Passed    bool      `db:"passed"` // the sealer has looked at all that could stand here
	Young     bool      `db:"young"`
}

// selectUnsealed looks at records in the order of the primary key, from after
// ($1, $2) up to and with ($3, $4), which sealed ones are not.
const selectUnsealed = `
	SELECT a.id, a.created_at, (a.position, a.id, a.created_at) <= (h.settled, h.settled_id, h.settled_at) AS passed,
		abs(extract(epoch FROM now() - a.created_at)) <= $5 AS young
	FROM audit_logs a, audit_head h
	WHERE (a.created_at, a.id) > ($2::timestamptz, $1::uuid) AND (a.created_at, a.id) <= ($4::timestamptz, $3::uuid)
		AND NOT EXISTS (SELECT 1 FROM audit_chain c WHERE c.audit_id = a.id AND c.created_at = a.created_at)`

// unsealed finds records that are in no link. One of the last minute that the
// sealer has not come to is as it should be.
func (v *verification) unsealed(ctx context.Context) error {
	var first *unsealedRow
	wrong := 0
	err := v.store.eachPart(ctx, func(from, to recordKey) error {
		var rows []unsealedRow
		err := v.store.q(ctx).SelectContext(ctx, &rows, selectUnsealed, from.ID, from.At, to.ID, to.At, fanfare.AuditPatience.Seconds())
		for _, row := range rows {
			if row.Young && !row.Passed {
				v.report.Waiting++
				continue
			}
			wrong++
			if first == nil || row.CreatedAt.Before(first.CreatedAt) {
				first = &row
			}
		}
		return wrap(err, "looking for unsealed audit records")
	})
	if first != nil {
		v.problem(first.sentence(wrong))
	}
	return err
}

func (r unsealedRow) sentence(all int) string {
	record := fmt.Sprintf("record %s of %s", r.ID, fanfare.AuditTime(r.CreatedAt))
	if all > 1 {
		record = fmt.Sprintf("%s, and %d more,", record, all-1)
	}
	if r.Passed {
		return fmt.Sprintf("The %s was inserted where all records had been sealed already.", record)
	}
	return fmt.Sprintf("The %s waits for its seal for more than a minute: no scheduler runs, a transaction stays open, or it was inserted with another time.", record)
}

// recordKey is a place in the order of the records' primary key.
type recordKey struct {
	ID string `db:"id"`
	At string `db:"at"`
}

// firstKey is before all records.
var firstKey = recordKey{ID: "00000000-0000-0000-0000-000000000000", At: "-infinity"}

// eachPart cuts all audit records into parts of bounded size.
func (s *Store) eachPart(ctx context.Context, do func(from, to recordKey) error) error {
	from := firstKey
	for {
		var to recordKey
		err := s.q(ctx).GetContext(ctx, &to, `SELECT id, created_at::text AS at FROM (
				SELECT id, created_at FROM audit_logs WHERE (created_at, id) > ($2::timestamptz, $1::uuid)
				ORDER BY created_at, id LIMIT $3
			) part ORDER BY part.created_at DESC, id DESC LIMIT 1`, from.ID, from.At, verifyBatch)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return wrap(err, "walking through the audit records")
		}
		if err := do(from, to); err != nil {
			return err
		}
		from = to
	}
}
