// Package metaads creates campaigns in an ad account of Meta, paused. It is
// written from
// https://developers.facebook.com/docs/marketing-api/reference/ad-account/campaigns/,
// https://developers.facebook.com/docs/marketing-api/reference/ad-account/adsets/,
// https://developers.facebook.com/docs/marketing-api/reference/ad-account/adcreatives/ and
// https://developers.facebook.com/docs/marketing-api/reference/ad-account/ads/.
//
// Campaign, ad set, creative and ad are a request each. The last one counts: what
// an attempt that was cut off before has left is found by its name, which has the
// delivery's id, and gone on with. An account may have two ads of a name, so an
// outcome that can't be found is unknown.
//
// What ads need beside their texts no message has: where they lead, what they may
// cost a day in the account's smallest unit, in which countries they are shown,
// and which special categories they are of, which Meta wants declared. The
// integration says these. Nothing is spent before a person has looked at the ads
// and turned them on.
//
// # Credentials
//
// An app is made at https://developers.facebook.com/apps with the permission
// ads_management. The access token is made in the business's settings
// (https://business.facebook.com/settings), Users, System users, for one to whom the
// ad account and the page are assigned; choose that it never expires. The settings
// show the ad account's number and the page's, too. The special categories are listed
// at https://developers.facebook.com/docs/marketing-api/audiences/special-ad-category.
package metaads

import (
	"regexp"
	"strings"
	"sync"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/meta"
)

const (
	name            = "Meta Ads"
	accountField    = "adAccountId"
	pageField       = "pageId"
	urlField        = "finalUrl"
	budgetField     = "dailyBudget"
	countriesField  = "countries"
	categoriesField = "specialAdCategories"
	payerField      = "advertiser"
)

// Connector connects to Meta's Marketing API.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Meta by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.PPC,
		CredentialFields: []fanfare.CredentialField{
			{Name: accountField, Label: "Ad account ID, such as act_1234567890", Required: true},
			{Name: pageField, Label: "ID of the page that the ads are shown as", Required: true},
			{Name: meta.TokenField, Label: "Access token of a system user (ads_management)", Secret: true, Required: true},
			{Name: urlField, Label: "Page that the ads lead to", Required: true},
			{Name: budgetField, Label: "Daily budget in the smallest unit of the account's currency, such as 1250 for 12.50", Required: true},
			{Name: countriesField, Label: "Countries to show the ads in, such as DE,AT", Required: true},
			{Name: categoriesField, Label: "Special ad categories, such as HOUSING or EMPLOYMENT, or NONE", Required: true},
			{Name: payerField, Label: "Who benefits from the ads and pays for them; shown in the EU, where it is required"},
			connector.RateCredential(),
		},
		Description:     "Creates a campaign with one ad in your Meta ad account, paused: it costs nothing before you turn it on. The ad has the first headline, and the descriptions as its text.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		accountField: wrongAccount, pageField: meta.WrongID, urlField: wrongPage, budgetField: wrongBudget,
		countriesField: wrongCountries, categoriesField: wrongCategories,
	})
}

func wrongAccount(id string) string {
	if number := strings.TrimPrefix(id, "act_"); number == "" || meta.WrongID(number) != "" {
		return "must be a number, such as act_1234567890"
	}
	return ""
}

var (
	pagePattern   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^https?://[^\s/?#@]+\.[^\s/?#@]+([/?#]\S*)?$`) })
	budgetPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[1-9]\d{0,9}$`) })
	codesPattern  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z]{2}( *, *[A-Z]{2}){0,24}$`) })
	namesPattern  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z_]{4,60}( *, *[A-Z_]{4,60}){0,9}$`) })
)

func wrongPage(page string) string {
	if !pagePattern().MatchString(page) {
		return "must be an address such as https://example.com/offer"
	}
	return ""
}

func wrongBudget(amount string) string {
	if !budgetPattern().MatchString(amount) {
		return "must be a whole number, such as 1250 for 12.50"
	}
	return ""
}

func wrongCountries(codes string) string {
	if !codesPattern().MatchString(codes) {
		return "must be codes of countries with commas between them, such as DE,AT"
	}
	return ""
}

func wrongCategories(names string) string {
	if !namesPattern().MatchString(names) || names != "NONE" && strings.Contains(names, "NONE") {
		return "must be NONE, or Meta's names of categories with commas between them"
	}
	return ""
}

// list takes a field apart.
func list(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	connection := &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), api: meta.New(name, c.outside, credentials),
		account: "/act_" + strings.TrimPrefix(credentials[accountField], "act_"),
		page:    credentials[pageField], link: credentials[urlField], budget: credentials[budgetField],
		countries: list(credentials[countriesField]), payer: credentials[payerField], categories: []string{},
	}
	if credentials[categoriesField] != "NONE" {
		connection.categories = list(credentials[categoriesField])
	}
	return connection, nil
}
