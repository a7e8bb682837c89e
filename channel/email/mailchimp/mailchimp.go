// Package mailchimp has Mailchimp send a campaign to an audience that it knows.
// Its API is described at https://mailchimp.com/developer/marketing/api/campaigns/
// and https://mailchimp.com/developer/marketing/docs/errors/.
//
// A campaign's title is the delivery's id, and Mailchimp sends none twice. So
// what became of it can be asked, and one that is still a draft is gone on with.
//
// # Credentials
//
// An API key is made in Mailchimp's profile, under Extras, API keys. The
// audience's ID stands in the audience's settings. The sender's domain has to
// be verified in Mailchimp.
package mailchimp

import (
	"net/http"
	"net/mail"
	"strings"
	"unicode"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name      = "Mailchimp"
	keyField  = "apiKey"
	listField = "listId"
	fromField = "from"
)

// Connector connects to Mailchimp.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Mailchimp by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Email,
		CredentialFields: []fanfare.CredentialField{
			{Name: keyField, Label: "API key", Secret: true, Required: true},
			{Name: listField, Label: "Audience ID", Required: true},
			{Name: fromField, Label: "Sender's address", Required: true},
			connector.RateCredential(),
		},
		Description:     "Creates a campaign in your Mailchimp account and sends it at once to all subscribers of the audience. Mailchimp keeps the recipients and the unsubscriptions.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		keyField: wrongKey, listField: wrongList, fromField: connector.WrongAddress,
	})
}

// wrongKey looks at what becomes part of a host's name above all.
func wrongKey(key string) string {
	if !strings.Contains(key, "-") || !isDataCentre(dataCentre(key)) {
		return "must end with a dash and the data centre, such as -us21"
	}
	return ""
}

// dataCentre is where an account lives: a key says so behind its last dash.
func dataCentre(key string) string { return key[strings.LastIndexByte(key, '-')+1:] }

// isDataCentre takes two letters and up to three digits, as in us21.
func isDataCentre(text string) bool {
	digits := strings.TrimLeft(text, "abcdefghijklmnopqrstuvwxyz")
	return len(text)-len(digits) == 2 && len(digits) >= 1 && len(digits) <= 3 && strings.Trim(digits, "0123456789") == ""
}

func wrongList(list string) string {
	const longest = 40
	if len(list) > longest || strings.ContainsFunc(list, func(r rune) bool {
		return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}) {
		return "must be an audience's ID: letters and digits, as Mailchimp shows it in the audience's settings"
	}
	return ""
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	from, err := mail.ParseAddress(credentials[fromField])
	if err != nil {
		return nil, fanfare.Invalid("credentials.from", "must be an e-mail address")
	}
	key := credentials[keyField]
	clean := connector.NewRedactor(key, "fanfare:"+key)
	return &connection{
		provider: c.Provider(), list: credentials[listField], from: from, rate: connector.Rate(credentials), clean: clean,
		api: rest.API{
			Name: name, BaseURL: c.baseURL(key), Client: c.outside.HTTP, Clean: clean, Explain: explain, Patience: c.outside.Patience,
			Authorize: func(r *http.Request) { r.SetBasicAuth("fanfare", key) },
		},
	}, nil
}

func (c *Connector) baseURL(key string) string {
	if url := c.outside.BaseURLs[name]; url != "" {
		return url
	}
	return "https://" + dataCentre(key) + ".api.mailchimp.com/3.0"
}
