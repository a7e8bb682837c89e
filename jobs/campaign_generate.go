package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"fanfare"
)

// GenerateCampaignPayload is what a generation starts from. Everything that
// shapes it is fixed when it is accepted: later edits change nothing.
type GenerateCampaignPayload struct {
	CampaignID     string            `json:"campaignId"`
	ConversationID string            `json:"conversationId"`
	Brief          fanfare.Brief     `json:"brief"`
	Channels       []fanfare.Channel `json:"channels,omitempty"` // none: those that the brief asks for
}

// GenerateCampaignResult is what a generation ends with.
type GenerateCampaignResult struct {
	Campaign       fanfare.Campaign `json:"campaign"`
	ConversationID string           `json:"conversationId" format:"uuid"`
}

// GenerateCampaign reads a brief and writes the content for each channel.
var GenerateCampaign = defineModel(Kind[GenerateCampaignPayload, GenerateCampaignResult]{
	Name: "campaign.generate",
	Settles: func(GenerateCampaignPayload) map[fanfare.JobStatus]fanfare.CampaignStatus {
		return map[fanfare.JobStatus]fanfare.CampaignStatus{
			fanfare.JobQueued:    fanfare.CampaignGenerating, // also when it is tried again
			fanfare.JobSucceeded: fanfare.CampaignReady,
			fanfare.JobFailed:    fanfare.CampaignFailed,
			fanfare.JobExpired:   fanfare.CampaignFailed,
			fanfare.JobCanceled:  fanfare.CampaignDraft,
		}
	},
	Exclusive: func(p GenerateCampaignPayload) string { return p.CampaignID },
	Work:      generateCampaign,
})

func generateCampaign(ctx context.Context, run *Run, p GenerateCampaignPayload) (Done[GenerateCampaignResult], error) {
	var none Done[GenerateCampaignResult]
	campaign, err := run.Campaigns.Campaign(ctx, run.Job.UserID, p.CampaignID)
	if err != nil {
		return none, fmt.Errorf("reading the campaign: %w", err)
	}
	intent, err := Step(ctx, run, "intent", func(ctx context.Context) (fanfare.Intent, fanfare.Usage, error) {
		return run.Writer.ReadBrief(ctx, p.Brief)
	})
	if err != nil {
		return none, err
	}
	if len(p.Channels) > 0 {
		intent.Channels = p.Channels
	}
	run.Plan(1 + len(intent.Channels))
	content, err := writeChannels(ctx, run, p.Brief, intent)
	if err != nil {
		return none, err
	}
	fill(&campaign, intent, content)
	return Done[GenerateCampaignResult]{
		Result:   GenerateCampaignResult{Campaign: campaign, ConversationID: p.ConversationID},
		Campaign: &campaign,
		Reply:    &fanfare.Reply{ConversationID: p.ConversationID, Content: content.String()},
	}, nil
}

// writeChannels writes the channels side by side. When one fails, the others
// still finish: what they produce is kept for the next attempt.
func writeChannels(ctx context.Context, run *Run, brief fanfare.Brief, intent fanfare.Intent) (fanfare.Content, error) {
	sink, closeTexts := run.OpenTexts()
	defer closeTexts()
	parts := make([]fanfare.ChannelContent, len(intent.Channels))
	errs := make([]error, len(intent.Channels))
	var wg sync.WaitGroup
	for i, channel := range intent.Channels {
		wg.Go(func() {
			errs[i] = Protect(func() (err error) {
				parts[i], err = writeChannel(ctx, run, channel, brief, intent, sink)
				return err
			})
		})
	}
	wg.Wait()
	if err := worst(errs); err != nil {
		return fanfare.Content{}, err
	}
	var content fanfare.Content
	for _, part := range parts {
		content.Set(part)
	}
	return content, nil
}

func writeChannel(ctx context.Context, run *Run, channel fanfare.Channel, brief fanfare.Brief, intent fanfare.Intent, sink fanfare.TextSink) (fanfare.ChannelContent, error) {
	raw, err := Step(ctx, run, string(channel), func(ctx context.Context) (json.RawMessage, fanfare.Usage, error) {
		part, usage, err := run.Writer.WriteContent(ctx, channel, brief, intent, sink)
		if err != nil {
			return nil, usage, err
		}
		raw, err := json.Marshal(part)
		return raw, usage, err
	})
	if err != nil {
		return nil, fmt.Errorf("writing for %s: %w", channel, err)
	}
	part := fanfare.NewChannelContent(channel)
	if err := json.Unmarshal(raw, part); err != nil {
		return nil, Permanent(fmt.Errorf("decoding the content for %s: %w", channel, err))
	}
	return part, nil
}

// worst picks the error that decides: one that no retry mends before one that
// says when to come back, the latest of these, before any other.
func worst(errs []error) error {
	var first error
	for _, err := range errs {
		if err != nil && (first == nil || weight(err) > weight(first)) {
			first = err
		}
	}
	return first
}

func weight(err error) time.Duration {
	steered := steer(err)
	if IsPermanent(steered) {
		return math.MaxInt64
	}
	delay, _ := SnoozeDelay(steered)
	return delay
}

func fill(campaign *fanfare.Campaign, intent fanfare.Intent, content fanfare.Content) {
	campaign.Goal = intent.Goal
	campaign.Channels = intent.Channels
	campaign.Content = content
	campaign.Budget = intent.Budget
	campaign.Intent = &intent
	campaign.Status = fanfare.CampaignReady
	campaign.UpdatedAt = time.Now().UTC().Truncate(time.Microsecond)
	campaign.DescribeAudience(intent.Audience)
}
