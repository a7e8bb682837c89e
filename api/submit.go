package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"fanfare"
	"fanfare/jobs"
)

type submitCampaignInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Prefer         string `header:"Prefer" doc:"wait=N, up to 25: answer with the result if it is there within N seconds"`
	Body           struct {
		Prompt              string            `json:"prompt" doc:"The brief: 1 to 2,000 characters after cleaning"`
		ConversationHistory []PastTurn        `json:"conversationHistory,omitempty" doc:"Earlier turns, oldest first: at most 50. Left aside where conversationId is given"`
		ConversationID      *string           `json:"conversationId,omitempty" doc:"Continues a conversation; its stored messages are the history"`
		Channels            []fanfare.Channel `json:"channels,omitempty" doc:"Which channels to write for; those that the brief asks for, where empty"`
		BrandKitID          *string           `json:"brandKitId,omitempty" doc:"Whose tone and values to use; the active kit's, where it is left out"`
	}
}

// PastTurn is a turn of a conversation as the client tells it.
type PastTurn struct {
	Role    string `json:"role" doc:"user or assistant; everything else counts as user"`
	Content string `json:"content" doc:"At most 5,000 characters after cleaning"`
}

// Submitted is the answer to an accepted brief.
type Submitted struct {
	Job            Job              `json:"job"`
	Campaign       fanfare.Campaign `json:"campaign"`
	ConversationID string           `json:"conversationId" format:"uuid"`
}

// Generated is a finished generation, for those who waited.
type Generated jobs.GenerateCampaignResult

func (s *Server) submitCampaign(ctx context.Context, in *submitCampaignInput) (*submitOutput, error) {
	payload, err := s.readBrief(in)
	if err != nil {
		return nil, err
	}
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) {
		return s.acceptBrief(ctx, payload, value(in.Body.BrandKitID))
	})
	if err != nil {
		return nil, err
	}
	return s.answerSubmission(ctx, answer, in.Prefer, func(job fanfare.Job) (any, error) {
		return s.asSubmitted(ctx, answer, job)
	}), nil
}

// readBrief cleans what the user wrote, or refuses it.
func (s *Server) readBrief(in *submitCampaignInput) (jobs.GenerateCampaignPayload, error) {
	text, err := s.Cleaner.CleanBrief(in.Body.Prompt)
	if err != nil {
		return jobs.GenerateCampaignPayload{}, err
	}
	turns := make([]fanfare.Turn, len(in.Body.ConversationHistory))
	for i, turn := range in.Body.ConversationHistory {
		turns[i] = fanfare.Turn{Role: turn.Role, Content: turn.Content}
	}
	history, err := s.Cleaner.CleanHistory(turns)
	if err != nil {
		return jobs.GenerateCampaignPayload{}, err
	}
	return jobs.GenerateCampaignPayload{
		ConversationID: value(in.Body.ConversationID),
		Brief:          fanfare.Brief{Text: text, History: history},
		Channels:       distinct(in.Body.Channels),
	}, nil
}

// acceptBrief writes everything that an accepted brief is: the campaign, the
// conversation's turn, the job with its first event, and the audit record.
func (s *Server) acceptBrief(ctx context.Context, payload jobs.GenerateCampaignPayload, brandKitID string) (created, error) {
	userID := user(ctx).ID
	voice, err := s.Store.Voice(ctx, userID, brandKitID)
	if err != nil {
		return created{}, err
	}
	payload.Brief.Voice = voice
	if err := s.converse(ctx, userID, &payload); err != nil {
		return created{}, err
	}
	campaign, err := s.Store.CreateCampaign(ctx, fanfare.Campaign{
		UserID: userID, Goal: payload.Brief.Text, Channels: payload.Channels, Status: fanfare.CampaignGenerating,
	})
	if err != nil {
		return created{}, err
	}
	payload.CampaignID = campaign.ID
	newJob, err := jobs.GenerateCampaign.New(userID, campaign.ID, payload)
	if err != nil {
		return created{}, err
	}
	job, err := s.Store.Submit(ctx, newJob)
	if err != nil {
		return created{}, err
	}
	if err := s.Store.Audit(ctx, audited(ctx, fanfare.ActionCampaignCreate, campaign.ID, map[string]any{"job": job.ID})); err != nil {
		return created{}, err
	}
	return accepted(job, Submitted{Job: ViewJob(job), Campaign: campaign, ConversationID: payload.ConversationID}), nil
}

// converse continues the conversation or starts one, and adds the brief to it.
func (s *Server) converse(ctx context.Context, userID string, payload *jobs.GenerateCampaignPayload) (err error) {
	brief := fanfare.Turn{Role: fanfare.MessageUser, Content: payload.Brief.Text}
	if payload.ConversationID != "" {
		if payload.Brief.History, err = s.Store.History(ctx, userID, payload.ConversationID); err != nil {
			return err
		}
		return s.Store.AddTurns(ctx, payload.ConversationID, brief)
	}
	if payload.ConversationID, err = s.Store.StartConversation(ctx, userID); err != nil {
		return err
	}
	return s.Store.AddTurns(ctx, payload.ConversationID, append(slices.Clone(payload.Brief.History), brief)...)
}

// asSubmitted is the answer to a submission with its job and its campaign as
// they stand now. Of a campaign that was deleted meanwhile it tells what was
// accepted.
func (s *Server) asSubmitted(ctx context.Context, answer created, job fanfare.Job) (Submitted, error) {
	var body Submitted
	raw, err := json.Marshal(answer.body)
	if err == nil {
		err = json.Unmarshal(raw, &body)
	}
	if err != nil {
		return body, fmt.Errorf("reading an answer again: %w", err)
	}
	body.Job = ViewJob(job)
	campaign, err := s.Store.Campaign(ctx, job.UserID, body.Campaign.ID)
	switch {
	case err == nil:
		body.Campaign = campaign
		return body, s.tellCampaignRuns(ctx, campaign)
	case fanfare.ErrorCode(err) != fanfare.CodeNotFound:
		return body, err
	}
	return body, nil
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// distinct keeps the first of each.
func distinct(channels []fanfare.Channel) []fanfare.Channel {
	var kept []fanfare.Channel
	for _, channel := range channels {
		if !slices.Contains(kept, channel) {
			kept = append(kept, channel)
		}
	}
	return kept
}
