// Package postmark sends e-mail by Postmark. It is written from
// https://postmarkapp.com/developer/api/email-api,
// https://postmarkapp.com/developer/api/messages-api,
// https://postmarkapp.com/developer/api/message-streams-api and
// https://postmarkapp.com/developer/api/overview#error-codes.
//
// Postmark takes no key of ours, but a message can carry metadata: the delivery's
// id. What became of a message is asked by searching for it; what is found was
// taken, and an outcome that can't be found is unknown: the search lags behind,
// and forgets after the server's retention, 45 days unless it is changed. The
// client is a thin one of ours: Postmark keeps none for Go.
//
// # Credentials
//
// The token stands in Postmark under API Tokens of the server that is to send.
// The sender needs a confirmed Sender Signature or a verified domain. A stream's
// ID stands in its settings; launches belong in one of the type Broadcasts.
package postmark

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name        = "Postmark"
	tokenField  = "serverToken"
	fromField   = "from"
	streamField = "messageStream"
	// broadcasts is the stream that each server has for what goes to many; its
	// other one, for what one person asked for, must not be used for that
	// (https://postmarkapp.com/message-streams).
	broadcasts = "broadcast"
)

// Connector connects to Postmark.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Postmark by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Email,
		CredentialFields: []fanfare.CredentialField{
			{Name: tokenField, Label: "Server API token", Secret: true, Required: true},
			{Name: fromField, Label: "Sender's address, of a confirmed signature or a verified domain", Required: true},
			{Name: streamField, Label: "Message stream's ID; broadcast if empty"},
			connector.RateCredential(),
		},
		Description: "Sends a message of its own to each recipient by your Postmark server, as HTML and as plain text, with a link to unsubscribe. " +
			"In a broadcast stream Postmark adds a link of its own, unless it lets you manage unsubscribes.",
		VerifiedAgainst: fanfare.VerifiedContract,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		tokenField: wrongToken, fromField: connector.WrongAddress, streamField: wrongStream,
	})
}

// wrongToken keeps out Postmark's own token for tests, with which nothing is
// delivered and all is well.
func wrongToken(token string) string {
	if token == "POSTMARK_API_TEST" {
		return "must be a server's token: with this one nothing is delivered"
	}
	return ""
}

// wrongStream looks at what becomes part of an address.
func wrongStream(id string) string {
	const longest = 30
	if len(id) > longest || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return "must be a stream's ID, such as broadcast: Postmark shows it in the stream's settings"
	}
	return ""
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	from, err := mail.ParseAddress(credentials[fromField])
	if err != nil {
		return nil, fanfare.Invalid("credentials.from", "must be an e-mail address")
	}
	token := credentials[tokenField]
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), from: from, stream: cmp.Or(credentials[streamField], broadcasts),
		api: rest.API{
			Name: name, BaseURL: cmp.Or(c.outside.BaseURLs[name], "https://api.postmarkapp.com"), Client: c.outside.HTTP,
			Patience: c.outside.Patience, Clean: connector.NewRedactor(token), Explain: explain, Judge: judge,
			Authorize: func(r *http.Request) { r.Header.Set("X-Postmark-Server-Token", token) },
		},
	}, nil
}

// problem is how Postmark says what is wrong.
type problem struct {
	ErrorCode int
	Message   string
}

func problemOf(body []byte) problem {
	var p problem
	_ = json.Unmarshal(body, &p) // what can't be read says nothing
	return p
}

func explain(body []byte) string {
	p := problemOf(body)
	if p.ErrorCode == 0 {
		return p.Message
	}
	return p.Message + " (" + strconv.Itoa(p.ErrorCode) + ")"
}

// judge tells refusals that every message would meet, since they are of the
// account or the sender, and those of the moment, from those of one recipient.
func judge(_ int, body []byte) fanfare.Fate {
	switch p := problemOf(body); {
	case slices.Contains([]int{
		10,   // the token is wrong
		400,  // there is no such sender
		401,  // the sender is not confirmed
		405,  // there is no credit left
		412,  // the account is not approved
		413,  // the account may not send
		1235, // there is no such stream
		1236, // nothing is sent by such a stream
	}, p.ErrorCode), p.ErrorCode == 300 && strings.Contains(p.Message, "'From'"):
		return fanfare.FateUnauthorized
	case p.ErrorCode == 100, // maintenance: it takes nothing
		p.ErrorCode == 429:
		return fanfare.FateHalted
	default:
		return ""
	}
}
