package api

import (
	"context"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"fanfare"
)

// campaignEdit is the part of a campaign that its owner may change.
type campaignEdit struct {
	Goal     string            `json:"goal" doc:"1 to 2,000 characters"`
	Channels []fanfare.Channel `json:"channels" nullable:"false" minItems:"1"`
	Content  fanfare.Content   `json:"content"`
	Audience json.RawMessage   `json:"audience" doc:"An object of up to 64 KiB. recipients.email and recipients.sms take lists of addresses, which replace those that the campaign has, or null for none; they are shown as counts"`
	Budget   *fanfare.Money    `json:"budget" nullable:"true" doc:"null for none"`
}

type patchCampaignInput struct {
	IDInput
	RawBody []byte
}

func (s *Server) patchCampaign(ctx context.Context, in *patchCampaignInput) (*campaignOutput, error) {
	staged, err := s.stageRecipients(ctx, in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	out := &campaignOutput{}
	err = s.Store.Atomic(ctx, func(ctx context.Context) error {
		campaign, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		if err := idle(campaign); err != nil {
			return err
		}
		lists, err := s.edit(&campaign, in.RawBody)
		if err != nil {
			return err
		}
		if campaign, err = s.Store.UpdateCampaign(ctx, campaign); err != nil {
			return err
		}
		if out.Body, err = s.useStaged(ctx, campaign, lists, staged); err != nil {
			return err
		}
		if err := s.tellCampaignRuns(ctx, out.Body); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionCampaignUpdate, in.ID, nil))
	})
	return out, err
}

// idle refuses to edit a campaign that a job works on.
func idle(campaign fanfare.Campaign) error {
	if campaign.Status != fanfare.CampaignGenerating && campaign.Status != fanfare.CampaignLaunching {
		return nil
	}
	return fanfare.Errorf(fanfare.CodeCampaignBusy,
		"The campaign is %s, and would lose your edit. Wait until its job is over, or cancel that first.", campaign.Status)
}

// edit merges a patch (RFC 7396) into what may be edited of a campaign,
// all but the lists of recipients, which it returns.
func (s *Server) edit(campaign *fanfare.Campaign, patch []byte) (recipientLists, error) {
	edited, err := merge(campaignEdit{
		Goal: campaign.Goal, Channels: campaign.Channels, Content: campaign.Content,
		Audience: campaign.Audience, Budget: campaign.Budget,
	}, patch)
	if err != nil {
		return nil, err
	}
	var lists recipientLists
	if edited.Audience, lists, err = takeRecipients(edited.Audience, campaign.RecipientCounts()); err != nil {
		return nil, err
	}
	if len(campaign.Channels) > 0 && len(edited.Channels) == 0 {
		return nil, fanfare.Invalid("channels", "must name at least one channel")
	}
	if err := edited.check(); err != nil {
		return nil, err
	}
	if raw, err := json.Marshal(edited.Content); err != nil || len(raw) > contentMax {
		return nil, fanfare.Invalid("content", "must have at most 256 KiB")
	}
	if edited.Content.Email != nil {
		edited.Content.Email.Body = s.Cleaner.CleanHTML(edited.Content.Email.Body)
	}
	campaign.Goal, campaign.Channels, campaign.Content = edited.Goal, edited.Channels, edited.Content
	campaign.Audience, campaign.Budget = edited.Audience, edited.Budget
	return lists, nil
}

const (
	goalMax     = 2000
	audienceMax = 64 << 10
	contentMax  = 256 << 10
	budgetMax   = 999_999_999 * fanfare.MoneyUnit
)

func (e *campaignEdit) check() error {
	if n := utf8.RuneCountInString(e.Goal); n < 1 || n > goalMax {
		return fanfare.Invalid("goal", "must have 1 to %d characters", goalMax)
	}
	for _, channel := range e.Channels {
		if !slices.Contains(fanfare.Channels(), channel) {
			return fanfare.Invalid("channels", "must be some of email, social, ppc, sms")
		}
	}
	e.Channels = distinct(e.Channels)
	if len(e.Audience) == 0 || string(e.Audience) == "null" {
		e.Audience = json.RawMessage(`{}`)
	}
	if e.Audience[0] != '{' || len(e.Audience) > audienceMax {
		return fanfare.Invalid("audience", "must be an object of at most 64 KiB")
	}
	if e.Budget != nil && (*e.Budget < 0 || *e.Budget > budgetMax || *e.Budget%(fanfare.MoneyUnit/100) != 0) {
		return fanfare.Invalid("budget", "must be an amount between 0 and 999999999 with at most two decimals")
	}
	return nil
}
