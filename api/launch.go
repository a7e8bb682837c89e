package api

import (
	"context"
	"time"

	"fanfare"
	"fanfare/jobs"
)

type launchStore interface {
	jobs.LaunchStore
	IntegrationFor(ctx context.Context, userID string, channel fanfare.Channel) (fanfare.Integration, error)
	Reserve(ctx context.Context, integrationID string, rate float64, within time.Duration) (time.Duration, error)
}

type launchInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Prefer         string `header:"Prefer" doc:"wait=N, up to 25: answer with the result if it is there within N seconds"`
	Body           struct {
		CampaignID   string                     `json:"campaignId"`
		Channels     []fanfare.Channel          `json:"channels,omitempty" doc:"Those of the campaign, where empty"`
		Integrations map[fanfare.Channel]string `json:"integrations,omitempty" doc:"The id of the integration to use, by channel; the newest, where it is left out"`
		DryRun       bool                       `json:"dryRun,omitempty" doc:"Check everything and show what would go out; send nothing"`
	}
}

// LaunchAccepted is the answer to an accepted launch.
type LaunchAccepted struct {
	Job      Job              `json:"job"`
	Campaign fanfare.Campaign `json:"campaign"`
}

// Launched is a finished launch, for those who waited.
type Launched jobs.LaunchCampaignResult

func (s *Server) launchCampaign(ctx context.Context, in *launchInput) (*submitOutput, error) {
	request := jobs.LaunchRequest{
		UserID: user(ctx).ID, CampaignID: in.Body.CampaignID, Channels: distinct(in.Body.Channels),
		Integrations: in.Body.Integrations, DryRun: in.Body.DryRun,
	}
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) { return s.acceptLaunch(ctx, request) })
	if err != nil {
		s.auditRefusedLaunch(ctx, request, err)
		return nil, err
	}
	return s.answerSubmission(ctx, answer, in.Prefer, func(job fanfare.Job) (any, error) {
		campaign, err := s.Store.Campaign(ctx, request.UserID, request.CampaignID)
		return LaunchAccepted{Job: ViewJob(job), Campaign: campaign}, err
	}), nil
}

func (s *Server) acceptLaunch(ctx context.Context, request jobs.LaunchRequest) (created, error) {
	job, campaign, err := jobs.SubmitLaunch(ctx, s.Store, request)
	if err != nil {
		return created{}, err
	}
	record := audited(ctx, fanfare.ActionCampaignLaunchAsk, campaign.ID, map[string]any{"job": job.ID, "dryRun": request.DryRun})
	return accepted(job, LaunchAccepted{Job: ViewJob(job), Campaign: campaign}), s.Store.Audit(ctx, record)
}

// auditRefusedLaunch leaves a record of a launch that was asked for in vain. Its
// refusal stands, whether the record can be written or not.
func (s *Server) auditRefusedLaunch(ctx context.Context, request jobs.LaunchRequest, refusal error) {
	code := fanfare.ErrorCode(refusal)
	if code != fanfare.CodeNotReady && code != fanfare.CodeLaunchInProgress {
		return
	}
	record := audited(ctx, fanfare.ActionCampaignLaunchAsk, request.CampaignID, map[string]any{"code": code})
	record.Status = fanfare.AuditFailure
	if err := s.Store.Audit(ctx, record); err != nil {
		s.Logger.WarnContext(ctx, "a refused launch could not be recorded", "error", err)
	}
}
