package store

import (
	"context"

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
