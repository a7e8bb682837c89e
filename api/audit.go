package api

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"fanfare"
)

type auditStore interface {
	Audit(ctx context.Context, record fanfare.AuditRecord) error
	Audits(ctx context.Context, userID string, filter fanfare.AuditFilter, page fanfare.Page) ([]fanfare.AuditEntry, error)
}

type listAuditsInput struct {
	PageInput
	Action   string `query:"action" maxLength:"100" example:"campaign.create"`
	Resource string `query:"resource" maxLength:"200" doc:"The id of what something was done to"`
	Status   string `query:"status" enum:"success,failure"`
	From     string `query:"from" maxLength:"100" doc:"RFC 3339; records of this instant and later"`
	To       string `query:"to" maxLength:"100" doc:"RFC 3339; records of this instant and earlier"`
	UserID   string `query:"userId" maxLength:"100" doc:"For admins: whose; any for everybody's, those of nobody included; none for those of nobody, such as refused logins with an unknown address. For everyone else, their own id"`
}

// listAudits shows people what was done in their name, and admins what was done
// in anybody's, or in nobody's.
func (s *Server) listAudits(ctx context.Context, in *listAuditsInput) (*listOutput[fanfare.AuditEntry], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	filter, err := in.filter()
	if err != nil {
		return nil, err
	}
	userID, err := in.whose(user(ctx))
	if err != nil {
		return nil, err
	}
	entries, err := s.Store.Audits(ctx, userID, filter, page)
	if err != nil {
		return nil, err
	}
	filters := url.Values{
		"action": {in.Action}, "resource": {in.Resource}, "status": {in.Status}, "from": {in.From}, "to": {in.To}, "userId": {in.UserID},
	}
	return listed(in.PageInput, "/api/audit", filters, entries, func(e fanfare.AuditEntry) fanfare.Position {
		return fanfare.Position{CreatedAt: e.CreatedAt, ID: e.ID}
	}), nil
}

func (in *listAuditsInput) whose(asks fanfare.User) (string, error) {
	id := strings.ToLower(in.UserID)
	switch {
	case id == "" || id == asks.ID:
		return asks.ID, nil
	case id != fanfare.AuditsOfAny && id != fanfare.AuditsOfNone && !isID(id):
		return "", fanfare.Invalid("userId", "must be a UUID, any or none")
	case asks.Role != fanfare.RoleAdmin:
		return "", fanfare.Errorf(fanfare.CodeForbidden, "Only an admin may read other people's audit records. Leave userId out to read your own.")
	}
	return id, nil
}

func (in *listAuditsInput) filter() (filter fanfare.AuditFilter, err error) {
	if in.Action != "" && !slices.Contains(fanfare.AuditActions(), in.Action) {
		return filter, fanfare.Invalid("action", "must be one of %s", strings.Join(fanfare.AuditActions(), ", "))
	}
	filter = fanfare.AuditFilter{Action: in.Action, Resource: in.Resource, Status: fanfare.AuditStatus(in.Status)}
	if id := strings.ToLower(in.Resource); isID(id) {
		filter.Resource = id
	}
	if filter.From, err = instant("from", in.From); err != nil {
		return filter, err
	}
	if filter.To, err = instant("to", in.To); err != nil {
		return filter, err
	}
	if !filter.From.IsZero() && !filter.To.IsZero() && filter.To.Before(filter.From) {
		return filter, fanfare.Invalid("to", "must not be before from")
	}
	return filter, nil
}

// instant reads a time in a query; "" is none.
func instant(field, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC(); err != nil || at.Year() < 1 {
		return time.Time{}, fanfare.Invalid(field, "must be a time such as 2026-01-31T12:00:00Z (a + in it is written %%2B)")
	}
	return at, nil
}
