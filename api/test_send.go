package api

import (
	"context"
	"fmt"
	"time"

	"github.com/gofrs/uuid/v5"

	"fanfare"
)

type testSendInput struct {
	IDInput
	Body struct {
		Channel fanfare.Channel `json:"channel,omitempty" enum:"email,sms"`
		To      string          `json:"to,omitempty" doc:"An address, or a phone number such as +15551234567"`
	}
}

type testSendOutput struct {
	Body struct {
		Success bool   `json:"success"`
		Reason  string `json:"reason,omitempty" doc:"Why it was not sent"`
	}
}

// testSend sends a campaign's content to one address, so that its author sees
// what others will get. It is no launch: nothing is counted or kept.
func (s *Server) testSend(ctx context.Context, in *testSendInput) (*testSendOutput, error) {
	campaign, err := s.Store.Campaign(ctx, user(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	if !fanfare.HasRecipients(in.Body.Channel) {
		return nil, fanfare.Invalid("channel", "must be email or sms")
	}
	to, err := fanfare.ParseRecipient(string(in.Body.Channel), in.Body.To)
	if err != nil {
		return nil, fanfare.Invalid("to", "%s", err)
	}
	out := &testSendOutput{}
	if out.Body.Reason, err = s.sendTest(ctx, campaign, in.Body.Channel, to); err != nil {
		return nil, err
	}
	out.Body.Success = out.Body.Reason == ""
	record := audited(ctx, fanfare.ActionCampaignTestSend, campaign.ID, map[string]any{"channel": in.Body.Channel})
	if !out.Body.Success {
		record.Status = fanfare.AuditFailure
	}
	if err := s.Store.Audit(ctx, record); err != nil {
		// The message is out: an error would have it sent once more.
		s.Logger.WarnContext(ctx, "a test message could not be recorded", "error", err)
	}
	return out, nil
}

// sendTest returns why the message was not sent, "" if it was.
func (s *Server) sendTest(ctx context.Context, campaign fanfare.Campaign, channel fanfare.Channel, to string) (string, error) {
	if campaign.Content.Part(channel) == nil {
		return fmt.Sprintf("The campaign has no content for %s.", channel), nil
	}
	unwanted, err := s.Store.Suppressed(ctx, campaign.UserID, channel, to)
	if err != nil {
		return "", err
	}
	if unwanted {
		return "This address has unsubscribed from your messages.", nil
	}
	integration, err := s.Store.IntegrationFor(ctx, campaign.UserID, channel)
	if fanfare.ErrorCode(err) == fanfare.CodeNotFound {
		return fmt.Sprintf("No integration serves %s. Connect one first.", channel), nil
	}
	if err != nil {
		return "", err
	}
	message := fanfare.Outgoing{
		ID: uuid.Must(uuid.NewV7()).String(), Channel: channel, Recipient: to, Content: campaign.Content, Test: true,
	}
	if channel == fanfare.Email {
		message.UnsubscribeURL = s.Links.UnsubscribeURL(campaign.UserID, channel, to)
	}
	verdict, err := s.callProvider(ctx, integration, func(c fanfare.Connection, ctx context.Context) error {
		if err := s.awaitRate(ctx, integration.ID, c.Rate()); err != nil {
			return err
		}
		_, err := c.Send(ctx, message)
		return err
	})
	if verdict != nil && verdict.Fate == fanfare.FateUnknown {
		return "It can't be told whether the provider took the message. Look for it before you try again.", err
	}
	return reason(verdict), err
}

// rateLimit is how long a test message waits for its turn among others.
const rateLimit = 5 * time.Second

// awaitRate keeps a test message to the rate that launches are held to.
func (s *Server) awaitRate(ctx context.Context, integrationID string, rate float64) error {
	wait, err := s.Store.Reserve(ctx, integrationID, rate, rateLimit)
	if err != nil {
		return err
	}
	if wait > rateLimit {
		return &fanfare.SendError{Fate: fanfare.FateHalted, Reason: "Its sending rate is used up for now."}
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}
