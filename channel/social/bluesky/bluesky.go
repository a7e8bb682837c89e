// Package bluesky posts as an account of Bluesky, or of any server that speaks
// its protocol. It is written from
// https://docs.bsky.app/docs/api/com-atproto-repo-create-record,
// https://docs.bsky.app/docs/advanced-guides/posts and
// https://docs.bsky.app/docs/advanced-guides/rate-limits.
//
// A post's record key is made of the delivery's id, and a repository holds one
// record of a key (https://atproto.com/specs/repository). So what became of a post
// can be asked, and one that is not there can be sent again: whether a server
// refuses the second, as Bluesky's own does, or puts it in the first's place,
// there is one post.
//
// # Credentials
//
// An app password is made in Bluesky's settings, under Privacy and security; the
// account's own password is not needed and not wanted.
package bluesky

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name            = "Bluesky"
	serviceField    = "service"
	identifierField = "identifier"
	passwordField   = "appPassword"

	defaultService = "https://bsky.social"
)

// Connector connects to Bluesky.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Bluesky by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Social,
		CredentialFields: []fanfare.CredentialField{
			{Name: serviceField, Label: "Server (" + defaultService + " if left out)"},
			{Name: identifierField, Label: "Handle, such as shop.bsky.social", Required: true},
			{Name: passwordField, Label: "App password", Secret: true, Required: true},
			connector.RateCredential(),
		},
		Description:     "Posts once as your Bluesky account, at most 300 characters with the hashtags. Links and hashtags can be followed.",
		VerifiedAgainst: fanfare.VerifiedReal,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{serviceField: c.outside.WrongURL})
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	service := cmp.Or(credentials[serviceField], c.outside.BaseURLs[name], defaultService)
	clean := connector.NewRedactor(credentials[passwordField])
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), gate: make(chan struct{}, 1),
		identifier: credentials[identifierField], password: credentials[passwordField],
		api: rest.API{
			Name: name, BaseURL: strings.TrimRight(service, "/"), Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: clean, Explain: explain, ComeBack: comeBack,
		},
	}, nil
}

// problem is how the protocol's servers say what is wrong
// (https://atproto.com/specs/xrpc#error-responses).
type problem struct{ Error, Message string }

func problemOf(body []byte) problem {
	var p problem
	_ = json.Unmarshal(body, &p) // what can't be read says nothing
	return p
}

func explain(body []byte) string {
	p := problemOf(body)
	return strings.TrimSpace(p.Error + " " + p.Message)
}

// comeBack reads a moment in seconds since 1970.
func comeBack(header http.Header) time.Time {
	seconds, err := strconv.ParseInt(header.Get("RateLimit-Reset"), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
