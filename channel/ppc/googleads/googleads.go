// Package googleads creates search campaigns in an account of Google Ads, paused.
// It is written from
// https://developers.google.com/google-ads/api/rest/reference/rest/v26/customers.googleAds/mutate,
// https://developers.google.com/google-ads/api/docs/mutating/bulk-mutate,
// https://developers.google.com/google-ads/api/docs/best-practices/testing,
// https://developers.google.com/google-ads/api/docs/responsive-search-ads/create-responsive-search-ads,
// https://developers.google.com/google-ads/api/docs/best-practices/understand-api-errors and
// https://developers.google.com/identity/protocols/oauth2/web-server#offline.
//
// Budget, campaign, ad group and ad are one request, carried out whole or not at
// all. The campaign's name has the delivery's id, and an account has no two
// campaigns of a name but removed ones. So what became of a campaign can be asked, and one that is
// not there can be sent again: Google refuses the second, whoever comes last.
//
// What an ad needs beside its texts no message has: where it leads, and what it
// may cost a day in the account's currency. The integration says both, and whether
// the ads are political, which Google wants declared. Nothing is spent before a
// person has chosen keywords and enabled the campaign.
//
// # Credentials
//
// The developer token is in the API Center of a manager account; for accounts other
// than test accounts, Google has to approve it. An OAuth client is made in the Google
// Cloud console, as a web application with the redirect URI
// https://developers.google.com/oauthplayground. With it entered in the settings of
// that page, the scope https://www.googleapis.com/auth/adwords is consented to there,
// which shows the refresh token. It ends after seven days while the consent screen is
// in testing: publish it first. The access token is fetched with it, and can be left out. The
// customer ID has ten digits; loginCustomerId is the manager account's, if the
// account has one.
package googleads

import (
	"cmp"
	"encoding/json"
	"net/http"
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
	name           = "Google Ads"
	developerField = "developerToken"
	customerField  = "customerId"
	loginField     = "loginCustomerId"
	urlField       = "finalUrl"
	budgetField    = "dailyBudget"
	politicalField = "euPoliticalAdvertising"

	apiURL   = "https://googleads.googleapis.com/v26"
	tokenURL = "https://oauth2.googleapis.com"
)

// Connector connects to Google Ads.
type Connector struct {
	oauth.Endpoint
	outside connector.Outside
}

// New returns a connector that reaches Google by way of outside.
func New(outside connector.Outside) *Connector {
	return &Connector{outside: outside, Endpoint: oauth.Endpoint{
		Name: name, URL: cmp.Or(outside.BaseURLs[name], tokenURL) + "/token", Client: outside.HTTP, Patience: outside.Patience,
	}}
}

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.PPC,
		CredentialFields: slices.Concat([]fanfare.CredentialField{
			{Name: developerField, Label: "Developer token", Secret: true, Required: true},
			{Name: customerField, Label: "Customer ID of the account, such as 123-456-7890", Required: true},
			{Name: loginField, Label: "Customer ID of the manager account, where access goes by one"},
		}, oauth.Fields(true), []fanfare.CredentialField{
			{Name: oauth.AccessTokenField, Label: "Access token (scope adwords); left out, it is fetched with the refresh token", Secret: true},
			{Name: urlField, Label: "Page that the ads lead to", Required: true},
			{Name: budgetField, Label: "Daily budget in the account's currency, such as 12.50", Required: true},
			{Name: politicalField, Label: "Whether the ads are political advertising in the EU: yes or no", Required: true},
			connector.RateCredential(),
		}),
		Description:     "Creates a search campaign with a responsive ad in your Google Ads account, paused: it costs nothing before you add keywords and enable it.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		customerField: wrongCustomer, loginField: wrongCustomer, urlField: wrongPage, budgetField: wrongBudget, politicalField: wrongAnswer,
	})
}

var (
	customerPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d{3}-?\d{3}-?\d{4}$`) })
	pagePattern     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^https?://[^\s/?#@]+\.[^\s/?#@]+([/?#]\S*)?$`) })
	budgetPattern   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(\d{1,7})(?:\.(\d{1,2}))?$`) })
)

func wrongCustomer(id string) string {
	if !customerPattern().MatchString(id) {
		return "must be a number of ten digits, such as 123-456-7890"
	}
	return ""
}

func wrongPage(page string) string {
	if !pagePattern().MatchString(page) {
		return "must be an address such as https://example.com/offer"
	}
	return ""
}

func wrongBudget(amount string) string {
	if micros(amount) == "" {
		return "must be an amount above 0, such as 12.50"
	}
	return ""
}

func wrongAnswer(answer string) string {
	if answer != "yes" && answer != "no" {
		return "must be yes or no"
	}
	return ""
}

// micros are millionths of the account's currency, which Google counts in; "" of
// what is no amount, or none.
func micros(amount string) string {
	parts := budgetPattern().FindStringSubmatch(amount)
	if parts == nil {
		return ""
	}
	return strings.TrimLeft(parts[1]+(parts[2] + "000000")[:6], "0")
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	number := func(field string) string { return strings.ReplaceAll(credentials[field], "-", "") }
	header := map[string]string{}
	if login := number(loginField); login != "" {
		header["Login-Customer-Id"] = login
	}
	bearer, developer := oauth.Bearer(credentials), credentials[developerField]
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), header: header, customer: "customers/" + number(customerField),
		page: credentials[urlField], micros: micros(credentials[budgetField]), political: credentials[politicalField] == "yes",
		api: rest.API{
			Name: name, BaseURL: cmp.Or(c.outside.BaseURLs[name], apiURL), Client: c.outside.HTTP, Patience: c.outside.Patience,
			Clean: oauth.Redactor(credentials).And(developer), Explain: explain,
			Authorize: func(r *http.Request) {
				bearer(r)
				r.Header.Set("Developer-Token", developer)
			},
		},
	}, nil
}

type problem struct {
	Error struct {
		Message string
		Details []struct {
			Errors []struct {
				ErrorCode map[string]string
				Message   string
			}
		}
	}
}

// explain says what Google has against the parts of a request, or else against
// the whole.
func explain(body []byte) string {
	var p problem
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	var said []string
	for _, detail := range p.Error.Details {
		for _, e := range detail.Errors {
			said = append(said, e.Message)
		}
	}
	return cmp.Or(strings.Join(said, " "), p.Error.Message)
}

// isDuplicate reports whether Google refused a name that is there already.
func isDuplicate(body []byte) bool {
	var p problem
	if json.Unmarshal(body, &p) != nil {
		return false
	}
	for _, detail := range p.Error.Details {
		for _, e := range detail.Errors {
			if e.ErrorCode["campaignError"] == "DUPLICATE_CAMPAIGN_NAME" || e.ErrorCode["campaignBudgetError"] == "DUPLICATE_NAME" {
				return true
			}
		}
	}
	return false
}
