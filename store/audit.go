package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fanfare"
)

// Audit writes a record of who did what. Called inside Atomic it stands or
// falls with the change that it describes.
func (s *Store) Audit(ctx context.Context, r fanfare.AuditRecord) error {
	metadata := document(`{}`)
	if r.Metadata != nil {
		var err error
		if metadata, err = encode(r.Metadata); err != nil {
			return err
		}
	}
	if r.Status == "" {
		r.Status = fanfare.AuditSuccess
	}
	_, err := s.q(ctx).ExecContext(ctx, `INSERT INTO audit_logs
		(user_id, action, resource, metadata, ip_address, user_agent, status) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		nullable(r.UserID), r.Action, nullable(r.Resource), metadata,
		nullable(r.Origin.IPAddress), nullable(r.Origin.UserAgent), r.Status)
	return wrap(err, "writing an audit record")
}

// auditColumns are those of auditRow; what a record says, which is all but its
// position.
const auditColumns = `a.id, a.user_id, a.action, a.resource, a.metadata, a.ip_address, a.user_agent, a.status, a.created_at`

type auditRow struct {
	ID        string              `db:"id"`
	UserID    *string             `db:"user_id"`
	Action    string              `db:"action"`
	Resource  *string             `db:"resource"`
	Metadata  document            `db:"metadata"`
	IPAddress *string             `db:"ip_address"`
	UserAgent *string             `db:"user_agent"`
	Status    fanfare.AuditStatus `db:"status"`
	CreatedAt time.Time           `db:"created_at"`
}

func (r auditRow) entry() fanfare.AuditEntry {
	return fanfare.AuditEntry{
		ID: r.ID, UserID: r.UserID, Action: r.Action, Resource: r.Resource, Metadata: []byte(r.Metadata),
		IPAddress: r.IPAddress, UserAgent: r.UserAgent, Status: r.Status, CreatedAt: r.CreatedAt.UTC(),
	}
}

// Audits lists a user's audit records; userID may be one of fanfare.AuditsOfAny
// and fanfare.AuditsOfNone too.
func (s *Store) Audits(ctx context.Context, userID string, filter fanfare.AuditFilter, page fanfare.Page) ([]fanfare.AuditEntry, error) {
	query, args := auditsQuery(userID, filter, page)
	var rows []auditRow
	if err := s.q(ctx).SelectContext(ctx, &rows, query, args...); err != nil {
		return nil, wrap(err, "listing audit records")
	}
	entries := make([]fanfare.AuditEntry, len(rows))
	for i, row := range rows {
		entries[i] = row.entry()
	}
	return entries, nil
}

// auditsQuery names a status itself and not as an argument, so that the index
// of what was refused serves whatever the plan.
func auditsQuery(userID string, f fanfare.AuditFilter, page fanfare.Page) (string, []any) {
	var conditions []string
	var args []any
	add := func(when bool, condition string, values ...any) {
		if !when {
			return
		}
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(args)), 1)
		}
		conditions = append(conditions, condition)
	}
	order := "a.created_at DESC, a.id DESC"
	switch userID {
	case fanfare.AuditsOfAny:
		conditions = append(conditions, "true")
	case fanfare.AuditsOfNone:
		// To the planner IS NULL is no equality: it would not see that the
		// user's index has these records in order unless user_id is part of it.
		conditions, order = append(conditions, "a.user_id IS NULL"), "a.user_id DESC, "+order
	default:
		add(true, "a.user_id = ?", userID)
	}
	add(f.Action != "", "a.action = ?", f.Action)
	add(f.Resource != "", "a.resource = ?", f.Resource)
	add(f.Status == fanfare.AuditSuccess, "a.status = 'success'")
	add(f.Status == fanfare.AuditFailure, "a.status = 'failure'")
	add(!f.From.IsZero(), "a.created_at >= ?", f.From)
	add(!f.To.IsZero(), "a.created_at <= ?", f.To)
	createdAt, id := before(page)
	add(page.Before != nil, "(a.created_at, a.id) < (?::timestamptz, ?::uuid)", createdAt, id)
	args = append(args, page.Limit)
	return fmt.Sprintf(`SELECT %s FROM audit_logs a WHERE %s ORDER BY %s LIMIT $%d`,
		auditColumns, strings.Join(conditions, " AND "), order, len(args)), args
}
