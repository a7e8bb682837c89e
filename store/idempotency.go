package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"strings"

	"fanfare"
)

// Replay returns what the request with this key was answered with in the last
// 24 hours, nil if there was none: then the caller does it and calls
// SaveResponse in the same transaction. Meanwhile another with the same key is
// refused at once: it does not wait on a lock.
func (s *Store) Replay(ctx context.Context, key fanfare.IdempotencyKey) (*fanfare.StoredResponse, error) {
	var mine bool
	name := strings.Join([]string{key.UserID, key.Method, key.Path, key.Key}, "\x1f")
	if err := s.q(ctx).GetContext(ctx, &mine, `SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0))`, name); err != nil {
		return nil, wrap(err, "reserving an idempotency key")
	}
	if !mine {
		return nil, fanfare.Errorf(fanfare.CodeIdempotencyInFlight,
			"The first request with this Idempotency-Key is still being answered. Ask again in a moment.")
	}
	var found struct {
		Status     int      `db:"status"`
		Location   string   `db:"location"`
		Response   document `db:"response"`
		BodyDigest []byte   `db:"body_digest"`
	}
	err := s.q(ctx).GetContext(ctx, &found, `SELECT status, location, response, body_digest FROM idempotency_keys
		WHERE user_id = $1 AND method = $2 AND path = $3 AND key = $4 AND created_at > now() - interval '24 hours'`,
		key.UserID, key.Method, key.Path, key.Key)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, wrap(err, "reading an idempotency key")
	case !bytes.Equal(found.BodyDigest, key.BodyDigest):
		return nil, fanfare.Errorf(fanfare.CodeIdempotencyMismatch,
			"This Idempotency-Key was used with another body. Use a new key for a new request.")
	}
	return &fanfare.StoredResponse{Status: found.Status, Location: found.Location, Body: []byte(found.Response)}, nil
}

// SaveResponse keeps what a request was answered with.
func (s *Store) SaveResponse(ctx context.Context, key fanfare.IdempotencyKey, response fanfare.StoredResponse) error {
	_, err := s.q(ctx).ExecContext(ctx, `INSERT INTO idempotency_keys
			(user_id, method, path, key, body_digest, status, location, response) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (user_id, method, path, key) DO UPDATE SET body_digest = excluded.body_digest,
			status = excluded.status, location = excluded.location, response = excluded.response, created_at = now()`,
		key.UserID, key.Method, key.Path, key.Key, key.BodyDigest, response.Status, response.Location, document(response.Body))
	return wrap(err, "keeping an idempotency key")
}
