// Package kannel hands text messages to a gateway that is asked as Kannel is, by
// its sendsms address. It is written from
// https://www.kannel.org/download/1.4.5/userguide-1.4.5/userguide.html (SMS push
// with HTTP sendsms interface).
//
// Kannel knows no message that it has taken by an id of ours, and can't be asked
// for one: an outcome that is in doubt is unknown.
//
// # Credentials
//
// The address is that of smsbox, with its sendsms-port and path. User name and
// password are those of a sendsms-user in the gateway's configuration, and so is
// max-messages: where less is said here, longer texts are refused before a launch,
// and where more, the gateway cuts them.
package kannel

import (
	"net/http"
	"strconv"
	"strings"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name          = "Kannel"
	urlField      = "url"
	usernameField = "username"
	passwordField = "password"
	fromField     = "from"
	maxField      = "maxMessages"
)

// maxMessages is how many parts a text of a campaign can have.
const maxMessages = 10

// Connector connects to Kannel gateways.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches gateways by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.SMS,
		CredentialFields: []fanfare.CredentialField{
			{Name: urlField, Label: "Address of sendsms, such as https://gateway.example.com/cgi-bin/sendsms", Required: true},
			{Name: usernameField, Label: "User name", Required: true},
			{Name: passwordField, Label: "Password", Secret: true, Required: true},
			{Name: fromField, Label: "Sender's number or name", Required: true},
			{Name: maxField, Label: "The user's max-messages in the gateway (1 if left out)"},
			connector.RateCredential(),
		},
		Description:     "Sends a text message to each recipient through your Kannel gateway, or one that is asked in the same way.",
		VerifiedAgainst: fanfare.VerifiedReal,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		urlField: c.outside.WrongURL, maxField: wrongMax,
	})
}

func wrongMax(value string) string {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > maxMessages {
		return "must be a number from 1 to 10"
	}
	return ""
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	username, password := credentials[usernameField], credentials[passwordField]
	most, err := strconv.Atoi(credentials[maxField])
	if err != nil {
		most = 1 // what Kannel makes of a user that says nothing
	}
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), from: credentials[fromField], maxMessages: most,
		api: rest.API{
			Name: "The gateway", BaseURL: credentials[urlField], Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: connector.NewRedactor(username, password), Judge: judge,
			Explain: func(body []byte) string { return string(body) },
			Authorize: func(r *http.Request) {
				query := r.URL.Query()
				query.Set("username", username)
				query.Set("password", password)
				r.URL.RawQuery = query.Encode()
			},
		},
	}, nil
}

// judge knows what Kannel means by statuses that it uses in its own way. Each
// says that the message was not taken.
func judge(code int, body []byte) fanfare.Fate {
	switch {
	case code == http.StatusNotFound: // the address is not that of sendsms
		return fanfare.FateUnauthorized
	case code == http.StatusForbidden && !strings.Contains(string(body), "Authorization failed"): // "Not routable. Do not try again."
		return fanfare.FateRefused
	case code == http.StatusServiceUnavailable && strings.Contains(string(body), "try again later"): // its queue is full
		return fanfare.FateHalted
	default:
		return ""
	}
}
