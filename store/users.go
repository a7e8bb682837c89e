package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"fanfare"
)

type userRow struct {
	ID           string       `db:"id"`
	Name         string       `db:"name"`
	Email        string       `db:"email"`
	PasswordHash string       `db:"password_hash"`
	Role         fanfare.Role `db:"role"`
	Disabled     bool         `db:"disabled"`
	CreatedAt    time.Time    `db:"created_at"`
	BrandVersion int64        `db:"brand_version"`
}

const userColumns = `users.id, users.name, users.email, users.password_hash, users.role,
	users.disabled_at IS NOT NULL AS disabled, users.created_at, users.brand_version`

func (r userRow) user() fanfare.User {
	u := fanfare.User(r)
	u.CreatedAt = u.CreatedAt.UTC()
	return u
}

// CreateUser stores a new user; fanfare.CodeUserExists if the address is taken.
// That is no error to PostgreSQL, which would write the address to its log.
func (s *Store) CreateUser(ctx context.Context, u fanfare.User) (fanfare.User, error) {
	var row userRow
	err := s.q(ctx).GetContext(ctx, &row, `INSERT INTO users (id, name, email, password_hash, role)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (email) DO NOTHING RETURNING `+userColumns, NewID(), u.Name, u.Email, u.PasswordHash, u.Role)
	if errors.Is(err, sql.ErrNoRows) {
		return fanfare.User{}, fanfare.Errorf(fanfare.CodeUserExists, "User already exists")
	}
	if err != nil {
		return fanfare.User{}, wrap(err, "creating a user")
	}
	return row.user(), nil
}

// UserByEmail finds a user by their lower-case address.
func (s *Store) UserByEmail(ctx context.Context, email string) (fanfare.User, error) {
	var row userRow
	err := s.q(ctx).GetContext(ctx, &row, `SELECT `+userColumns+` FROM users WHERE email = $1`, email)
	if err != nil {
		return fanfare.User{}, wrap(err, "looking for a user")
	}
	return row.user(), nil
}

// User returns a user.
func (s *Store) User(ctx context.Context, id string) (fanfare.User, error) {
	var row userRow
	err := s.q(ctx).GetContext(ctx, &row, `SELECT `+userColumns+` FROM users WHERE id = $1`, id)
	if err != nil {
		return fanfare.User{}, wrap(err, "reading a user")
	}
	return row.user(), nil
}

// Users lists every user, oldest first.
func (s *Store) Users(ctx context.Context) ([]fanfare.User, error) {
	var rows []userRow
	if err := s.q(ctx).SelectContext(ctx, &rows, `SELECT `+userColumns+` FROM users ORDER BY id`); err != nil {
		return nil, wrap(err, "listing users")
	}
	users := make([]fanfare.User, len(rows))
	for i, row := range rows {
		users[i] = row.user()
	}
	return users, nil
}

// SetPassword gives a user a new password, and ends every session that the old
// one opened.
func (s *Store) SetPassword(ctx context.Context, userID, hash string) error {
	_, err := s.q(ctx).ExecContext(ctx, `WITH changed AS (
			UPDATE users SET password_hash = $2, updated_at = now() WHERE id = $1 RETURNING id
		)
		DELETE FROM sessions USING changed WHERE user_id = changed.id`, userID, hash)
	return wrap(err, "changing a password")
}

// Rehash stores another hash of the same password, unless the password has
// been changed meanwhile.
func (s *Store) Rehash(ctx context.Context, userID, oldHash, newHash string) error {
	_, err := s.q(ctx).ExecContext(ctx, `UPDATE users SET password_hash = $3, updated_at = now()
		WHERE id = $1 AND password_hash = $2`, userID, oldHash, newHash)
	return wrap(err, "keeping a password's new hash")
}

// DisableUser locks a user out and ends every session and API key.
func (s *Store) DisableUser(ctx context.Context, userID string) error {
	_, err := s.q(ctx).ExecContext(ctx, `WITH sessions AS (DELETE FROM sessions WHERE user_id = $1),
			keys AS (DELETE FROM api_keys WHERE user_id = $1)
		UPDATE users SET disabled_at = now(), updated_at = now() WHERE id = $1`, userID)
	return wrap(err, "disabling a user")
}

