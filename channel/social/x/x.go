// Package x posts as an account of X. It is written from
// https://docs.x.com/x-api/posts/create-post,
// https://docs.x.com/x-api/users/get-posts,
// https://docs.x.com/fundamentals/authentication/oauth-2-0/authorization-code,
// https://docs.x.com/fundamentals/counting-characters and
// https://docs.x.com/fundamentals/rate-limits.
//
// X takes no key of ours. What became of a post is asked by reading what the
// account has posted since; what is found was taken, and an outcome that can't be
// found is unknown: X refuses the same text a second time, but does not say for
// how long. An access token is good for two hours, and a refresh token for one
// use.
//
// # Credentials
//
// An app is made at https://developer.x.com, as a web app or bot with the permissions
// to read and write; it shows its client ID and secret. The account then lets the app
// in once, with the scopes tweet.read, tweet.write, users.read and offline.access:
// https://docs.x.com/fundamentals/authentication/oauth-2-0/user-access-token leads
// through the requests, the last of which is answered with the refresh token.
// Renewing uses it up: keep no copy of it anywhere else. The access token is fetched
// with it, and can be left out.
package x

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/oauth"
	"fanfare/channel/rest"
)

const (
	name   = "X"
	apiURL = "https://api.x.com/2"
)

// Connector connects to X.
type Connector struct {
	oauth.Endpoint
	outside connector.Outside
}

// New returns a connector that reaches X by way of outside.
func New(outside connector.Outside) *Connector {
	return &Connector{outside: outside, Endpoint: oauth.Endpoint{
		Name: name, URL: base(outside) + "/oauth2/token", Client: outside.HTTP, Patience: outside.Patience, Basic: true,
	}}
}

func base(outside connector.Outside) string { return cmp.Or(outside.BaseURLs[name], apiURL) }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Social,
		CredentialFields: slices.Concat(oauth.Fields(true), []fanfare.CredentialField{
			{Name: oauth.AccessTokenField, Label: "Access token (scopes tweet.read, tweet.write, users.read and offline.access); left out, it is fetched with the refresh token", Secret: true},
			connector.RateCredential(),
		}),
		Description:     "Posts once as your X account, at most 280 characters with the hashtags, as X counts.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, nil)
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials),
		api: rest.API{
			Name: name, BaseURL: base(c.outside), Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: oauth.Redactor(credentials), Authorize: oauth.Bearer(credentials),
			Explain: explain, Judge: judge, ComeBack: comeBack,
		},
	}, nil
}

// explain reads a problem (https://docs.x.com/x-api/fundamentals/response-codes-and-errors).
func explain(body []byte) string {
	var problem struct {
		Title, Detail string
		Errors        []struct{ Message string }
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	said := problem.Title + " " + problem.Detail
	for _, e := range problem.Errors {
		said += " " + e.Message
	}
	return strings.TrimSpace(said)
}

// judge knows that a text which was posted already is no fault of the
// credentials, though X says 403 to both.
func judge(code int, body []byte) fanfare.Fate {
	if code == http.StatusForbidden && strings.Contains(strings.ToLower(explain(body)), "duplicate content") {
		return fanfare.FateRefused
	}
	return ""
}

// comeBack reads a moment as X writes it: in seconds since 1970.
func comeBack(header http.Header) time.Time {
	seconds, err := strconv.ParseInt(header.Get("X-Rate-Limit-Reset"), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
