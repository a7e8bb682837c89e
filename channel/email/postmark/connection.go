package postmark

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"time"

	"fanfare"
	"fanfare/channel/email"
	"fanfare/channel/rest"
)

const (
	// parallel is how many messages are handed over at once. Postmark names no
	// limit, and asks to be asked less where it answers 429.
	parallel = 8
	// metadata is the key under which a message carries the delivery's id.
	metadata = "delivery"
	// lag is how long to wait before a second look: the search may not know yet
	// what was taken just now.
	lag = 3 * time.Second
)

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	from     *mail.Address
	stream   string
	rate     float64
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return parallel }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test reads the server that the token is of, and the stream.
func (c *connection) Test(ctx context.Context) error {
	if err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/server"}); err != nil {
		return err
	}
	var stream struct{ MessageStreamType, ArchivedAt string }
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/message-streams/" + url.PathEscape(c.stream), Answer: &stream})
	if answered, ok := errors.AsType[*rest.StatusError](err); ok && (answered.Code == http.StatusNotFound || problemOf(answered.Body).ErrorCode == 1226) {
		return c.unusable("there is no stream " + c.stream)
	}
	switch {
	case err != nil:
		return err
	case stream.MessageStreamType == "Inbound":
		return c.unusable("nothing is sent by the stream " + c.stream)
	case stream.ArchivedAt != "":
		return c.unusable("the stream " + c.stream + " is archived")
	default:
		return nil
	}
}

func (c *connection) unusable(why string) error {
	return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: c.api.Clean.Clean("Postmark says that " + why + ".")}
}

type header struct{ Name, Value string }

// letter is what Postmark is told, in its own words.
type letter struct {
	From, To, Subject string
	HTMLBody          string `json:"HtmlBody"`
	TextBody          string
	MessageStream     string
	Headers           []header
	Metadata          map[string]string
	TrackOpens        bool
	TrackLinks        string
}

// call has nothing tracked, whatever the server is set to: a link leads where it
// says.
func (c *connection) call(m fanfare.Outgoing) (rest.Call, error) {
	message, err := email.Prepare(m, c.from)
	if err != nil {
		return rest.Call{}, err
	}
	var headers []header
	for _, name := range slices.Sorted(maps.Keys(message.Headers)) {
		headers = append(headers, header{name, message.Headers[name]})
	}
	return rest.Call{Method: http.MethodPost, Path: "/email", Commits: true, Body: letter{
		From: email.Mailbox(message.From), To: email.Mailbox(message.To), Subject: message.Subject,
		HTMLBody: message.HTML, TextBody: message.Text, MessageStream: c.stream, Headers: headers,
		Metadata: map[string]string{metadata: m.ID}, TrackLinks: "None",
	}}, nil
}

// Send implements fanfare.Connection. The id is Postmark's.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := c.call(m)
	if err != nil {
		return "", err
	}
	var taken struct{ MessageID string }
	call.Answer = &taken
	api := c.api
	api.Clean = api.Clean.And(m.Recipient)
	if err := api.Do(ctx, call); err != nil {
		return "", err
	}
	return rest.Named(name, taken.MessageID)
}

// Ask implements fanfare.Connection.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	id, err := c.find(ctx, m.ID)
	if err == nil && id == "" {
		select {
		case <-ctx.Done():
		case <-time.After(lag):
		}
		id, err = c.find(ctx, m.ID)
	}
	if err != nil || id == "" {
		return fanfare.Answer{State: fanfare.AnswerUnknown}, err
	}
	return fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: id}, nil
}

// find returns what Postmark calls the message with the delivery's id, "" if the
// search finds none. It looks into one stream only.
func (c *connection) find(ctx context.Context, id string) (string, error) {
	query := url.Values{"count": {"1"}, "offset": {"0"}, "messagestream": {c.stream}, "metadata_" + metadata: {id}}
	var found struct {
		Messages []struct {
			MessageID string
			Metadata  map[string]string
		}
	}
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/messages/outbound", Query: query, Answer: &found})
	if err != nil || len(found.Messages) == 0 || found.Messages[0].Metadata[metadata] != id {
		return "", err
	}
	return found.Messages[0].MessageID, nil
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	call, err := c.call(m)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(call)
}
