package store

import (
	"context"
	"fmt"
	"time"

	"fanfare"
)

// droppedRow is the seal of a dropped month, and what else there is of it.
type droppedRow struct {
	Month        time.Time `db:"month"`
	First        int64     `db:"first_sequence"`
	Last         int64     `db:"last_sequence"`
	PreviousHash []byte    `db:"previous_hash"`
	LastHash     []byte    `db:"last_hash"`
	DroppedAt    time.Time `db:"dropped_at"`
	Told         bool      `db:"told"` // by an audit record
	Link         []byte    `db:"link"` // the hash of its last link, nil once that is pruned
}

// The seal and its audit record are of one transaction, and so of one instant.
const selectDropped = `
	SELECT d.month, d.first_sequence, d.last_sequence, d.previous_hash, d.last_hash, d.dropped_at,
		EXISTS (SELECT 1 FROM audit_logs a WHERE a.resource = to_char(d.month, 'YYYY-MM') AND a.created_at = d.dropped_at AND a.action = $1
			AND a.metadata = jsonb_build_object('records', d.records, 'lastSequence', d.last_sequence, 'lastHash', encode(d.last_hash, 'hex'))) AS told,
		(SELECT c.hash FROM audit_chain c WHERE c.sequence = d.last_sequence) AS link
	FROM audit_dropped_months d ORDER BY d.last_sequence, d.first_sequence` // as they were dropped

// months checks the seals of dropped months and returns the link that the rest
// of the chain stands behind.
func (v *verification) months(ctx context.Context) (fanfare.AuditLink, error) {
	var base fanfare.AuditLink
	var rows []droppedRow
	if err := v.store.q(ctx).SelectContext(ctx, &rows, selectDropped, fanfare.ActionAuditDrop); err != nil {
		return base, wrap(err, "reading the seals of dropped months")
	}
	dropped := map[string]droppedRow{}
	for _, row := range rows {
		dropped[month(row.Month)] = row
	}
	for _, row := range rows {
		v.meet(hashOf(row.PreviousHash))
		if wrong := row.wrong(base, dropped); wrong != "" {
			v.problem(fmt.Sprintf("The seal of the dropped month %s %s.", month(row.Month), wrong))
		}
		base = row.last()
		if row.Month.After(v.report.LastDropped) {
			v.report.LastDropped = row.Month
		}
	}
	v.report.Dropped = len(rows)
	return base, nil
}

func (r droppedRow) last() fanfare.AuditLink {
	return fanfare.AuditLink{Sequence: r.Last, Hash: hashOf(r.LastHash)}
}

// wrong says what is wrong with a seal that should stand behind base; "" for
// nothing. A month without links ends where it began.
func (r droppedRow) wrong(base fanfare.AuditLink, dropped map[string]droppedRow) string {
	switch {
	case r.First != base.Sequence+1 || r.Last < base.Sequence || hashOf(r.PreviousHash) != base.Hash,
		r.Last == base.Sequence && hashOf(r.LastHash) != base.Hash:
		return "does not stand behind the one before it"
	case r.Link != nil && hashOf(r.Link) != hashOf(r.LastHash):
		return "is not the one that the chain has there"
	case r.DroppedAt.Before(r.Month.AddDate(0, 1, 0)):
		return "is older than the month's end: it was forged"
	case !r.Told && !r.toldIn(dropped):
		return "has no audit record of its dropping: it was forged or changed"
	}
	return ""
}

// toldIn reports whether the record of a month's dropping went with a later
// month. That one's seal then covers the month, so that a forged one hides
// nothing that was not dropped anyway; and the last month's own record can't
// have gone with any.
func (r droppedRow) toldIn(dropped map[string]droppedRow) bool {
	later, ok := dropped[month(r.DroppedAt)]
	return ok && later.Month.After(r.Month) && later.Last >= r.Last
}

func month(t time.Time) string { return t.UTC().Format("2006-01") }
