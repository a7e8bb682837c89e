// Package discord posts into a channel of Discord by its webhook. It is written
// from https://discord.com/developers/docs/resources/webhook#execute-webhook,
// https://discord.com/developers/docs/reference#error-messages and
// https://discord.com/developers/docs/topics/rate-limits.
//
// A webhook takes no key of ours and lists nothing it has posted, so an outcome
// that is in doubt is unknown. (The nonce that Discord does check is for bots,
// and for a few minutes.)
//
// # Credentials
//
// Whoever may manage the channel makes a webhook in its settings, under
// Integrations, and copies the URL. Whoever has the URL can post.
package discord

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

const (
	name     = "Discord"
	urlField = "webhookUrl"
	apiURL   = "https://discord.com/api/v10"
	// maxCharacters is how many a message may have.
	maxCharacters = 2000
)

// Connector connects to Discord.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Discord by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Social,
		CredentialFields: []fanfare.CredentialField{
			{Name: urlField, Label: "Webhook URL, from the channel's settings", Secret: true, Required: true},
			connector.RateCredential(),
		},
		Description:     "Posts once into a Discord channel by its webhook, at most 2,000 characters with the hashtags. It pings nobody.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{urlField: wrongWebhook})
}

var webhookPath = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^/api(?:/v\d{1,2})?/webhooks/(\d{1,20})/([\w-]{20,100})$`)
})

func wrongWebhook(value string) string {
	if id, _ := webhook(value); id == "" {
		return "must be as Discord shows it: https://discord.com/api/webhooks/ and a number, / and a token"
	}
	return ""
}

// webhook takes a webhook's URL apart.
func webhook(value string) (id, token string) {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", ""
	}
	host := strings.TrimPrefix(strings.TrimPrefix(u.Host, "ptb."), "canary.") // Discord's test programs show these
	found := webhookPath().FindStringSubmatch(u.EscapedPath())
	if host != "discord.com" && host != "discordapp.com" || found == nil {
		return "", ""
	}
	return found[1], found[2]
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	id, token := webhook(credentials[urlField])
	base := apiURL
	if other := c.outside.BaseURLs[name]; other != "" {
		base = other
	}
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), shown: base + "/webhooks/" + id + "/TOKEN",
		api: rest.API{
			Name: name, BaseURL: base + "/webhooks/" + id + "/" + token, Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: connector.NewRedactor(credentials[urlField], token), Explain: explain, Judge: judge,
		},
	}, nil
}

func explain(body []byte) string {
	var problem struct {
		Code    int
		Message string
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return problem.Message + " (" + strconv.Itoa(problem.Code) + ")"
}

// judge knows that a webhook which is gone is no fault of the message.
func judge(code int, _ []byte) fanfare.Fate {
	if code == http.StatusNotFound {
		return fanfare.FateUnauthorized
	}
	return ""
}

// connection implements fanfare.Connection. The API's base is the webhook, so
// that no call's path, which errors quote, holds the token.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	shown    string // the base, as people may see it
	rate     float64
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test reads the webhook.
func (c *connection) Test(ctx context.Context) error {
	return c.api.Do(ctx, rest.Call{Method: http.MethodGet})
}

// Send implements fanfare.Connection. The id is the message's.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := post(m.Content)
	if err != nil {
		return "", err
	}
	var message struct{ ID string }
	call.Answer = &message
	if err := c.api.Do(ctx, call); err != nil {
		return "", err
	}
	return rest.Named(name, message.ID)
}

// post waits until the message is kept, and lets it ping nobody, whatever it
// says.
func post(content fanfare.Content) (rest.Call, error) {
	text, err := social.Compose(content)
	if err != nil {
		return rest.Call{}, err
	}
	if n := utf8.RuneCountInString(text); n > maxCharacters {
		return rest.Call{}, social.TooLong(name, n, maxCharacters)
	}
	return rest.Call{Method: http.MethodPost, Query: url.Values{"wait": {"true"}}, Commits: true, Body: map[string]any{
		"content": text, "allowed_mentions": map[string]any{"parse": []string{}},
	}}, nil
}

// Ask implements fanfare.Connection. A webhook can't be asked.
func (c *connection) Ask(context.Context, fanfare.Outgoing) (fanfare.Answer, error) {
	return fanfare.Answer{State: fanfare.AnswerUnknown}, nil
}

// Fits implements fanfare.Fitter.
func (c *connection) Fits(_ context.Context, content fanfare.Content) error {
	_, err := post(content)
	return err
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	call, err := post(m.Content)
	if err != nil {
		return nil, err
	}
	api := c.api
	api.BaseURL = c.shown
	return api.Preview(call)
}
