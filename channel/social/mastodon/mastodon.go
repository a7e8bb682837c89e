// Package mastodon posts as an account on a Mastodon server. It is written from
// https://docs.joinmastodon.org/methods/statuses/#create,
// https://docs.joinmastodon.org/methods/accounts/#statuses,
// https://docs.joinmastodon.org/entities/Instance/ and
// https://docs.joinmastodon.org/api/rate-limits/.
//
// A server knows a post again by its Idempotency-Key for an hour, but only once
// it has written it, so the key keeps nobody from being second. What became of a
// post is asked by reading what the account has posted since: what is found was
// taken, and an outcome that can't be found is unknown.
//
// # Credentials
//
// An access token is made in the account's preferences on its server, under
// Development, by a new application with the scopes read and write:statuses.
package mastodon

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name        = "Mastodon"
	serverField = "server"
	tokenField  = "accessToken"
)

// Connector connects to Mastodon servers.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches servers by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Social,
		CredentialFields: []fanfare.CredentialField{
			{Name: serverField, Label: "Server, such as https://mastodon.social", Required: true},
			{Name: tokenField, Label: "Access token (scopes read and write:statuses)", Secret: true, Required: true},
			connector.RateCredential(),
		},
		Description:     "Posts once as your Mastodon account, at most as many characters as your server takes, with the hashtags.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{serverField: c.outside.WrongURL})
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	token := credentials[tokenField]
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials),
		api: rest.API{
			Name: name, BaseURL: strings.TrimRight(credentials[serverField], "/"), Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: connector.NewRedactor(token), Explain: explain, ComeBack: comeBack,
			Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) },
		},
	}, nil
}

// explain reads what is wrong (https://docs.joinmastodon.org/entities/Error/).
func explain(body []byte) string {
	var problem struct {
		Error       string
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return strings.TrimSpace(problem.Error + " " + problem.Description)
}

// comeBack reads a moment as Mastodon writes it.
func comeBack(header http.Header) time.Time {
	at, err := time.Parse(time.RFC3339, header.Get("X-RateLimit-Reset"))
	if err != nil {
		return time.Time{}
	}
	return at
}
