package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"fanfare"
)

type deliveryRow struct {
	ID         string                 `db:"id"`
	LaunchID   string                 `db:"launch_id"`
	Channel    fanfare.Channel        `db:"channel"`
	Recipient  *string                `db:"recipient"`
	Status     fanfare.DeliveryStatus `db:"status"`
	ProviderID *string                `db:"provider_id"`
	Error      *string                `db:"error"`
	CreatedAt  time.Time              `db:"created_at"`
	UpdatedAt  time.Time              `db:"updated_at"`
}

func (r deliveryRow) delivery() fanfare.Delivery {
	d := fanfare.Delivery(r)
	d.CreatedAt, d.UpdatedAt = r.CreatedAt.UTC(), r.UpdatedAt.UTC()
	return d
}

// Deliveries lists the deliveries of a user's campaign, newest first, those
// that a filter lets through.
func (s *Store) Deliveries(ctx context.Context, userID, campaignID string, filter fanfare.DeliveryFilter, page fanfare.Page) ([]fanfare.Delivery, error) {
	createdAt, id := before(page)
	conditions, args := deliveriesWhere(filter, campaignID, userID, createdAt, id, page.Limit)
	var rows []deliveryRow
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT id, launch_id, channel, nullif(recipient, '') AS recipient, status,
			provider_id, error, created_at, updated_at
		FROM deliveries WHERE campaign_id = $1 AND user_id = $2
		AND ($3::timestamptz IS NULL OR (created_at, id) < ($3, $4::uuid))`+conditions+`
		ORDER BY created_at DESC, id DESC LIMIT $5`, args...)
	deliveries := make([]fanfare.Delivery, len(rows))
	for i, row := range rows {
		deliveries[i] = row.delivery()
	}
	return deliveries, wrap(err, "listing deliveries")
}

// deliveriesWhere names only what is filtered by, so that each list has the
// plan of an index that fits it. None is for channels, since each index is
// written three times for each message: those of other channels are passed by,
// within the campaign or the launch.
func deliveriesWhere(f fanfare.DeliveryFilter, args ...any) (string, []any) {
	var conditions strings.Builder
	add := func(condition, value string) {
		if value != "" {
			args = append(args, value)
			fmt.Fprintf(&conditions, " AND "+condition, len(args))
		}
	}
	add("status = $%d", string(f.Status))
	add("channel = $%d", string(f.Channel))
	add("launch_id = $%d::uuid", f.LaunchID)
	return conditions.String(), args
}
