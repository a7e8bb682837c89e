package store

import (
	"context"
	"time"

	"fanfare"
)

// A conversation's latest messages are its history: as many as a client may
// bring along, and no more characters than a small model has room for.
const (
	historyTurns      = 50
	historyCharacters = 30_000
)

// StartConversation makes a conversation of a user and returns its id.
func (s *Store) StartConversation(ctx context.Context, userID string) (string, error) {
	id := NewID()
	_, err := s.q(ctx).ExecContext(ctx, `INSERT INTO conversations (id, user_id) VALUES ($1, $2)`, id, userID)
	return id, wrap(err, "starting a conversation")
}

// History returns the latest turns of a user's conversation, oldest first.
func (s *Store) History(ctx context.Context, userID, conversationID string) ([]fanfare.Turn, error) {
	var owner string
	err := s.q(ctx).GetContext(ctx, &owner,
		`SELECT user_id FROM conversations WHERE id = $1 AND user_id = $2 FOR UPDATE`, conversationID, userID)
	if err != nil {
		return nil, wrap(err, "reading a conversation")
	}
	var turns []fanfare.Turn
	err = s.q(ctx).SelectContext(ctx, &turns, `SELECT role, content, quoted FROM (
			SELECT *, sum(length(content)) OVER (ORDER BY sequence DESC) AS characters FROM (
				SELECT sequence, role, content, quoted FROM conversation_messages
				WHERE conversation_id = $1 ORDER BY sequence DESC LIMIT $2
			) latest
		) bounded WHERE characters <= $3 ORDER BY sequence`, conversationID, historyTurns, historyCharacters)
	return turns, wrap(err, "reading a conversation's history")
}

// AddTurns appends turns to a conversation, in their order.
func (s *Store) AddTurns(ctx context.Context, conversationID string, turns ...fanfare.Turn) error {
	input, err := encode(turns)
	if err != nil {
		return err
	}
	_, err = s.q(ctx).ExecContext(ctx, `WITH added AS (
			INSERT INTO conversation_messages (conversation_id, role, content, quoted)
			SELECT $1, t->>'role', t->>'content', coalesce((t->>'quoted')::boolean, false)
			FROM jsonb_array_elements($2::jsonb) WITH ORDINALITY AS i(t, n) ORDER BY n
		)
		UPDATE conversations SET updated_at = now() WHERE id = $1`, conversationID, input)
	return wrap(err, "adding to a conversation")
}

type conversationRow struct {
	ID        string    `db:"id"`
	Metadata  document  `db:"metadata"`
	CreatedAt time.Time `db:"created_at"`
	UpdatedAt time.Time `db:"updated_at"`
	Messages  document  `db:"messages"`
}

func (r conversationRow) conversation() (fanfare.Conversation, error) {
	c := fanfare.Conversation{
		ID: r.ID, Messages: []fanfare.Message{}, Metadata: []byte(r.Metadata),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
	}
	err := r.Messages.into(&c.Messages)
	for i := range c.Messages {
		c.Messages[i].CreatedAt = c.Messages[i].CreatedAt.UTC()
	}
	return c, err
}

// selectConversations reads each conversation with its latest messages, so
// that one which never ends does not make an answer that never ends.
const selectConversations = `SELECT c.id, c.metadata, c.created_at, c.updated_at, coalesce((
		SELECT jsonb_agg(jsonb_build_object('id', m.id, 'role', m.role, 'content', m.content, 'createdAt', m.created_at)
			ORDER BY m.sequence)
		FROM (SELECT * FROM conversation_messages WHERE conversation_id = c.id ORDER BY sequence DESC LIMIT 200) m
	), '[]') AS messages FROM conversations c`

// Conversations lists a user's conversations, the one that was last added to
// first.
func (s *Store) Conversations(ctx context.Context, userID string, page fanfare.Page) ([]fanfare.Conversation, error) {
	updatedAt, id := before(page)
	var rows []conversationRow
	err := s.q(ctx).SelectContext(ctx, &rows, selectConversations+` WHERE c.user_id = $1
			AND ($2::timestamptz IS NULL OR (c.updated_at, c.id) < ($2, $3::uuid))
		ORDER BY c.updated_at DESC, c.id DESC LIMIT $4`, userID, updatedAt, id, page.Limit)
	if err != nil {
		return nil, wrap(err, "listing conversations")
	}
	conversations := make([]fanfare.Conversation, len(rows))
	for i, row := range rows {
		if conversations[i], err = row.conversation(); err != nil {
			return nil, err
		}
	}
	return conversations, nil
}

// Conversation returns a user's conversation.
func (s *Store) Conversation(ctx context.Context, userID, id string) (fanfare.Conversation, error) {
	var row conversationRow
	if err := s.q(ctx).GetContext(ctx, &row, selectConversations+` WHERE c.user_id = $1 AND c.id = $2`, userID, id); err != nil {
		return fanfare.Conversation{}, wrap(err, "reading a conversation")
	}
	return row.conversation()
}

// DeleteConversation deletes a user's conversation with its messages.
func (s *Store) DeleteConversation(ctx context.Context, userID, id string) error {
	result, err := s.q(ctx).ExecContext(ctx, `DELETE FROM conversations WHERE id = $1 AND user_id = $2`, id, userID)
	if err != nil {
		return wrap(err, "deleting a conversation")
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return notFound()
	}
	return nil
}

// Voice returns the tone and values of a user's brand kit: of the one with the
// id, or of the active one where the id is "". Nil if none is active.
func (s *Store) Voice(ctx context.Context, userID, brandKitID string) (*fanfare.Voice, error) {
	condition, args := `is_active`, []any{userID}
	if brandKitID != "" {
		condition, args = `id = $2`, append(args, brandKitID)
	}
	var voices []fanfare.Voice
	err := s.q(ctx).SelectContext(ctx, &voices,
		`SELECT tone, "values" FROM brand_kits WHERE user_id = $1 AND `+condition, args...)
	switch {
	case err != nil:
		return nil, wrap(err, "reading a brand kit")
	case len(voices) > 0:
		return &voices[0], nil
	case brandKitID != "":
		return nil, notFound()
	default:
		return nil, nil
	}
}
