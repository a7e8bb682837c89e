package slack

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	client "github.com/slack-go/slack"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

// eventType names what our metadata tells of.
const eventType = "fanfare_delivery"

// newest is how many messages are looked at. Slack may give fewer: 15 to apps
// that are sold outside of its directory.
const newest = 100

// connection implements fanfare.Connection.
type connection struct {
	provider      fanfare.Provider
	client        *client.Client
	base, channel string
	rate          float64
	patience      time.Duration
	clean         connector.Redactor
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// do makes a call of the client, in time, and says what its error means.
func (c *connection) do(ctx context.Context, commits bool, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	ctx, reached := rest.Watch(ctx)
	if err := call(ctx); err != nil {
		return c.judge(err, reached(), commits)
	}
	return nil
}

// Test asks whose token it is, and reads the channel, which only its members may.
// Without the scope to read it, a token may write all the same.
func (c *connection) Test(ctx context.Context) error {
	err := c.do(ctx, false, func(ctx context.Context) error {
		_, err := c.client.AuthTestContext(ctx)
		return err
	})
	if err != nil {
		return err
	}
	return c.do(ctx, false, func(ctx context.Context) error {
		_, err := c.client.GetConversationHistoryContext(ctx, &client.GetConversationHistoryParameters{ChannelID: c.channel, Limit: 1})
		if said, ok := errors.AsType[client.SlackErrorResponse](err); ok && said.Err == "missing_scope" {
			return nil
		}
		return err
	})
}

// Send implements fanfare.Connection. The id is the message's timestamp, by which
// Slack knows it.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	options, err := compose(m)
	if err != nil {
		return "", err
	}
	var timestamp string
	err = c.do(ctx, true, func(ctx context.Context) error {
		_, at, err := c.client.PostMessageContext(ctx, c.channel, options...)
		timestamp = at
		return err
	})
	if err != nil {
		return "", err
	}
	return rest.Named(name, timestamp)
}

// compose has the text shown as it is, without Slack's own markup.
func compose(m fanfare.Outgoing) ([]client.MsgOption, error) {
	text, err := social.Compose(m.Content)
	if err != nil {
		return nil, err
	}
	return []client.MsgOption{
		client.MsgOptionText(text, true), client.MsgOptionDisableMarkdown(),
		client.MsgOptionMetadata(client.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"id": m.ID}}),
	}, nil
}

// Ask looks for the delivery's id in the channel. A token that may not read makes
// it unknown.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	unknown := fanfare.Answer{State: fanfare.AnswerUnknown}
	began, err := connector.Began(m.ID)
	if err != nil {
		return unknown, nil
	}
	var history *client.GetConversationHistoryResponse
	err = c.do(ctx, false, func(ctx context.Context) (err error) {
		history, err = c.client.GetConversationHistoryContext(ctx, &client.GetConversationHistoryParameters{
			ChannelID: c.channel, Limit: newest, IncludeAllMetadata: true,
			Oldest: fmt.Sprintf("%d.000000", began.Unix()-skew),
		})
		return err
	})
	if fate := fateOf(err); fate == fanfare.FateUnauthorized || fate == fanfare.FateRefused {
		return unknown, nil
	}
	if err != nil {
		return unknown, err
	}
	for _, message := range history.Messages {
		if message.Metadata.EventType == eventType && message.Metadata.EventPayload["id"] == m.ID {
			return fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: message.Timestamp}, nil
		}
	}
	return unknown, nil
}

// skew is by how many seconds two clocks may differ.
const skew = 3600

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	options, err := compose(m)
	if err != nil {
		return nil, err
	}
	_, values, err := client.UnsafeApplyMsgOptions("", c.channel, c.base+"/", options...)
	if err != nil {
		return nil, fmt.Errorf("writing a preview: %w", err)
	}
	values.Del("token")
	return rest.API{BaseURL: c.base}.Preview(rest.Call{Method: "POST", Path: "/chat.postMessage", Form: url.Values(values)})
}
