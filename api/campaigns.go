package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"unicode/utf8"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"fanfare"
	"fanfare/jobs"
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

type submitCampaignInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Prefer         string `header:"Prefer" doc:"wait=N, up to 25: answer with the result if it is there within N seconds"`
	Body           struct {
		Prompt              string `json:"prompt" doc:"The brief: 1 to 2,000 characters after cleaning"`
		ConversationHistory []struct {
			Role    string `json:"role"`
			Content string `json:"content" doc:"At most 5,000 characters"`
		} `json:"conversationHistory,omitempty" doc:"Earlier turns, oldest first: at most 50. Left aside where conversationId is given"`
		ConversationID *string           `json:"conversationId,omitempty" doc:"Continues a conversation; its stored messages are the history"`
		Channels       []fanfare.Channel `json:"channels,omitempty" enum:"email,social,ppc,sms" doc:"Which channels to write for; those that the brief asks for, where empty"`
		BrandKitID     *string           `json:"brandKitId,omitempty" doc:"Whose tone and values to use; the active kit's, where it is left out"`
	}
}

// Submitted is the answer to an accepted brief.
type Submitted struct {
	Job            Job              `json:"job"`
	Campaign       fanfare.Campaign `json:"campaign"`
	ConversationID string           `json:"conversationId"`
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
		return s.submitted(ctx, job)
	})
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
	return accepted(job, Submitted{Job: viewJob(job), Campaign: campaign, ConversationID: payload.ConversationID}), nil
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

// submitted is the answer about a generation as it stands now.
func (s *Server) submitted(ctx context.Context, job fanfare.Job) (Submitted, error) {
	var payload jobs.GenerateCampaignPayload
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return Submitted{}, fmt.Errorf("decoding a payload: %w", err)
	}
	campaign, err := s.Store.Campaign(ctx, job.UserID, payload.CampaignID)
	if err != nil {
		return Submitted{}, err
	}
	return Submitted{Job: viewJob(job), Campaign: campaign, ConversationID: payload.ConversationID}, nil
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
	return listed(in.PageInput, "/api/campaign", url.Values{"status": {in.Status}}, campaigns, func(c fanfare.Campaign) fanfare.Position {
		return fanfare.Position{CreatedAt: c.CreatedAt, ID: c.ID}
	}), nil
}

type campaignOutput struct{ Body fanfare.Campaign }

func (s *Server) getCampaign(ctx context.Context, in *IDInput) (*campaignOutput, error) {
	campaign, err := s.Store.Campaign(ctx, user(ctx).ID, in.ID)
	return &campaignOutput{Body: campaign}, err
}

// campaignEdit is the part of a campaign that its owner may change.
type campaignEdit struct {
	Goal     string            `json:"goal" doc:"1 to 2,000 characters"`
	Channels []fanfare.Channel `json:"channels" enum:"email,social,ppc,sms" minItems:"1"`
	Content  fanfare.Content   `json:"content"`
	Audience json.RawMessage   `json:"audience" doc:"An object of up to 64 KiB"`
	Budget   *fanfare.Money    `json:"budget" doc:"null for none"`
}

type patchCampaignInput struct {
	IDInput
	RawBody []byte
}

func (s *Server) patchCampaign(ctx context.Context, in *patchCampaignInput) (*campaignOutput, error) {
	out := &campaignOutput{}
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		campaign, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		if campaign.Status == fanfare.CampaignGenerating || campaign.Status == fanfare.CampaignLaunching {
			return fanfare.Errorf(fanfare.CodeCampaignBusy,
				"The campaign is %s, and would lose your edit. Wait until its job is over, or cancel that first.", campaign.Status)
		}
		if err := s.edit(&campaign, in.RawBody); err != nil {
			return err
		}
		if out.Body, err = s.Store.UpdateCampaign(ctx, campaign); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionCampaignUpdate, in.ID, nil))
	})
	return out, err
}

// edit merges a patch (RFC 7396) into what may be edited of a campaign.
func (s *Server) edit(campaign *fanfare.Campaign, patch []byte) error {
	if !bytes.HasPrefix(bytes.TrimSpace(patch), []byte("{")) {
		return fanfare.Invalid("body", "must be an object with what is to be changed")
	}
	document, err := json.Marshal(campaignEdit{
		Goal: campaign.Goal, Channels: campaign.Channels, Content: campaign.Content,
		Audience: campaign.Audience, Budget: campaign.Budget,
	})
	if err != nil {
		return fmt.Errorf("encoding a campaign to be edited: %w", err)
	}
	merged, err := jsonpatch.MergePatch(document, patch)
	if err != nil {
		return fanfare.Invalid("body", "is no JSON merge patch (RFC 7396)").WithCause(err)
	}
	var edited campaignEdit
	if err := json.Unmarshal(merged, &edited); err != nil {
		return badField(err)
	}
	if err := edited.check(); err != nil {
		return err
	}
	if edited.Content.Email != nil {
		edited.Content.Email.Body = s.Cleaner.CleanHTML(edited.Content.Email.Body)
	}
	campaign.Goal, campaign.Channels, campaign.Content = edited.Goal, edited.Channels, edited.Content
	campaign.Audience, campaign.Budget = edited.Audience, edited.Budget
	return nil
}

const (
	goalMax     = 2000
	audienceMax = 64 << 10
	budgetMax   = 999_999_999 * fanfare.MoneyUnit
)

func (e *campaignEdit) check() error {
	if n := utf8.RuneCountInString(e.Goal); n < 1 || n > goalMax {
		return fanfare.Invalid("goal", "must have 1 to %d characters", goalMax)
	}
	if len(e.Channels) == 0 {
		return fanfare.Invalid("channels", "must name at least one channel")
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

// badField says which field has a value of the wrong type.
func badField(err error) error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return fanfare.Invalid(e.Field, "can't be a %s", e.Value)
	}
	return fanfare.Invalid("body", "has a value of the wrong type").WithCause(err)
}

func (s *Server) deleteCampaign(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, s.Store.Atomic(ctx, func(ctx context.Context) error {
		if _, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		live, err := s.Store.LiveJobs(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		if err := s.cancel(ctx, live...); err != nil {
			return err
		}
		if err := s.Store.DeleteCampaign(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionCampaignDelete, in.ID, nil))
	})
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
