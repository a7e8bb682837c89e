package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fanfare"
)

const (
	providerIDsMax = 100
	rehearsedMax   = 20 // recipients whose requests a dry run shows
)

// done is what a launch hands over, by what the ledger says.
func (l *launching) done(ctx context.Context) (Done[LaunchCampaignResult], error) {
	counts, err := l.run.Ledger.DeliveryCounts(ctx, l.launch.ID)
	if err != nil {
		return Done[LaunchCampaignResult]{}, fmt.Errorf("counting what was sent: %w", err)
	}
	result := l.result()
	for i, c := range l.channels {
		r := &result.LaunchResults[i]
		c.tally(r, counts)
		if r.Sent > 0 {
			result.SuccessCount++
			if r.ProviderIDs, err = l.run.Ledger.ProviderIDs(ctx, l.launch.ID, c.channel, providerIDsMax); err != nil {
				return Done[LaunchCampaignResult]{}, err
			}
		}
	}
	l.settleCampaign(result.LaunchResults)
	result.Campaign = l.campaign
	return Done[LaunchCampaignResult]{Result: result, Campaign: &l.campaign, Audit: l.record(result)}, nil
}

func (l *launching) result() LaunchCampaignResult {
	result := LaunchCampaignResult{Campaign: l.campaign, TotalChannels: len(l.channels), DryRun: l.payload.DryRun}
	for _, c := range l.channels {
		r := fanfare.ChannelResult{Channel: c.channel, Status: fanfare.DeliverySkipped, ProviderIDs: []string{}}
		if c.integration != nil {
			r.Integration = &c.integration.ID
		}
		if c.trouble != nil {
			r.Error = &c.trouble.Reason
		}
		result.LaunchResults = append(result.LaunchResults, r)
	}
	return result
}

// tally fills in a channel's counts, and what they come to.
func (c *sending) tally(r *fanfare.ChannelResult, counts []fanfare.DeliveryCount) {
	for _, count := range counts {
		if count.Channel != c.channel {
			continue
		}
		switch count.Status {
		case fanfare.DeliverySent:
			r.Sent = count.Count
		case fanfare.DeliveryFailed:
			r.Failed = count.Count
		case fanfare.DeliveryUnknown:
			r.Unknown = count.Count
		case fanfare.DeliverySkipped:
			r.Skipped = count.Count
		default:
			c.left += count.Count
		}
	}
	switch {
	case r.Sent > 0:
		r.Status = fanfare.DeliverySent
	case r.Unknown > 0:
		r.Status = fanfare.DeliveryUnknown
	case r.Failed > 0, c.trouble != nil && !c.skipped:
		r.Status = fanfare.DeliveryFailed
	}
}

// settleCampaign says what the campaign has become by this launch.
func (l *launching) settleCampaign(results []fanfare.ChannelResult) {
	began, whole := false, true
	for i, r := range results {
		began = began || r.Sent > 0 || r.Unknown > 0
		whole = whole && r.Status == fanfare.DeliverySent && r.Failed == 0 && r.Unknown == 0 && l.channels[i].left == 0
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	l.campaign.UpdatedAt = now
	switch {
	case !began:
		l.campaign.Status = fanfare.CampaignFailed
	case whole:
		l.campaign.Status, l.campaign.LaunchedAt = fanfare.CampaignLaunched, &now
	default:
		l.campaign.Status, l.campaign.LaunchedAt = fanfare.CampaignPartiallyLaunched, &now
	}
}

// stopped is what becomes of a launch that was stopped on its way. Where nothing
// was sent, the way in which the job ends tells what the campaign becomes.
func (l *launching) stopped(ctx context.Context, cause error) (Done[LaunchCampaignResult], error) {
	done, err := l.done(ctx)
	if l.campaign.Status == fanfare.CampaignFailed {
		done.Campaign = nil
	}
	return done, errors.Join(cause, err)
}

// refused is what becomes of a launch whose check failed: what earlier
// attempts have sent still counts.
func (l *launching) refused(ctx context.Context, err error) (Done[LaunchCampaignResult], error) {
	if l.payload.DryRun {
		return Done[LaunchCampaignResult]{}, err
	}
	for _, c := range l.channels {
		if err := l.run.Ledger.Abandon(ctx, l.run.lease, l.launch.ID, c.channel, fanfare.LostInFlight); err != nil {
			return Done[LaunchCampaignResult]{}, err
		}
	}
	done, countErr := l.done(ctx)
	if countErr != nil {
		return done, countErr
	}
	done.Audit.Status = fanfare.AuditFailure
	done.Audit.Metadata["code"] = fanfare.ErrorCode(err)
	return done, err
}

// record is the audit record of how a launch went.
func (l *launching) record(result LaunchCampaignResult) *fanfare.AuditRecord {
	r := &fanfare.AuditRecord{
		Action: fanfare.ActionCampaignLaunch, Resource: l.campaign.ID, Status: fanfare.AuditSuccess,
		Metadata: map[string]any{
			"launch": l.launch.ID, "channels": l.launch.Channels, "dryRun": l.payload.DryRun,
			"successCount": result.SuccessCount, "totalChannels": result.TotalChannels,
		},
	}
	if result.SuccessCount == 0 && !l.payload.DryRun {
		r.Status = fanfare.AuditFailure
	}
	return r
}

// rehearse does all that a launch does but send: it returns what would go out.
func (l *launching) rehearse(ctx context.Context) (Done[LaunchCampaignResult], error) {
	requests := make([][]fanfare.OutgoingRequest, len(l.channels))
	for i, c := range l.channels {
		if c.trouble != nil {
			continue
		}
		var err error
		if requests[i], err = c.preview(ctx); err != nil {
			c.fail(err)
		}
	}
	result := l.result()
	for i, c := range l.channels {
		r := &result.LaunchResults[i]
		r.Requests = requests[i]
		c.tally(r, nil)
	}
	return Done[LaunchCampaignResult]{Result: result, Audit: l.record(result)}, nil
}

func (c *sending) preview(ctx context.Context) ([]fanfare.OutgoingRequest, error) {
	recipients := []string{""}
	if !c.connection.Provider().Broadcast {
		var err error
		recipients, err = c.run.Ledger.CampaignRecipients(ctx, c.launch.UserID, c.launch.CampaignID, c.channel, rehearsedMax)
		if err != nil {
			return nil, err
		}
	}
	var requests []fanfare.OutgoingRequest
	for _, recipient := range recipients {
		more, err := c.connection.Preview(ctx, c.message(fanfare.Begun{ID: c.launch.ID, Recipient: recipient}))
		if err != nil {
			return nil, err
		}
		requests = append(requests, more...)
	}
	return requests, nil
}
