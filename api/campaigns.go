package api

import (
	"context"
	"net/url"

	"fanfare"
)

type campaignStore interface {
	CreateCampaign(ctx context.Context, campaign fanfare.Campaign) (fanfare.Campaign, error)
	Campaign(ctx context.Context, userID, id string) (fanfare.Campaign, error)
	CampaignForUpdate(ctx context.Context, userID, id string) (fanfare.Campaign, error)
	Campaigns(ctx context.Context, userID string, status fanfare.CampaignStatus, page fanfare.Page) ([]fanfare.Campaign, error)
	UpdateCampaign(ctx context.Context, campaign fanfare.Campaign) (fanfare.Campaign, error)
	DeleteCampaign(ctx context.Context, userID, id string) error
	StartConversation(ctx context.Context, userID string) (string, error)
	History(ctx context.Context, userID, conversationID string) ([]fanfare.Turn, error)
	AddTurns(ctx context.Context, conversationID string, turns ...fanfare.Turn) error
	Voice(ctx context.Context, userID, brandKitID string) (*fanfare.Voice, error)
}

type listCampaignsInput struct {
	PageInput
	Status string `query:"status" enum:"draft,generating,ready,launching,launched,partially_launched,failed"`
}

func (s *Server) listCampaigns(ctx context.Context, in *listCampaignsInput) (*listOutput[fanfare.Campaign], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	campaigns, err := s.Store.Campaigns(ctx, user(ctx).ID, fanfare.CampaignStatus(in.Status), page)
	if err != nil {
		return nil, err
	}
	if err := s.tellCampaignRuns(ctx, campaigns...); err != nil {
		return nil, err
	}
	return listed(in.PageInput, "/api/campaign", url.Values{"status": {in.Status}}, campaigns, func(c fanfare.Campaign) fanfare.Position {
		return fanfare.Position{CreatedAt: c.CreatedAt, ID: c.ID}
	}), nil
}

type campaignOutput struct{ Body fanfare.Campaign }

func (s *Server) getCampaign(ctx context.Context, in *IDInput) (*campaignOutput, error) {
	campaign, err := s.Store.Campaign(ctx, user(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	return &campaignOutput{Body: campaign}, s.tellCampaignRuns(ctx, campaign)
}

func (s *Server) deleteCampaign(ctx context.Context, in *IDInput) (*struct{}, error) {
	var canceled []fanfare.Job
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		// The jobs' rows before the campaign's: in this order ending a job
		// locks them too.
		live, err := s.Store.LiveJobs(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		if canceled, err = s.cancel(ctx, live...); err != nil {
			return err
		}
		campaign, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		if err := s.stopSchedule(ctx, campaign); err != nil {
			return err
		}
		if err := s.Store.DeleteCampaign(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		// Once more: a retry may have come in between. From here on the
		// campaign's row keeps others out.
		if live, err = s.Store.LiveJobs(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		late, err := s.cancel(ctx, live...)
		if err != nil {
			return err
		}
		canceled = append(canceled, late...)
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionCampaignDelete, in.ID, nil))
	})
	if err != nil {
		return nil, err
	}
	s.tellCanceled(ctx, canceled)
	return nil, nil
}

// stopSchedule tells in the audit that a campaign's schedule ends with it.
func (s *Server) stopSchedule(ctx context.Context, campaign fanfare.Campaign) error {
	if campaign.Schedule == nil || !campaign.Schedule.Enabled {
		return nil
	}
	return s.auditStop(ctx, *campaign.Schedule, "The campaign was deleted.")
}
