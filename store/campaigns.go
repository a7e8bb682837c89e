package store

import (
	"context"
	"time"

	"github.com/lib/pq"

	"fanfare"
)

type campaignRow struct {
	ID         string         `db:"id"`
	UserID     string         `db:"user_id"`
	Goal       string         `db:"goal"`
	Channels   pq.StringArray `db:"channels"`
	Content    document       `db:"content"`
	Audience   document       `db:"audience"`
	Budget     *fanfare.Money `db:"budget"`
	Schedule   document       `db:"schedule"`
	Status     string         `db:"status"`
	Metrics    document       `db:"metrics"`
	Intent     document       `db:"intent"`
	CreatedAt  time.Time      `db:"created_at"`
	UpdatedAt  time.Time      `db:"updated_at"`
	LaunchedAt *time.Time     `db:"launched_at"`
}

const campaignColumns = `id, user_id, goal, channels, content, audience, budget, status, metrics, intent,
	created_at, updated_at, launched_at, ` + scheduleColumn

func (r campaignRow) campaign() (fanfare.Campaign, error) {
	c := fanfare.Campaign{
		ID: r.ID, UserID: r.UserID, Goal: r.Goal, Channels: make([]fanfare.Channel, len(r.Channels)),
		Audience: []byte(r.Audience), Budget: r.Budget,
		Status: fanfare.CampaignStatus(r.Status), Metrics: []byte(r.Metrics),
		CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(), LaunchedAt: utc(r.LaunchedAt),
	}
	for i, channel := range r.Channels {
		c.Channels[i] = fanfare.Channel(channel)
	}
	if err := r.Content.into(&c.Content); err != nil {
		return c, err
	}
	var err error
	if c.Schedule, _, err = r.Schedule.schedule(r.UserID); err != nil {
		return c, err
	}
	return c, r.Intent.into(&c.Intent)
}

// CreateCampaign stores a new campaign of c's user, with its goal, channels
// and status.
func (s *Store) CreateCampaign(ctx context.Context, c fanfare.Campaign) (fanfare.Campaign, error) {
	var row campaignRow
	err := s.q(ctx).GetContext(ctx, &row, `INSERT INTO campaigns (id, user_id, goal, channels, status)
		VALUES ($1, $2, $3, $4, $5) RETURNING `+campaignColumns,
		NewID(), c.UserID, c.Goal, textArray(c.Channels), c.Status)
	if err != nil {
		return fanfare.Campaign{}, wrap(err, "creating a campaign")
	}
	return row.campaign()
}

// Campaign returns a user's campaign.
func (s *Store) Campaign(ctx context.Context, userID, id string) (fanfare.Campaign, error) {
	return s.campaign(ctx, userID, id, "")
}

// CampaignForUpdate returns a user's campaign and keeps others from changing
// it until the transaction ends.
func (s *Store) CampaignForUpdate(ctx context.Context, userID, id string) (fanfare.Campaign, error) {
	return s.campaign(ctx, userID, id, " FOR UPDATE")
}

func (s *Store) campaign(ctx context.Context, userID, id, lock string) (fanfare.Campaign, error) {
	var row campaignRow
	err := s.q(ctx).GetContext(ctx, &row,
		`SELECT `+campaignColumns+` FROM campaigns WHERE id = $1 AND user_id = $2`+lock, id, userID)
	if err != nil {
		return fanfare.Campaign{}, wrap(err, "reading a campaign")
	}
	return row.campaign()
}

// Campaigns lists a user's campaigns, newest first, those in one status or all.
func (s *Store) Campaigns(ctx context.Context, userID string, status fanfare.CampaignStatus, page fanfare.Page) ([]fanfare.Campaign, error) {
	createdAt, id := before(page)
	condition, args := "", []any{userID, createdAt, id, page.Limit}
	if status != "" {
		condition, args = " AND status = $5", append(args, string(status))
	}
	var rows []campaignRow
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT `+campaignColumns+` FROM campaigns WHERE user_id = $1`+condition+`
		AND ($2::timestamptz IS NULL OR (created_at, id) < ($2, $3::uuid))
		ORDER BY created_at DESC, id DESC LIMIT $4`, args...)
	if err != nil {
		return nil, wrap(err, "listing campaigns")
	}
	campaigns := make([]fanfare.Campaign, len(rows))
	for i, row := range rows {
		if campaigns[i], err = row.campaign(); err != nil {
			return nil, err
		}
	}
	return campaigns, nil
}

// UpdateCampaign stores what may be edited of a campaign: goal, content,
// audience, budget and channels.
func (s *Store) UpdateCampaign(ctx context.Context, c fanfare.Campaign) (fanfare.Campaign, error) {
	content, err := encode(c.Content)
	if err != nil {
		return fanfare.Campaign{}, err
	}
	var row campaignRow
	err = s.q(ctx).GetContext(ctx, &row, `UPDATE campaigns
		SET goal = $3, content = $4, audience = $5, budget = $6, channels = $7, updated_at = now()
		WHERE id = $1 AND user_id = $2 RETURNING `+campaignColumns,
		c.ID, c.UserID, c.Goal, content, document(c.Audience), c.Budget, textArray(c.Channels))
	if err != nil {
		return fanfare.Campaign{}, wrap(err, "changing a campaign")
	}
	return row.campaign()
}

// DeleteCampaign deletes a user's campaign. Its jobs stay.
func (s *Store) DeleteCampaign(ctx context.Context, userID, id string) error {
	result, err := s.q(ctx).ExecContext(ctx, `DELETE FROM campaigns WHERE id = $1 AND user_id = $2`, id, userID)
	if err != nil {
		return wrap(err, "deleting a campaign")
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return notFound()
	}
	return nil
}

// textArray passes an empty list as an empty array; as it is it would be NULL.
func textArray(channels []fanfare.Channel) any {
	return pq.Array(append([]fanfare.Channel{}, channels...))
}
