package store

import (
	"context"
	"time"

	"fanfare"
)

// BeginRenewal lets one process renew the access token among an integration's
// credentials, for the given time at most. It reports whether the caller may:
// not if somebody else is at it, or has changed the very credentials that were
// read.
func (s *Store) BeginRenewal(ctx context.Context, id string, old fanfare.Sealed, within time.Duration) (bool, error) {
	return s.renew(ctx, "beginning to renew an access token", `UPDATE integrations
		SET renewing_until = clock_timestamp() + make_interval(secs => $4)
		WHERE id = $1 AND key_id = $2 AND credentials = $3 AND coalesce(renewing_until <= clock_timestamp(), true)`,
		id, old.KeyID, old.Box, within.Seconds())
}

// KeepRenewal stores what a renewal brought, to be renewed again after the given
// time. Like FailRenewal it writes only over the very credentials that were
// renewed, and reports whether it did. What was in error has to be tested anew.
func (s *Store) KeepRenewal(ctx context.Context, id string, old, renewed fanfare.Sealed, after time.Duration) (bool, error) {
	return s.renew(ctx, "keeping a renewed access token", `UPDATE integrations
		SET key_id = $4, credentials = $5, renew_at = clock_timestamp() + make_interval(secs => $6), renewing_until = NULL,
			status = CASE status WHEN 'error' THEN 'disconnected' ELSE status END, updated_at = now()
		WHERE id = $1 AND key_id = $2 AND credentials = $3`,
		id, old.KeyID, old.Box, renewed.KeyID, renewed.Box, after.Seconds())
}

// FailRenewal lets others try. With final, the integration is in error from now
// on, until it is connected anew.
func (s *Store) FailRenewal(ctx context.Context, id string, old fanfare.Sealed, final bool) (bool, error) {
	return s.renew(ctx, "giving up renewing an access token", `UPDATE integrations
		SET renewing_until = NULL, status = CASE WHEN $4 THEN 'error' ELSE status END,
			last_sync = CASE WHEN $4 THEN now() ELSE last_sync END, updated_at = now()
		WHERE id = $1 AND key_id = $2 AND credentials = $3`,
		id, old.KeyID, old.Box, final)
}

func (s *Store) renew(ctx context.Context, what, statement string, args ...any) (bool, error) {
	result, err := s.q(ctx).ExecContext(ctx, statement, args...)
	if err != nil {
		return false, wrap(err, what)
	}
	n, err := result.RowsAffected()
	return n == 1, wrap(err, what)
}
