package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"fanfare"
)

type integrationRow struct {
	ID               string                    `db:"id"`
	UserID           string                    `db:"user_id"`
	Name             string                    `db:"name"`
	Type             fanfare.Channel           `db:"type"`
	Status           fanfare.IntegrationStatus `db:"status"`
	LastSync         *time.Time                `db:"last_sync"`
	CredentialFields pq.StringArray            `db:"credential_fields"`
	CreatedAt        time.Time                 `db:"created_at"`
	UpdatedAt        time.Time                 `db:"updated_at"`
}

const integrationColumns = `id, user_id, name, type, status, last_sync, credential_fields, created_at, updated_at`

func (r integrationRow) integration() fanfare.Integration {
	i := fanfare.Integration{
		ID: r.ID, UserID: r.UserID, Name: r.Name, Type: r.Type, Status: r.Status,
		CredentialFields: append([]string{}, r.CredentialFields...), CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	if r.LastSync != nil {
		at := r.LastSync.UTC()
		i.LastSync = &at
	}
	return i
}

// CreateIntegration stores a new integration under the id that its credentials
// were sealed for; fanfare.CodeIntegrationExists if its user has one of the
// same name and type.
func (s *Store) CreateIntegration(ctx context.Context, i fanfare.Integration, sealed fanfare.Sealed) (fanfare.Integration, error) {
	var row integrationRow
	err := s.q(ctx).GetContext(ctx, &row, `INSERT INTO integrations
			(id, user_id, name, type, credential_fields, key_id, credentials)
		VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING `+integrationColumns,
		i.ID, i.UserID, i.Name, i.Type, pq.StringArray(i.CredentialFields), sealed.KeyID, sealed.Box)
	if violates(err, "integrations_once") {
		return fanfare.Integration{}, fanfare.Errorf(fanfare.CodeIntegrationExists,
			"You have connected %s already. Delete that integration to connect it anew.", i.Name)
	}
	return row.integration(), wrap(err, "creating an integration")
}

// Integrations lists a user's integrations, newest first: all, or those of a
// type.
func (s *Store) Integrations(ctx context.Context, userID string, typ fanfare.Channel, page fanfare.Page) ([]fanfare.Integration, error) {
	createdAt, id := before(page)
	var rows []integrationRow
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT `+integrationColumns+` FROM integrations
		WHERE user_id = $1 AND ($2 = '' OR type = $2)
			AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))
		ORDER BY created_at DESC, id DESC LIMIT $5`, userID, typ, createdAt, id, page.Limit)
	if err != nil {
		return nil, wrap(err, "listing integrations")
	}
	integrations := make([]fanfare.Integration, len(rows))
	for i, row := range rows {
		integrations[i] = row.integration()
	}
	return integrations, nil
}

// Integration returns a user's integration.
func (s *Store) Integration(ctx context.Context, userID, id string) (fanfare.Integration, error) {
	var row integrationRow
	err := s.q(ctx).GetContext(ctx, &row,
		`SELECT `+integrationColumns+` FROM integrations WHERE id = $1 AND user_id = $2`, id, userID)
	return row.integration(), wrap(err, "reading an integration")
}

// IntegrationFor returns the integration that serves a channel of a user: the
// newest of that type. fanfare.CodeNotFound if there is none.
func (s *Store) IntegrationFor(ctx context.Context, userID string, typ fanfare.Channel) (fanfare.Integration, error) {
	var row integrationRow
	err := s.q(ctx).GetContext(ctx, &row, `SELECT `+integrationColumns+` FROM integrations
		WHERE user_id = $1 AND type = $2 ORDER BY created_at DESC, id DESC LIMIT 1`, userID, typ)
	return row.integration(), wrap(err, "looking for a channel's integration")
}

// SealedCredentials returns a user's integration with what opens it.
func (s *Store) SealedCredentials(ctx context.Context, userID, id string) (fanfare.Integration, fanfare.Sealed, error) {
	var row struct {
		integrationRow
		KeyID string `db:"key_id"`
		Box   []byte `db:"credentials"`
		Stale bool   `db:"stale"`
	}
	err := s.q(ctx).GetContext(ctx, &row, `SELECT `+integrationColumns+`, key_id, credentials,
			status = 'error' OR coalesce(renew_at <= clock_timestamp(), true) AS stale
		FROM integrations WHERE id = $1 AND user_id = $2`, id, userID)
	return row.integration(), fanfare.Sealed{KeyID: row.KeyID, Box: row.Box, Stale: row.Stale}, wrap(err, "reading credentials")
}

// SetIntegrationStatus stores how a test went; answered says whether the
// provider was there to answer it.
func (s *Store) SetIntegrationStatus(ctx context.Context, userID, id string, status fanfare.IntegrationStatus, answered bool) error {
	result, err := s.q(ctx).ExecContext(ctx, `UPDATE integrations
		SET status = $3, last_sync = CASE WHEN $4 THEN now() ELSE last_sync END, updated_at = now()
		WHERE id = $1 AND user_id = $2`, id, userID, status, answered)
	if err != nil {
		return wrap(err, "storing how a test of an integration went")
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return notFound()
	}
	return nil
}

// DeleteIntegration deletes a user's integration, credentials and all, and
// returns what it was.
func (s *Store) DeleteIntegration(ctx context.Context, userID, id string) (fanfare.Integration, error) {
	var row integrationRow
	err := s.q(ctx).GetContext(ctx, &row,
		`DELETE FROM integrations WHERE id = $1 AND user_id = $2 RETURNING `+integrationColumns, id, userID)
	return row.integration(), wrap(err, "deleting an integration")
}