// CreateSession signs a user in whose password was found right; digest is that
// of the session's token. fanfare.CodeNotFound if the password has been changed
// since u was read, or the user disabled.
func (s *Store) CreateSession(ctx context.Context, u fanfare.User, digest []byte, lifetime time.Duration) (fanfare.Session, error) {
	session := fanfare.Session{ID: NewID(), UserID: u.ID}
	err := s.q(ctx).GetContext(ctx, &session.ExpiresAt, `INSERT INTO sessions (id, user_id, digest, expires_at)
		SELECT $1, holder.id, $3, now() + make_interval(secs => $4)
		FROM (SELECT id FROM users WHERE id = $2 AND password_hash = $5 AND disabled_at IS NULL FOR SHARE) holder
		RETURNING expires_at`,
		session.ID, u.ID, digest, seconds(lifetime), u.PasswordHash)
	session.ExpiresAt = session.ExpiresAt.UTC()
	return session, wrap(err, "creating a session")
}

// IdentityBySession finds who a session's token belongs to.
func (s *Store) IdentityBySession(ctx context.Context, digest []byte) (fanfare.Identity, error) {
	var row struct {
		userRow
		SessionID string    `db:"session_id"`
		ExpiresAt time.Time `db:"expires_at"`
	}
	err := s.q(ctx).GetContext(ctx, &row, `SELECT `+userColumns+`, sessions.id AS session_id, sessions.expires_at
		FROM sessions JOIN users ON users.id = sessions.user_id
		WHERE digest = $1 AND expires_at > now() AND disabled_at IS NULL`, digest)
	if err != nil {
		return fanfare.Identity{}, wrap(err, "looking for a session")
	}
	session := &fanfare.Session{ID: row.SessionID, UserID: row.ID, ExpiresAt: row.ExpiresAt.UTC()}
	return fanfare.Identity{User: row.user(), Session: session}, nil
}

// DeleteSession signs a session out.
func (s *Store) DeleteSession(ctx context.Context, id string) error {
	_, err := s.q(ctx).ExecContext(ctx, `DELETE FROM sessions WHERE id = $1`, id)
	return wrap(err, "ending a session")
}

type keyRow struct {
	ID         string     `db:"id"`
	Name       string     `db:"name"`
	CreatedAt  time.Time  `db:"created_at"`
	LastUsedAt *time.Time `db:"last_used_at"`
}

func (r keyRow) key() fanfare.APIKey {
	return fanfare.APIKey{ID: r.ID, Name: r.Name, CreatedAt: r.CreatedAt.UTC(), LastUsedAt: utc(r.LastUsedAt)}
}

// CreateAPIKey stores a key's digest under a name.
func (s *Store) CreateAPIKey(ctx context.Context, userID, name string, digest []byte) (fanfare.APIKey, error) {
	var row keyRow
	err := s.q(ctx).GetContext(ctx, &row, `INSERT INTO api_keys (id, user_id, name, digest) VALUES ($1, $2, $3, $4)
		RETURNING id, name, created_at, last_used_at`, NewID(), userID, name, digest)
	return row.key(), wrap(err, "creating an API key")
}

// APIKeys lists a user's keys, newest first.
func (s *Store) APIKeys(ctx context.Context, userID string, page fanfare.Page) ([]fanfare.APIKey, error) {
	createdAt, id := before(page)
	var rows []keyRow
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT id, name, created_at, last_used_at FROM api_keys
		WHERE user_id = $1 AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
		ORDER BY created_at DESC, id DESC LIMIT $4`, userID, createdAt, id, page.Limit)
	if err != nil {
		return nil, wrap(err, "listing API keys")
	}
	keys := make([]fanfare.APIKey, len(rows))
	for i, row := range rows {
		keys[i] = row.key()
	}
	return keys, nil
}

// DeleteAPIKey revokes a user's key.
func (s *Store) DeleteAPIKey(ctx context.Context, userID, id string) error {
	result, err := s.q(ctx).ExecContext(ctx, `DELETE FROM api_keys WHERE id = $1 AND user_id = $2`, id, userID)
	if err != nil {
		return wrap(err, "revoking an API key")
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return notFound()
	}
	return nil
}

// IdentityByAPIKey finds who a key belongs to, and notes to the minute that it
// was used.
func (s *Store) IdentityByAPIKey(ctx context.Context, digest []byte) (fanfare.Identity, error) {
	var row struct {
		userRow
		KeyID string `db:"key_id"`
	}
	err := s.q(ctx).GetContext(ctx, &row, `WITH used AS (
			UPDATE api_keys SET last_used_at = now()
			WHERE digest = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
		)
		SELECT `+userColumns+`, api_keys.id AS key_id FROM api_keys JOIN users ON users.id = api_keys.user_id
		WHERE digest = $1 AND disabled_at IS NULL`, digest)
	if err != nil {
		return fanfare.Identity{}, wrap(err, "looking for an API key")
	}
	return fanfare.Identity{User: row.user(), KeyID: row.KeyID}, nil
}
