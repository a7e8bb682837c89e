package store

import (
	"context"

	"fanfare"
)

// SealedIntegration is an integration's credentials with whom they are of.
type SealedIntegration struct {
	ID, UserID string
	Sealed     fanfare.Sealed
}

// SealedNotUnder returns the next page of credentials that are sealed under
// another key than keyID, of all users, after the one given; nil for the first
// page. Both halves follow the index integrations_keys and leave out what is
// under keyID already, however much that is.
func (s *Store) SealedNotUnder(ctx context.Context, keyID string, after *SealedIntegration, limit int) ([]SealedIntegration, error) {
	var afterKey, afterID *string
	if after != nil {
		afterKey, afterID = &after.Sealed.KeyID, &after.ID
	}
	half := func(side string) string {
		return `(SELECT id, user_id, key_id, credentials FROM integrations
			WHERE key_id ` + side + ` $1 AND ($2::text IS NULL OR (key_id, id) > ($2, $3::uuid))
			ORDER BY key_id, id LIMIT $4)`
	}
	var rows []struct {
		ID     string `db:"id"`
		UserID string `db:"user_id"`
		KeyID  string `db:"key_id"`
		Box    []byte `db:"credentials"`
	}
	err := s.q(ctx).SelectContext(ctx, &rows, half("<")+` UNION ALL `+half(">")+` ORDER BY key_id, id LIMIT $4`,
		keyID, afterKey, afterID, limit)
	if err != nil {
		return nil, wrap(err, "listing credentials under earlier keys")
	}
	sealed := make([]SealedIntegration, len(rows))
	for i, row := range rows {
		sealed[i] = SealedIntegration{ID: row.ID, UserID: row.UserID, Sealed: fanfare.Sealed{KeyID: row.KeyID, Box: row.Box}}
	}
	return sealed, nil
}

// Reseal puts an integration's credentials under another key. It writes only
// over the very credentials that were read, and reports whether it did: what
// somebody else changed or deleted meanwhile stays as they left it.
func (s *Store) Reseal(ctx context.Context, id string, old, renewed fanfare.Sealed) (bool, error) {
	result, err := s.q(ctx).ExecContext(ctx, `UPDATE integrations SET key_id = $4, credentials = $5
		WHERE id = $1 AND key_id = $2 AND credentials = $3`, id, old.KeyID, old.Box, renewed.KeyID, renewed.Box)
	if err != nil {
		return false, wrap(err, "storing credentials under another key")
	}
	n, err := result.RowsAffected()
	return n == 1, wrap(err, "storing credentials under another key")
}
