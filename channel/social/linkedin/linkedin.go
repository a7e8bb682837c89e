// Package linkedin posts as a member or an organization of LinkedIn. It is
// written from
// https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/posts-api,
// https://learn.microsoft.com/en-us/linkedin/marketing/community-management/shares/little-text-format,
// https://learn.microsoft.com/en-us/linkedin/marketing/versioning,
// https://learn.microsoft.com/en-us/linkedin/shared/authentication/token-introspection and
// https://learn.microsoft.com/en-us/linkedin/shared/authentication/programmatic-refresh-tokens.
//
// LinkedIn takes no key of ours. What became of a post is asked by reading what
// the author has posted since, which takes the scope r_organization_social or
// r_member_social: what is found was taken, and an outcome that can't be found or
// read is unknown. Access tokens are good for 60 days; refresh tokens are for
// LinkedIn's partners, so one can do without.
//
// # Credentials
//
// An app is made at https://www.linkedin.com/developers/apps, gets the product
// Community Management API (or Share on LinkedIn, for a member), and a token at
// https://www.linkedin.com/developers/tools/oauth/token-generator. The author is
// urn:li:organization: and the number in the address of the page's admin view, or
// urn:li:person: and the id that the call GET /v2/userinfo shows as sub, for which the
// app needs the product Sign In with LinkedIn using OpenID Connect, too. With client
// ID, client secret and a refresh token, the access token is renewed by itself. With
// client ID and secret, a try tells whether the token may post.
package linkedin

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/oauth"
	"fanfare/channel/rest"
)

const (
	name         = "LinkedIn"
	authorField  = "author"
	versionField = "version"
	apiURL       = "https://api.linkedin.com"
	tokenURL     = "https://www.linkedin.com"
	organization = "urn:li:organization:"
	// version is the API's, by month. LinkedIn keeps each for a year, so a user
	// may name a later one.
	version = "202610"
)

// Connector connects to LinkedIn.
type Connector struct {
	oauth.Endpoint
	outside connector.Outside
}

// New returns a connector that reaches LinkedIn by way of outside.
func New(outside connector.Outside) *Connector {
	return &Connector{outside: outside, Endpoint: oauth.Endpoint{
		Name: name, URL: tokens(outside) + "/oauth/v2/accessToken", Client: outside.HTTP, Patience: outside.Patience,
	}}
}

func tokens(outside connector.Outside) string { return cmp.Or(outside.BaseURLs[name], tokenURL) }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Social,
		CredentialFields: slices.Concat([]fanfare.CredentialField{
			{Name: authorField, Label: "Author, such as urn:li:organization:5515715 or urn:li:person:8675309", Required: true},
			{Name: oauth.AccessTokenField, Label: "Access token (scope w_organization_social or w_member_social), or else client ID, client secret and refresh token", Secret: true},
			{Name: versionField, Label: "API version (" + version + " if left out)"},
		}, oauth.Fields(false), []fanfare.CredentialField{connector.RateCredential()}),
		Description:     "Posts once, for all to see, as your LinkedIn page or profile, at most 3,000 characters with the hashtags.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

var (
	authorPattern  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^urn:li:(person|organization):[\w-]{1,60}$`) })
	versionPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^20\d\d(0[1-9]|1[0-2])$`) })
)

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	if err := connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		authorField: wrongAuthor, versionField: wrongVersion,
	}); err != nil {
		return err
	}
	return oauth.Complete(credentials)
}

func wrongAuthor(urn string) string {
	if !authorPattern().MatchString(urn) {
		return "must be urn:li:person: or urn:li:organization: and an id"
	}
	return ""
}

func wrongVersion(version string) string {
	if !versionPattern().MatchString(version) {
		return "must be a year and a month, such as 202610"
	}
	return ""
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	opened := &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), author: credentials[authorField],
		header: map[string]string{
			"LinkedIn-Version":          cmp.Or(credentials[versionField], version),
			"X-Restli-Protocol-Version": "2.0.0",
		},
		api: rest.API{
			Name: name, BaseURL: cmp.Or(c.outside.BaseURLs[name], apiURL), Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: oauth.Redactor(credentials), Authorize: oauth.Bearer(credentials), Explain: explain, Judge: judge,
		},
		tokens: rest.API{
			Name: name, BaseURL: tokens(c.outside), Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: oauth.Redactor(credentials), Explain: explain,
		},
	}
	if credentials[oauth.ClientIDField] != "" && credentials[oauth.ClientSecretField] != "" && credentials[oauth.AccessTokenField] != "" {
		opened.token = url.Values{
			"client_id": {credentials[oauth.ClientIDField]}, "client_secret": {credentials[oauth.ClientSecretField]},
			"token": {credentials[oauth.AccessTokenField]},
		}
	}
	return opened, nil
}

// explain reads an error
// (https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling).
func explain(body []byte) string {
	var problem struct{ Code, Message string }
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	return strings.TrimSpace(problem.Code + " " + problem.Message)
}

// judge: 426 is a version that LinkedIn keeps no more, which no message can help.
func judge(code int, _ []byte) fanfare.Fate {
	if code == http.StatusUpgradeRequired {
		return fanfare.FateUnauthorized
	}
	return ""
}
