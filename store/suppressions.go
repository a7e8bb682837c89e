package store

import (
	"context"

	"fanfare"
)

// SuppressRecipient keeps everything that a user sends from going to an
// address, in the form that fanfare.ParseRecipient gives it. It reports whether
// that is new. A user who is gone sends nothing.
func (s *Store) SuppressRecipient(ctx context.Context, userID string, channel fanfare.Channel, address, reason string) (bool, error) {
	result, err := s.q(ctx).ExecContext(ctx, `INSERT INTO suppressions (user_id, channel, address, reason)
		SELECT id, $2, $3, $4 FROM users WHERE id = $1 ON CONFLICT DO NOTHING`, userID, channel, address, reason)
	if err != nil {
		return false, wrap(err, "suppressing a recipient")
	}
	n, err := result.RowsAffected()
	return n == 1, wrap(err, "suppressing a recipient")
}

// Suppressed reports whether nothing that a user sends may go to an address.
func (s *Store) Suppressed(ctx context.Context, userID string, channel fanfare.Channel, address string) (bool, error) {
	var suppressed bool
	err := s.q(ctx).GetContext(ctx, &suppressed, `SELECT EXISTS
		(SELECT 1 FROM suppressions WHERE user_id = $1 AND channel = $2 AND address = $3)`, userID, channel, address)
	return suppressed, wrap(err, "looking for a suppressed recipient")
}
