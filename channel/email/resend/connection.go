package resend

import (
	"context"
	"errors"
	"net/http"
	"net/mail"
	"strings"
	"sync"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/email"
	"fanfare/channel/rest"
)

const (
	parallel = 4 // messages at once; the rate is what limits
	// memory is how long a key is surely remembered: Resend says 24 hours, and
	// our clock may be wrong.
	memory = 23 * time.Hour
)

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	from     *mail.Address
	rate     float64
	// changed has the ids of messages that Resend knows in another form: to send
	// them again settles nothing.
	changed sync.Map
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return parallel }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test lists the account's domains, and looks for the sender's. A key that may
// only send is told so, and is as good.
func (c *connection) Test(ctx context.Context) error {
	var domains struct {
		HasMore bool `json:"has_more"`
		Data    []struct{ Name, Status string }
	}
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/domains?limit=100", Answer: &domains})
	if err != nil {
		if nameOf(err) == restricted {
			return nil
		}
		return err
	}
	from, err := email.OnWire(c.from)
	if err != nil {
		return c.unusable("The sender is no address that mail can come from.")
	}
	for _, domain := range domains.Data {
		if strings.EqualFold(domain.Name, email.Domain(from)) && domain.Status != "verified" {
			return c.unusable("Resend says that the sender's domain is not verified: " + domain.Status + ".")
		} else if strings.EqualFold(domain.Name, email.Domain(from)) {
			return nil
		}
	}
	if domains.HasMore {
		return nil
	}
	return c.unusable("The sender's domain is none of the Resend account: add and verify it there.")
}

func (c *connection) unusable(why string) error {
	return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: c.api.Clean.Clean(why)}
}

// nameOf is what Resend calls the error, "" if it is none of Resend's.
func nameOf(err error) string {
	if answered, ok := errors.AsType[*rest.StatusError](err); ok {
		return problemOf(answered.Body).Name
	}
	return ""
}

// letter is what Resend is told, in its own words.
type letter struct {
	From    string            `json:"from"`
	To      []string          `json:"to"`
	Subject string            `json:"subject"`
	HTML    string            `json:"html"`
	Text    string            `json:"text"`
	Headers map[string]string `json:"headers"`
}

func (c *connection) call(m fanfare.Outgoing) (rest.Call, error) {
	message, err := email.Prepare(m, c.from)
	if err != nil {
		return rest.Call{}, err
	}
	return rest.Call{
		Method: http.MethodPost, Path: "/emails", Commits: true, Header: map[string]string{"Idempotency-Key": m.ID},
		Body: letter{
			From: email.Mailbox(message.From), To: []string{email.Mailbox(message.To)}, Subject: message.Subject,
			HTML: message.HTML, Text: message.Text, Headers: message.Headers,
		},
	}, nil
}

// Send implements fanfare.Connection. The id is Resend's. What was begun before,
// and so long ago that Resend may have forgotten it, is not sent again.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := c.call(m)
	if err != nil {
		return "", err
	}
	if m.Again && !remembered(m.ID) {
		return "", &fanfare.SendError{
			Fate: fanfare.FateUnknown, Reason: "Resend recognises a message for a day. This one was begun before that, and may have been sent; look there.",
		}
	}
	var taken struct{ ID string }
	call.Answer = &taken
	api := c.api
	api.Clean = api.Clean.And(m.Recipient)
	if err := api.Do(ctx, call); err != nil {
		if nameOf(err) == otherwise {
			c.changed.Store(m.ID, true)
		}
		return "", err
	}
	return rest.Named(name, taken.ID)
}

// remembered reports whether Resend knows the key still, if it was ever used: it
// was not before the delivery was planned.
func remembered(id string) bool {
	planned, err := connector.Began(id)
	return err == nil && time.Since(planned) < memory
}

// Ask implements fanfare.Connection: while the key is remembered, whoever sends
// the message again hears what became of it.
func (c *connection) Ask(_ context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	if _, changed := c.changed.Load(m.ID); changed || !remembered(m.ID) {
		return fanfare.Answer{State: fanfare.AnswerUnknown}, nil
	}
	return fanfare.Answer{State: fanfare.AnswerRepeat}, nil
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	call, err := c.call(m)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(call)
}
