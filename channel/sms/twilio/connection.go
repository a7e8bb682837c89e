package twilio

import (
	"context"
	"net/http"
	"net/url"

	"fanfare"
	"fanfare/channel/rest"
	"fanfare/channel/sms"
)

// parallel is how many messages are handed over at once. Twilio queues them, and
// sends at the pace of the sender's kind of number.
const parallel = 8

// connection implements fanfare.Connection.
type connection struct {
	provider      fanfare.Provider
	api           rest.API
	account       string // its path
	from, service string // one of both
	rate          float64
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return parallel }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test reads the account.
func (c *connection) Test(ctx context.Context) error {
	var account struct{ Status string }
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: c.account + ".json", Answer: &account})
	if err == nil && account.Status != "active" {
		return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: c.api.Clean.Clean("Twilio says that the account is " + account.Status + ".")}
	}
	return err
}

// Send implements fanfare.Connection. The id is the message's SID.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := c.call(m)
	if err != nil {
		return "", err
	}
	var message struct{ SID string }
	call.Answer = &message
	api := c.api
	api.Clean = api.Clean.And(m.Recipient)
	if err := api.Do(ctx, call); err != nil {
		return "", err
	}
	return rest.Named(name, message.SID)
}

func (c *connection) call(m fanfare.Outgoing) (rest.Call, error) {
	text, err := sms.Text(m)
	if err != nil {
		return rest.Call{}, err
	}
	form := url.Values{"To": {m.Recipient}, "Body": {text}}
	if c.service != "" {
		form.Set("MessagingServiceSid", c.service)
	} else {
		form.Set("From", c.from)
	}
	return rest.Call{Method: http.MethodPost, Path: c.account + "/Messages.json", Form: form, Commits: true}, nil
}

// Ask implements fanfare.Connection. Twilio can't be asked for a message of
// whose SID nobody heard.
func (c *connection) Ask(context.Context, fanfare.Outgoing) (fanfare.Answer, error) {
	return fanfare.Answer{State: fanfare.AnswerUnknown}, nil
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	call, err := c.call(m)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(call)
}
