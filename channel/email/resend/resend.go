// Package resend sends e-mail by Resend. It is written from
// https://resend.com/docs/api-reference/emails/send-email,
// https://resend.com/docs/dashboard/emails/idempotency-keys,
// https://resend.com/docs/api-reference/errors,
// https://resend.com/docs/api-reference/rate-limit and
// https://resend.com/docs/api-reference/domains/list-domains.
//
// Resend takes the delivery's id as the key of a message, and for 24 hours sends
// none twice: an outcome in doubt is settled by sending again. It can't be asked
// for a message by its key, so what is older is unknown. The client is a thin one
// of ours: the errors of resend-go (v3.1) tell neither status nor code, so a
// refusal looks like a server that failed, and may have sent, before it answered.
//
// # Credentials
//
// An API key is made in Resend under API Keys. One that has sending access only
// will do, but then the test can't tell whether the sender's domain is verified,
// which Resend demands.
package resend

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name      = "Resend"
	keyField  = "apiKey"
	fromField = "from"
)

// Connector connects to Resend.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Resend by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Email,
		CredentialFields: []fanfare.CredentialField{
			{Name: keyField, Label: "API key", Secret: true, Required: true},
			{Name: fromField, Label: "Sender's address, of a verified domain", Required: true},
			connector.RateCredential(),
		},
		Description:     "Sends a message of its own to each recipient by your Resend account, as HTML and as plain text, with a link to unsubscribe; 2 a second unless you say otherwise.",
		VerifiedAgainst: fanfare.VerifiedContract,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{keyField: wrongKey, fromField: connector.WrongAddress})
}

func wrongKey(key string) string {
	if !strings.HasPrefix(key, "re_") {
		return "must be an API key, which begins with re_"
	}
	return ""
}

// usualRate is how many requests a second Resend takes from an account of which
// nobody asked more.
const usualRate = 2

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	from, err := mail.ParseAddress(credentials[fromField])
	if err != nil {
		return nil, fanfare.Invalid("credentials.from", "must be an e-mail address")
	}
	key := credentials[keyField]
	return &connection{
		provider: c.Provider(), rate: cmp.Or(connector.Rate(credentials), usualRate), from: from,
		api: rest.API{
			Name: name, BaseURL: cmp.Or(c.outside.BaseURLs[name], "https://api.resend.com"), Client: c.outside.HTTP,
			Patience: c.outside.Patience, Clean: connector.NewRedactor(key), Explain: explain, Judge: judge, ComeBack: comeBack,
			Authorize: func(r *http.Request) {
				r.Header.Set("Authorization", "Bearer "+key)
				r.Header.Set("User-Agent", "fanfare") // Resend refuses requests without one
			},
		},
	}, nil
}

// problem is how Resend says what is wrong.
type problem struct{ Name, Message string }

func problemOf(body []byte) problem {
	var p problem
	_ = json.Unmarshal(body, &p) // what can't be read says nothing
	return p
}

func explain(body []byte) string {
	p := problemOf(body)
	if p.Name == "" {
		return p.Message
	}
	return p.Message + " (" + p.Name + ")"
}

// judge tells what the status does not. Of a message whose key was used before,
// by a request that goes on or that looked otherwise, nobody knows whether it was
// sent.
func judge(_ int, body []byte) fanfare.Fate {
	switch problemOf(body).Name {
	case concurrent, otherwise:
		return fanfare.FateUnknown
	case "invalid_from_address": // and so for all
		return fanfare.FateUnauthorized
	default:
		return ""
	}
}

const (
	concurrent = "concurrent_idempotent_requests"
	otherwise  = "invalid_idempotent_request"
	restricted = "restricted_api_key"
)

// comeBack reads in how many seconds the limit starts anew.
func comeBack(header http.Header) time.Time {
	seconds, err := strconv.ParseInt(header.Get("Ratelimit-Reset"), 10, 32)
	if err != nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(seconds) * time.Second)
}
