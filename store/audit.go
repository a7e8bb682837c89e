package store

import (
	"context"

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
