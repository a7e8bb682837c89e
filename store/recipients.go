package store

import (
	"context"

	"github.com/lib/pq"

	"fanfare"
)

// NewRecipientList makes an empty list for a campaign, which does not have it
// before UseRecipients. Fill it within the hour: then it may be pruned.
func (s *Store) NewRecipientList(ctx context.Context, campaignID string) (string, error) {
	id := NewID()
	_, err := s.q(ctx).ExecContext(ctx, `INSERT INTO recipient_lists (id, campaign_id) VALUES ($1, $2)`, id, campaignID)
	return id, wrap(err, "making a list of recipients")
}

// AddRecipients adds some thousands to a list and returns how many of them were
// not in it before.
func (s *Store) AddRecipients(ctx context.Context, listID string, recipients []fanfare.Recipient) (fanfare.RecipientCounts, error) {
	channels, addresses := make([]string, len(recipients)), make([]string, len(recipients))
	for i, recipient := range recipients {
		channels[i], addresses[i] = string(recipient.Channel), recipient.Address
	}
	var rows []struct {
		Channel fanfare.Channel `db:"channel"`
		Added   int             `db:"added"`
	}
	err := s.q(ctx).SelectContext(ctx, &rows, `WITH added AS (
			INSERT INTO recipients (list_id, channel, address) SELECT $1, * FROM unnest($2::text[], $3::text[])
			ON CONFLICT DO NOTHING RETURNING channel
		)
		SELECT channel, count(*) AS added FROM added GROUP BY channel`, listID, pq.Array(channels), pq.Array(addresses))
	var counts fanfare.RecipientCounts
	for _, row := range rows {
		counts.Add(row.Channel, row.Added)
	}
	return counts, wrap(err, "adding recipients")
}

// copyBatch bounds how long one statement of a copy takes.
const copyBatch = 10_000

// CopyRecipients adds a channel's recipients in one list to another, in small
// steps, and returns how many they are.
func (s *Store) CopyRecipients(ctx context.Context, from, to string, channel fanfare.Channel) (copied int, err error) {
	for last := ""; ; {
		var addresses []string
		err := s.q(ctx).SelectContext(ctx, &addresses, `INSERT INTO recipients (list_id, channel, address)
			SELECT $2, channel, address FROM recipients
			WHERE list_id = $1 AND channel = $3 AND address > $4 ORDER BY address LIMIT $5
			RETURNING address`, from, to, channel, last, copyBatch)
		if err != nil {
			return copied, wrap(err, "copying recipients")
		}
		copied += len(addresses)
		if len(addresses) < copyBatch {
			return copied, nil
		}
		last = addresses[len(addresses)-1]
	}
}

// RecipientList returns the id of a campaign's list, "" if it has none.
func (s *Store) RecipientList(ctx context.Context, userID, campaignID string) (string, error) {
	var id string
	err := s.q(ctx).GetContext(ctx, &id,
		`SELECT coalesce(recipient_list::text, '') FROM campaigns WHERE id = $1 AND user_id = $2`, campaignID, userID)
	return id, wrap(err, "looking for a campaign's recipients")
}

// UseRecipients makes a list its campaign's, with the counts that are shown; ""
// takes the recipients away. What was the list before is pruned later.
func (s *Store) UseRecipients(ctx context.Context, userID, campaignID, listID string, counts fanfare.RecipientCounts) (fanfare.Campaign, error) {
	shown, err := encode(counts)
	if err != nil {
		return fanfare.Campaign{}, err
	}
	if listID == "" {
		shown = nil
	}
	var row campaignRow
	err = s.q(ctx).GetContext(ctx, &row, `UPDATE campaigns SET recipient_list = $3, updated_at = now(),
			audience = CASE WHEN $4::jsonb IS NULL THEN audience - 'recipients'
				ELSE audience || jsonb_build_object('recipients', $4::jsonb) END
		WHERE id = $1 AND user_id = $2 RETURNING `+campaignColumns, campaignID, userID, nullable(listID), shown)
	if err != nil {
		return fanfare.Campaign{}, wrap(err, "giving a campaign its recipients")
	}
	return row.campaign()
}

// pruneRecipients deletes lists that no campaign has and that nobody fills any
// more, the recipients before the list, so that none is forgotten half-way.
func (s *Store) pruneRecipients(ctx context.Context) error {
	for {
		var lists []string
		err := s.q(ctx).SelectContext(ctx, &lists, `SELECT id FROM recipient_lists l
			WHERE created_at < now() - interval '1 hour' AND NOT EXISTS (SELECT 1 FROM campaigns WHERE recipient_list = l.id)
			ORDER BY created_at LIMIT 100`)
		if err != nil || len(lists) == 0 {
			return wrap(err, "looking for lists of recipients to prune")
		}
		for _, list := range lists {
			if err := s.prune(ctx, `recipients WHERE list_id = '`+list+`'`); err != nil {
				return err
			}
			if _, err := s.q(ctx).ExecContext(ctx, `DELETE FROM recipient_lists WHERE id = $1`, list); err != nil {
				return wrap(err, "pruning a list of recipients")
			}
		}
	}
}
