// Package twilio sends text messages by Twilio. It is written from
// https://www.twilio.com/docs/messaging/api/message-resource,
// https://www.twilio.com/docs/iam/api/account and
// https://www.twilio.com/docs/api/errors.
//
// Twilio takes no key of ours for a message, and lists messages by number and
// day only: an outcome that is in doubt is unknown. The client is a thin one of
// ours, since twilio-go cuts no request off with its context and does not tell
// whether one was written, which is what an outcome hangs on.
//
// # Credentials
//
// Account SID and auth token stand on the first page of Twilio's console. The
// sender is a number of the account, a name where the recipient's country allows
// one, or a messaging service by its SID.
package twilio

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name         = "Twilio"
	sidField     = "accountSid"
	tokenField   = "authToken"
	fromField    = "from"
	serviceField = "messagingServiceSid"
)

// Connector connects to Twilio.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Twilio by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.SMS,
		CredentialFields: []fanfare.CredentialField{
			{Name: sidField, Label: "Account SID", Required: true},
			{Name: tokenField, Label: "Auth token", Secret: true, Required: true},
			{Name: fromField, Label: "Sender's number or name, or else a messaging service"},
			{Name: serviceField, Label: "Messaging service SID, or else a sender"},
			connector.RateCredential(),
		},
		Description:     "Sends a text message to each recipient by your Twilio account. Twilio answers STOP by itself.",
		VerifiedAgainst: fanfare.VerifiedContract,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	err := connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		sidField: wrongSID("AC"), serviceField: wrongSID("MG"),
	})
	if err == nil && (credentials[fromField] == "") == (credentials[serviceField] == "") {
		return fanfare.Invalid("credentials.from", "must be given, or messagingServiceSid in its place, but not both")
	}
	return err
}

// wrongSID is the Rule of a SID (https://www.twilio.com/docs/glossary/what-is-a-sid),
// some of which become part of an address.
func wrongSID(prefix string) connector.Rule {
	const digits = 32
	return func(value string) string {
		number, ok := strings.CutPrefix(value, prefix)
		if !ok || len(number) != digits || strings.Trim(number, "0123456789abcdef") != "" {
			return "must be " + prefix + " and 32 digits, 0 to 9 and a to f"
		}
		return ""
	}
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	sid, token := credentials[sidField], credentials[tokenField]
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), account: "/2010-04-01/Accounts/" + sid,
		from: credentials[fromField], service: credentials[serviceField],
		api: rest.API{
			Name: name, BaseURL: cmp.Or(c.outside.BaseURLs[name], "https://api.twilio.com"), Client: c.outside.HTTP,
			Patience: c.outside.Patience, Clean: connector.NewRedactor(token, sid+":"+token), Explain: explain, Judge: judge,
			Authorize: func(r *http.Request) { r.SetBasicAuth(sid, token) },
		},
	}, nil
}

// problem is how Twilio says what is wrong
// (https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions).
type problem struct {
	Code    int
	Message string
}

func problemOf(body []byte) problem {
	var p problem
	_ = json.Unmarshal(body, &p) // what can't be read says nothing
	return p
}

func explain(body []byte) string {
	p := problemOf(body)
	if p.Code == 0 {
		return p.Message
	}
	return p.Message + " (" + strconv.Itoa(p.Code) + ")"
}

// judge tells refusals that every message would meet, since they are of the
// sender, and queues that are full, from those of one recipient.
func judge(_ int, body []byte) fanfare.Fate {
	switch code := problemOf(body).Code; {
	case slices.Contains([]int{
		21212, // the sender is no valid number
		21603, // there is no sender
		21606, // the sender is not the account's, or sends no text messages
		21659, // the sender is not Twilio's
		21660, // the sender is another account's
		21701, // there is no such messaging service
		21703, // the messaging service has no sender
		21704, // likewise
	}, code):
		return fanfare.FateUnauthorized
	case code == 21611: // the sender's queue is full
		return fanfare.FateHalted
	default:
		return ""
	}
}
