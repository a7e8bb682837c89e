package store

import (
	"context"

	"fanfare"
)

// CreateLaunch stores a launch, under an id of its own.
func (s *Store) CreateLaunch(ctx context.Context, l fanfare.Launch) (fanfare.Launch, error) {
	integrations := document(`{}`)
	if l.Integrations != nil {
		var err error
		if integrations, err = encode(l.Integrations); err != nil {
			return l, err
		}
	}
	l.ID = NewID()
	_, err := s.q(ctx).ExecContext(ctx, `INSERT INTO launches (id, user_id, campaign_id, channels, integrations)
		VALUES ($1, $2, $3, $4, $5)`, l.ID, l.UserID, l.CampaignID, textArray(l.Channels), integrations)
	return l, wrap(err, "storing a launch")
}

// LaunchChannel returns what is fixed for a launch on a channel.
func (s *Store) LaunchChannel(ctx context.Context, launchID string, channel fanfare.Channel) (fanfare.LaunchChannel, error) {
	var rows []struct {
		IntegrationID string `db:"integration_id"`
		Broadcast     bool   `db:"broadcast"`
	}
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT integration_id, EXISTS (SELECT 1 FROM deliveries d
			WHERE d.launch_id = c.launch_id AND d.channel = c.channel AND d.recipient = '') AS broadcast
		FROM launch_channels c WHERE launch_id = $1 AND channel = $2`, launchID, channel)
	if err != nil || len(rows) == 0 {
		return fanfare.LaunchChannel{}, wrap(err, "reading a launch's integration")
	}
	return fanfare.LaunchChannel(rows[0]), nil
}

// held is part of every statement on the ledger: it is empty, so that nothing
// happens, once the lease is lost. While the statement runs nobody takes it.
const held = `held AS (SELECT id FROM jobs WHERE id = $1 AND lease_token = $2 FOR SHARE)`

// planStep is how many recipients a plan copies in one transaction.
const planStep = 5000

// Plan fixes a launch's integration on a channel, until that is deleted, and
// lists its deliveries: one for each recipient of the campaign, or a single one
// for a broadcast. It can be repeated after it was cut off. What was planned
// once stays, whatever happens to the campaign's list.
func (s *Store) Plan(ctx context.Context, lease fanfare.Lease, launch fanfare.Launch, channel fanfare.Channel, integrationID string, broadcast bool) error {
	var planned []bool
	err := s.q(ctx).SelectContext(ctx, &planned, `WITH `+held+`
		INSERT INTO launch_channels AS c (launch_id, channel, integration_id) SELECT $3, $4, $5 FROM held
		ON CONFLICT (launch_id, channel) DO UPDATE SET integration_id =
			CASE WHEN c.planned AND EXISTS (SELECT 1 FROM integrations i WHERE i.id = c.integration_id)
				THEN c.integration_id ELSE excluded.integration_id END
		RETURNING planned`, lease.JobID, lease.Token, launch.ID, channel, integrationID)
	switch {
	case err != nil:
		return wrap(err, "planning a launch")
	case len(planned) == 0:
		return ErrLeaseLost
	case planned[0]:
		return nil
	}
	if err := s.listDeliveries(ctx, lease, launch, channel, broadcast); err != nil {
		return err
	}
	_, err = s.q(ctx).ExecContext(ctx, `WITH `+held+`
		UPDATE launch_channels SET planned = true FROM held WHERE launch_id = $3 AND channel = $4`,
		lease.JobID, lease.Token, launch.ID, channel)
	return wrap(err, "planning a launch")
}

const broadcastSQL = `WITH ` + held + `
	INSERT INTO deliveries (launch_id, campaign_id, user_id, channel, recipient)
	SELECT $3, $4, $5, $6, '' FROM held
	ON CONFLICT ON CONSTRAINT deliveries_once DO NOTHING`

const planSQL = `WITH ` + held + `, source AS (
		SELECT r.address FROM held CROSS JOIN recipients r
		WHERE r.list_id = (SELECT recipient_list FROM campaigns WHERE id = $4) AND r.channel = $6 AND r.address > $7
		ORDER BY r.address LIMIT $8
	), added AS (
		INSERT INTO deliveries (launch_id, campaign_id, user_id, channel, recipient)
		SELECT $3, $4, $5, $6, address FROM source
		ON CONFLICT ON CONSTRAINT deliveries_once DO NOTHING
	)
	SELECT count(*) AS count, coalesce(max(address), '') AS last FROM source`

func (s *Store) listDeliveries(ctx context.Context, lease fanfare.Lease, launch fanfare.Launch, channel fanfare.Channel, broadcast bool) error {
	args := []any{lease.JobID, lease.Token, launch.ID, launch.CampaignID, launch.UserID, channel}
	if broadcast {
		_, err := s.q(ctx).ExecContext(ctx, broadcastSQL, args...)
		return wrap(err, "planning a broadcast")
	}
	var step struct {
		Count int    `db:"count"`
		Last  string `db:"last"`
	}
	for {
		if err := s.q(ctx).GetContext(ctx, &step, planSQL, append(args, step.Last, planStep)...); err != nil {
			return wrap(err, "planning deliveries")
		}
		if step.Count < planStep {
			return nil
		}
	}
}

// DeliveryCounts counts a launch's deliveries by channel and status.
func (s *Store) DeliveryCounts(ctx context.Context, launchID string) ([]fanfare.DeliveryCount, error) {
	var counts []fanfare.DeliveryCount
	err := s.q(ctx).SelectContext(ctx, &counts, `SELECT channel, status, count(*) AS count FROM deliveries
		WHERE launch_id = $1 GROUP BY channel, status`, launchID)
	return counts, wrap(err, "counting deliveries")
}

// ProviderIDs returns the providers' ids of a launch's messages on a channel,
// at most limit, in the order of their recipients.
func (s *Store) ProviderIDs(ctx context.Context, launchID string, channel fanfare.Channel, limit int) ([]string, error) {
	ids := []string{}
	err := s.q(ctx).SelectContext(ctx, &ids, `SELECT provider_id FROM deliveries
		WHERE launch_id = $1 AND channel = $2 AND provider_id IS NOT NULL ORDER BY recipient LIMIT $3`, launchID, channel, limit)
	return ids, wrap(err, "reading providers' ids")
}

// CampaignRecipients returns addresses that a campaign goes to on a channel,
// at most limit, without those that want no more messages.
func (s *Store) CampaignRecipients(ctx context.Context, userID, campaignID string, channel fanfare.Channel, limit int) ([]string, error) {
	var addresses []string
	err := s.q(ctx).SelectContext(ctx, &addresses, `SELECT address FROM recipients r
		WHERE list_id = (SELECT recipient_list FROM campaigns WHERE id = $2 AND user_id = $1) AND channel = $3
			AND NOT EXISTS (SELECT 1 FROM suppressions s
				WHERE s.user_id = $1 AND s.channel = r.channel AND s.address = r.address)
		ORDER BY address LIMIT $4`, userID, campaignID, channel, limit)
	return addresses, wrap(err, "reading recipients")
}
