package ses

import (
	"context"
	"maps"
	"net/mail"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/email"
	"fanfare/channel/rest"
)

// parallel is how many messages are handed over at once. How many a second SES
// takes is a quota of the account.
const parallel = 8

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	client   *sesv2.Client
	from     *mail.Address
	set      string // "" for none
	rate     float64
	patience time.Duration
	clean    connector.Redactor
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return parallel }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// with returns the connection as one that quotes the recipient nowhere.
func (c *connection) with(recipient string) *connection {
	careful := *c
	careful.clean = c.clean.And(recipient)
	return &careful
}

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

// Send implements fanfare.Connection. The id is SES's.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	input, err := c.input(m)
	if err != nil {
		return "", err
	}
	var id string
	err = c.with(m.Recipient).do(ctx, true, func(ctx context.Context) error {
		taken, err := c.client.SendEmail(ctx, input)
		if err == nil {
			id = aws.ToString(taken.MessageId)
		}
		if err == nil && id == "" {
			err = errNoID
		}
		return err
	})
	return id, err
}

// input is what SES is told. A header's name and value are limited to 996
// characters together, which a link to unsubscribe is far from.
func (c *connection) input(m fanfare.Outgoing) (*sesv2.SendEmailInput, error) {
	message, err := email.Prepare(m, c.from)
	if err != nil {
		return nil, err
	}
	var headers []types.MessageHeader
	for _, name := range slices.Sorted(maps.Keys(message.Headers)) {
		headers = append(headers, types.MessageHeader{Name: &name, Value: aws.String(message.Headers[name])})
	}
	input := &sesv2.SendEmailInput{
		FromEmailAddress: aws.String(message.From.String()),
		Destination:      &types.Destination{ToAddresses: []string{email.Mailbox(message.To)}},
		Content: &types.EmailContent{Simple: &types.Message{
			Subject: text(message.Subject), Body: &types.Body{Html: text(message.HTML), Text: text(message.Text)}, Headers: headers,
		}},
	}
	if c.set != "" {
		input.ConfigurationSetName = &c.set
	}
	return input, nil
}

func text(data string) *types.Content {
	return &types.Content{Data: &data, Charset: aws.String("UTF-8")}
}

// Ask implements fanfare.Connection. SES can't be asked.
func (c *connection) Ask(context.Context, fanfare.Outgoing) (fanfare.Answer, error) {
	return fanfare.Answer{State: fanfare.AnswerUnknown}, nil
}
