package api

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"fanfare"
)

type recipientStore interface {
	NewRecipientList(ctx context.Context, campaignID string) (string, error)
	AddRecipients(ctx context.Context, listID string, recipients []fanfare.Recipient) (fanfare.RecipientCounts, error)
	CopyRecipients(ctx context.Context, from, to string, channel fanfare.Channel) (copied int, err error)
	RecipientList(ctx context.Context, userID, campaignID string) (string, error)
	UseRecipients(ctx context.Context, userID, campaignID, listID string, counts fanfare.RecipientCounts) (fanfare.Campaign, error)
}

// recipientBatch is how many recipients are stored at once: an open transaction
// holds back the events of all.
const recipientBatch = 5000

type putRecipientsInput struct {
	IDInput
	request *gin.Context
}

// Resolve implements huma.Resolver.
func (in *putRecipientsInput) Resolve(ctx huma.Context) []error {
	in.request = humaginContext(ctx)
	return in.IDInput.Resolve(ctx)
}

// PutRecipients is what became of a file.
type PutRecipients struct {
	fanfare.RecipientCounts
	Invalid      []InvalidLine `json:"invalid" nullable:"false" doc:"Lines that were left out, the first 1,000 of them"`
	InvalidTotal int           `json:"invalidTotal" doc:"How many were left out"`
}

type putRecipientsOutput struct{ Body PutRecipients }

// putRecipients fills a new list as the file comes, in transactions of their
// own, and puts it in the old one's place in the end: a file that does not
// arrive whole changes nothing.
func (s *Server) putRecipients(ctx context.Context, in *putRecipientsInput) (*putRecipientsOutput, error) {
	campaign, err := s.Store.Campaign(ctx, user(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	if err := idle(campaign); err != nil {
		return nil, err
	}
	upload, err := openUpload(in.request)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.NewRecipientList(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	file := newRecipientFile(upload)
	counts, err := s.fill(ctx, list, file)
	if err != nil {
		return nil, err
	}
	if counts.Total() == 0 {
		return nil, nobodyIn(file)
	}
	if err := s.replaceRecipients(ctx, in.ID, list, counts); err != nil {
		return nil, err
	}
	return &putRecipientsOutput{PutRecipients{RecipientCounts: counts, Invalid: file.invalid, InvalidTotal: file.invalidTotal}}, nil
}

func (s *Server) fill(ctx context.Context, list string, file *recipientFile) (counts fanfare.RecipientCounts, err error) {
	for {
		batch, end := file.batch(recipientBatch)
		if end != nil && !errors.Is(end, io.EOF) {
			return counts, end
		}
		added, err := s.Store.AddRecipients(ctx, list, batch)
		if err != nil {
			return counts, err
		}
		counts.Add(fanfare.Email, added.Email)
		counts.Add(fanfare.SMS, added.SMS)
		if end != nil {
			return counts, nil
		}
	}
}

// nobodyIn refuses a file without recipients: it is the wrong one, or cut.
func nobodyIn(file *recipientFile) error {
	e := fanfare.Errorf(fanfare.CodeInvalidRequest,
		"The file has no line with a recipient, and nothing was changed. Each line has a channel, email or sms, and an address, as in: email,ada@example.com")
	for _, invalid := range file.invalid[:min(len(file.invalid), maxFieldErrors)] {
		e.Fields = append(e.Fields, fanfare.FieldError{Field: fmt.Sprintf("line %d", invalid.Line), Message: invalid.Reason})
	}
	if len(e.Fields) == 0 {
		e.Fields = []fanfare.FieldError{{Field: "body", Message: "is empty; to remove all recipients, PATCH the campaign with audience.recipients null"}}
	}
	return e
}

// replaceRecipients makes a list the campaign's, unless a job has begun to work
// on the campaign meanwhile.
func (s *Server) replaceRecipients(ctx context.Context, campaignID, list string, counts fanfare.RecipientCounts) error {
	return s.Store.Atomic(ctx, func(ctx context.Context) error {
		campaign, err := s.Store.CampaignForUpdate(ctx, user(ctx).ID, campaignID)
		if err != nil {
			return err
		}
		if err := idle(campaign); err != nil {
			return err
		}
		if _, err := s.Store.UseRecipients(ctx, campaign.UserID, campaignID, list, counts); err != nil {
			return err
		}
		return s.Store.Audit(ctx, auditedRecipients(ctx, campaignID, counts))
	})
}

// auditedRecipients is a record that counts the recipients and names none.
func auditedRecipients(ctx context.Context, campaignID string, counts fanfare.RecipientCounts) fanfare.AuditRecord {
	return audited(ctx, fanfare.ActionRecipientsReplace, campaignID, map[string]any{"email": counts.Email, "sms": counts.SMS})
}
