// Package oauth renews access tokens as RFC 6749, section 6 says, for the
// connectors whose providers let one be had for an hour or two.
package oauth

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

// The fields that credentials are renewed by. AccessTokenField is the one that
// changes, RefreshTokenField changes too where the provider hands out another.
const (
	ClientIDField     = "clientId"
	ClientSecretField = "clientSecret"
	RefreshTokenField = "refreshToken"
	AccessTokenField  = "accessToken"
)

const (
	// usualLife is how long a token is good for where the provider does not say.
	usualLife     = time.Hour
	longestReason = 200 // characters
)

// Endpoint is where a provider renews tokens. As a part of a connector it makes
// that a connector.Renewer.
type Endpoint struct {
	Name     string // of the provider, as people know it
	URL      string
	Client   *http.Client
	Patience time.Duration // how long to wait for an answer; 0 for 30 s
	// Basic says that the client's secret goes into the header (RFC 6749, 2.3.1)
	// and not into the form.
	Basic bool
}

var _ connector.Renewer = Endpoint{}

// Renews implements connector.Renewer.
func (e Endpoint) Renews(c fanfare.Credentials) bool { return c[RefreshTokenField] != "" }

// Renew implements connector.Renewer.
func (e Endpoint) Renew(ctx context.Context, c fanfare.Credentials) (fanfare.Credentials, time.Duration, error) {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c[RefreshTokenField]}, "client_id": {c[ClientIDField]}}
	if !e.Basic {
		form.Set("client_secret", c[ClientSecretField])
	}
	var token struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Seconds int64  `json:"expires_in"`
	}
	err := e.api(c).Do(ctx, rest.Call{Method: http.MethodPost, Form: form, Answer: &token})
	if err != nil {
		return nil, 0, e.advise(err)
	}
	if token.Access == "" {
		return nil, 0, &fanfare.SendError{Fate: fanfare.FateHalted, Reason: e.Name + " answered without an access token."}
	}
	renewed := maps.Clone(c)
	renewed[AccessTokenField] = token.Access
	renewed[RefreshTokenField] = cmp.Or(token.Refresh, c[RefreshTokenField])
	return renewed, cmp.Or(time.Duration(max(token.Seconds, 0))*time.Second, usualLife), nil
}

func (e Endpoint) api(c fanfare.Credentials) rest.API {
	return rest.API{
		Name: e.Name, BaseURL: e.URL, Client: e.Client, Patience: e.Patience, Explain: explain, Judge: judge,
		Clean: Redactor(c),
		Authorize: func(r *http.Request) {
			if e.Basic {
				r.SetBasicAuth(url.QueryEscape(c[ClientIDField]), url.QueryEscape(c[ClientSecretField]))
			}
		},
	}
}

// advise says first what to do about a refusal: what the provider said of it was
// cleaned, and goes on after that.
func (e Endpoint) advise(err error) error {
	refusal, ok := errors.AsType[*fanfare.SendError](err)
	if !ok || refusal.Fate != fanfare.FateUnauthorized {
		return err
	}
	refusal.Reason = fanfare.CleanLine("Delete this integration and connect "+e.Name+" again: its access can't be renewed. "+refusal.Reason, longestReason)
	return refusal
}

// judge believes a refusal only where the provider itself says which: with 400,
// or 401 for a client that it does not know, and an error's name (RFC 6749, 5.2).
// A firewall in between or an address that has moved says nothing of the token.
func judge(code int, body []byte) fanfare.Fate {
	named := problemOf(body).Error
	if (code == http.StatusBadRequest || code == http.StatusUnauthorized) && named != "" && named != "temporarily_unavailable" {
		return fanfare.FateUnauthorized
	}
	return fanfare.FateHalted
}

func explain(body []byte) string {
	p := problemOf(body)
	return strings.TrimSpace(p.Error + " " + p.Description)
}

// problem is an error as RFC 6749, 5.2 writes it.
type problem struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

func problemOf(body []byte) problem {
	var p problem
	if json.Unmarshal(body, &p) != nil {
		return problem{} // what was read of it before the mistake, too
	}
	return p
}

// Fields are those that a provider needs to have its access renewed.
func Fields(required bool) []fanfare.CredentialField {
	return []fanfare.CredentialField{
		{Name: ClientIDField, Label: "Client ID of your app", Required: required},
		{Name: ClientSecretField, Label: "Client secret of your app", Secret: true, Required: required},
		{Name: RefreshTokenField, Label: "Refresh token", Secret: true, Required: required},
	}
}

// Redactor takes out all that credentials are renewed by.
func Redactor(c fanfare.Credentials) connector.Redactor {
	return connector.NewRedactor(c[ClientSecretField], c[RefreshTokenField], c[AccessTokenField])
}

// Bearer shows an access token (RFC 6750, 2.1).
func Bearer(c fanfare.Credentials) func(*http.Request) {
	token := c[AccessTokenField]
	return func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
}

// Complete refuses credentials with which a provider can neither be asked nor
// the access be renewed.
func Complete(c fanfare.Credentials) error {
	if c[RefreshTokenField] == "" && c[AccessTokenField] == "" {
		return fanfare.Invalid("credentials."+AccessTokenField, "is missing, or a refresh token in its place")
	}
	for _, field := range []string{ClientIDField, ClientSecretField} {
		if c[RefreshTokenField] != "" && c[field] == "" {
			return fanfare.Invalid("credentials."+field, "is needed with a refresh token")
		}
	}
	return nil
}
