package kannel

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"fanfare"
	"fanfare/channel/rest"
	"fanfare/channel/sms"
)

// parallel is how many messages are handed over at once; a gateway stands close
// by, and answers when its box has taken a message.
const parallel = 8

// connection implements fanfare.Connection.
type connection struct {
	provider    fanfare.Provider
	api         rest.API
	from        string
	maxMessages int
	rate        float64
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return parallel }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test asks for a message to nobody: who has signed in is told that the receiver
// is missing.
func (c *connection) Test(ctx context.Context) error {
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Query: url.Values{"from": {c.from}, "text": {"test"}}})
	if err == nil {
		return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "The address takes a message to nobody: it is not that of sendsms."}
	}
	if answered, ok := errors.AsType[*rest.StatusError](err); ok && answered.Code == http.StatusBadRequest {
		return nil
	}
	return err
}

// Send implements fanfare.Connection. Kannel names no id, but writes the account
// of each message to its log: that is the delivery's.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := c.call(m)
	if err != nil {
		return "", err
	}
	api := c.api
	api.Clean = api.Clean.And(m.Recipient)
	if err := api.Do(ctx, call); err != nil {
		return "", err
	}
	return m.ID, nil
}

func (c *connection) call(m fanfare.Outgoing) (rest.Call, error) {
	text, err := sms.Text(m)
	if err != nil {
		return rest.Call{}, err
	}
	coding, err := c.coding(text)
	if err != nil {
		return rest.Call{}, err
	}
	return rest.Call{Method: http.MethodGet, Commits: true, Taken: taken, Query: url.Values{
		"from": {c.from}, "to": {m.Recipient}, "text": {text}, "charset": {"UTF-8"}, "coding": {coding}, "account": {m.ID},
	}}, nil
}

// taken knows what a gateway says of a message that it took: 202, or one of its
// sentences. Any web server says 200 to anything.
func taken(code int, body []byte) bool {
	said := strings.TrimSpace(string(body))
	return code == http.StatusAccepted || strings.HasPrefix(said, "0:") || strings.HasPrefix(said, "3:") || strings.HasPrefix(said, "Sent")
}

// coding is how the text goes over the air: 0 in the GSM alphabet, 2 in UCS-2. A
// gateway cuts what needs more messages than its user may send, and says nothing.
func (c *connection) coding(text string) (string, error) {
	parts, isUnicode := sms.Parts(text)
	if parts > c.maxMessages {
		return "", &fanfare.SendError{Fate: fanfare.FateRefused, Reason: fmt.Sprintf(
			"The text needs %d messages, and the gateway would cut it after %d; shorten it, use plain letters, or raise max-messages there and maxMessages here.",
			parts, c.maxMessages)}
	}
	if isUnicode {
		return "2", nil
	}
	return "0", nil
}

// Fits implements fanfare.Fitter.
func (c *connection) Fits(_ context.Context, content fanfare.Content) error {
	text, err := sms.Compose(content)
	if err == nil {
		_, err = c.coding(text)
	}
	return err
}

// Ask implements fanfare.Connection. Kannel can't be asked.
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
