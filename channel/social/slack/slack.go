// Package slack posts into a channel of Slack as an app's bot. It is written from
// https://docs.slack.dev/reference/methods/chat.postMessage,
// https://docs.slack.dev/reference/methods/conversations.history,
// https://docs.slack.dev/messaging/message-metadata/ and
// https://docs.slack.dev/apis/web-api/rate-limits.
//
// Slack takes no key of ours, but a message can carry metadata: the delivery's
// id. What became of a message is asked by reading the channel since; what is
// found was taken, and an outcome that can't be found is unknown.
//
// # Credentials
//
// An app is made at https://api.slack.com/apps. Under OAuth & Permissions it
// gets the bot's scopes, is installed to the workspace, and shows the bot's
// token. Then it is invited into the channel, which shows its ID in its details.
package slack

import (
	"cmp"
	"strings"

	client "github.com/slack-go/slack"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name         = "Slack"
	tokenField   = "botToken"
	channelField = "channel"
	apiURL       = "https://slack.com/api"
)

// Connector connects to Slack.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Slack by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Social,
		CredentialFields: []fanfare.CredentialField{
			{Name: tokenField, Label: "Bot token (scopes chat:write and channels:history, for a private channel groups:history)", Secret: true, Required: true},
			{Name: channelField, Label: "Channel ID, such as C0123456789", Required: true},
			connector.RateCredential(),
		},
		Description:     "Posts once into a Slack channel as your app, which has to be a member of it.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{tokenField: wrongToken, channelField: wrongChannel})
}

func wrongToken(token string) string {
	if !strings.HasPrefix(token, "xoxb-") {
		return "must be a bot's token, which begins with xoxb-"
	}
	return ""
}

// wrongChannel asks for an ID: a channel can be written to by name, but not read.
func wrongChannel(id string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	if len(id) < 9 || len(id) > 20 || !strings.ContainsRune("CG", rune(id[0])) || strings.Trim(id, alphabet) != "" {
		return "must be a channel's ID, such as C0123456789: Slack shows it in the channel's details"
	}
	return ""
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	base := cmp.Or(c.outside.BaseURLs[name], apiURL)
	token := credentials[tokenField]
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), channel: credentials[channelField], base: base,
		patience: cmp.Or(c.outside.Patience, rest.Patience), clean: connector.NewRedactor(token),
		client: client.New(token, client.OptionHTTPClient(c.outside.HTTP), client.OptionAPIURL(base+"/")),
	}, nil
}
