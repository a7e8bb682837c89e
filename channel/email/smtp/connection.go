package smtp

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/email"
)

// patience is how long a server may take for one answer. RFC 5321 (4.5.3.2)
// asks for minutes; a launch has other messages to send.
const patience = 30 * time.Second

// account is a user at a server.
type account struct {
	outside                        connector.Outside
	host, port, username, password string
	patience                       time.Duration
}

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	from     *mail.Address
	rate     float64
	account  account
	pool     *pool
	clean    connector.Redactor
}

func newConnection(p fanfare.Provider, outside connector.Outside, c fanfare.Credentials, from *mail.Address) *connection {
	a := account{
		outside: outside, host: strings.Trim(c[hostField], "[]"), port: c[portField],
		username: c[usernameField], password: c[passwordField], patience: patience,
	}
	if outside.Patience > 0 {
		a.patience = outside.Patience
	}
	return &connection{
		provider: p, from: from, rate: connector.Rate(c), account: a, pool: newPool(a),
		clean: connector.NewRedactor(a.username, a.password, plainAnswer(a)),
	}
}

// plainAnswer is how AUTH PLAIN carries the credentials, before base64.
func plainAnswer(a account) string {
	if a.username == "" {
		return ""
	}
	return "\x00" + a.username + "\x00" + a.password
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return maxSessions }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error {
	c.pool.close()
	return nil
}

// Test signs in, and asks whether the server takes messages from the sender.
func (c *connection) Test(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	s, failed := c.account.dial(ctx)
	if failed != nil {
		return failed.sendError(c.clean)
	}
	defer s.quit()
	defer s.cutWith(ctx)()
	from, err := email.OnWire(c.from)
	if err != nil {
		return &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "The sender is no address that mail can come from."}
	}
	s.within(c.account.patience)
	s.client.SkipSMTPUTF8(isASCII(from.Address))
	if err := s.client.Mail(envelope(from)); err != nil {
		return s.recover(&failure{namingSender, err}).sendError(c.clean)
	}
	return nil
}

// limit is how long all steps together may take.
func (c *connection) limit() time.Duration { return c.account.patience * (endingPatience + 6) }

// Send implements fanfare.Connection. The id is the message's Message-ID, and
// the server's own for it where it tells. A session that was kept and turns out
// to be dead at its first step is replaced: the message had not been spoken of.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	message, err := compose(m, c.from)
	if err != nil {
		return "", c.unfit(err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.limit())
	defer cancel()
	for {
		s, isNew, failed := c.pool.take(ctx)
		if failed != nil {
			return "", failed.sendError(c.clean)
		}
		answer, failed := s.hand(ctx, message)
		broken := s.broken
		c.pool.give(s) // and not looked at any more
		switch {
		case failed == nil:
			return message.id + c.queueID(answer), nil
		case !isNew && broken && failed.at == namingSender && ctx.Err() == nil:
			continue
		default:
			return "", failed.sendError(c.redactor(m))
		}
	}
}

func (c *connection) unfit(err error) *fanfare.SendError {
	return &fanfare.SendError{
		Fate: fanfare.FateRefused, Reason: c.clean.Clean("No e-mail can be made of this: " + err.Error() + "."),
	}
}

// redactor leaves out the recipient too: the delivery names it, and a log must
// not.
func (c *connection) redactor(m fanfare.Outgoing) connector.Redactor { return c.clean.And(m.Recipient) }

var queuedAs = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)queued as ([\w.+-]{4,64})`) })

// queueID is what a server calls the message, where it says so as most do.
func (c *connection) queueID(answer string) string {
	found := queuedAs().FindStringSubmatch(answer)
	if found == nil {
		return ""
	}
	return " " + c.clean.Clean(found[1])
}

// Ask implements fanfare.Connection. SMTP has no way to ask.
func (c *connection) Ask(context.Context, fanfare.Outgoing) (fanfare.Answer, error) {
	return fanfare.Answer{State: fanfare.AnswerUnknown}, nil
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	message, err := compose(m, c.from)
	if err != nil {
		return nil, c.unfit(err)
	}
	reader := bufio.NewReader(bytes.NewReader(message.raw))
	header, err := textproto.NewReader(reader).ReadMIMEHeader()
	if err != nil {
		return nil, fmt.Errorf("reading a message's header: %w", err)
	}
	body, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("reading a message's body: %w", err)
	}
	headers := make(map[string]string, len(header))
	for name, values := range header {
		headers[name] = strings.Join(values, ", ")
	}
	return []fanfare.OutgoingRequest{{
		Method: "SMTP", URL: "smtp://" + net.JoinHostPort(c.account.host, c.account.port), Headers: headers, Body: string(body),
	}}, nil
}
