// Package channel holds the connectors to those who bring messages to people.
// Each is a folder below its channel's, and a line in the table of New; package
// connector says what one is made of, and conformance holds all to the same.
package channel

//go:generate go test . -run ^TestConnectorsPage$ -count 1 -update

import (
	"cmp"
	"context"
	"slices"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
	"fanfare/channel/email/mailchimp"
	"fanfare/channel/email/postmark"
	"fanfare/channel/email/resend"
	"fanfare/channel/email/ses"
	"fanfare/channel/email/smtp"
	"fanfare/channel/ppc/googleads"
	"fanfare/channel/ppc/metaads"
	"fanfare/channel/sms/kannel"
	"fanfare/channel/sms/twilio"
	"fanfare/channel/social/bluesky"
	"fanfare/channel/social/discord"
	"fanfare/channel/social/facebook"
	"fanfare/channel/social/linkedin"
	"fanfare/channel/social/mastodon"
	"fanfare/channel/social/slack"
	"fanfare/channel/social/x"
)

// Options are what all connectors share.
type Options struct {
	// AllowPrivate lets connectors reach private addresses, and talk without
	// TLS.
	AllowPrivate bool
	// PublicURL is where people reach us, without a slash at its end.
	PublicURL string
	// BaseURLs replaces addresses of providers' APIs, by the provider's name:
	// for tests. It opens no way that AllowPrivate does not.
	BaseURLs map[string]string
}

// Registry is all connectors.
type Registry struct{ connectors []connector.Connector }

// New returns all connectors there are.
func New(opts Options) *Registry {
	dial := egress.NewDialer(opts.AllowPrivate, nil).DialContext
	outside := connector.Outside{
		AllowPrivate: opts.AllowPrivate,
		PublicURL:    opts.PublicURL,
		Dial:         dial,
		HTTP:         egress.NewClient(dial, nil),
		BaseURLs:     opts.BaseURLs,
	}
	return &Registry{[]connector.Connector{
		mailchimp.New(outside),
		postmark.New(outside),
		resend.New(outside),
		ses.New(outside),
		smtp.New(outside),
		googleads.New(outside),
		metaads.New(outside),
		kannel.New(outside),
		twilio.New(outside),
		bluesky.New(outside),
		discord.New(outside),
		facebook.New(outside),
		linkedin.New(outside),
		mastodon.New(outside),
		slack.New(outside),
		x.New(outside),
	}}
}

// Providers lists whom messages can be handed to, by channel and name.
func (r *Registry) Providers() []fanfare.Provider {
	providers := make([]fanfare.Provider, len(r.connectors))
	for i, c := range r.connectors {
		providers[i] = c.Provider()
	}
	slices.SortFunc(providers, func(a, b fanfare.Provider) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Name, b.Name))
	})
	return providers
}

// Provider returns one of them.
func (r *Registry) Provider(name string, typ fanfare.Channel) (fanfare.Provider, bool) {
	c := r.find(name, typ)
	if c == nil {
		return fanfare.Provider{}, false
	}
	return c.Provider(), true
}

// Check refuses credentials that can't be right, by a *fanfare.Error that names
// the field and never quotes a value. It asks nobody.
func (r *Registry) Check(name string, typ fanfare.Channel, c fanfare.Credentials) error {
	found := r.find(name, typ)
	if found == nil {
		return fanfare.Invalid("name", "must be a provider of the given type; GET /api/integrations/providers lists them")
	}
	return found.Check(c)
}

// Open prepares a connection, to be closed after use. It refuses what Check
// does, and sends nothing.
func (r *Registry) Open(name string, typ fanfare.Channel, c fanfare.Credentials) (fanfare.Connection, error) {
	if err := r.Check(name, typ, c); err != nil {
		return nil, err
	}
	return r.find(name, typ).Open(c)
}

// Renews reports whether the credentials hold an access token that ends, and
// what it can be renewed with.
func (r *Registry) Renews(name string, typ fanfare.Channel, c fanfare.Credentials) bool {
	renewer, ok := r.find(name, typ).(connector.Renewer)
	return ok && renewer.Renews(c)
}

// Renew asks the provider for another access token, as connector.Renewer says.
func (r *Registry) Renew(ctx context.Context, name string, typ fanfare.Channel, c fanfare.Credentials) (fanfare.Credentials, time.Duration, error) {
	renewer, ok := r.find(name, typ).(connector.Renewer)
	if !ok {
		return nil, 0, &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: name + " has nothing to renew."}
	}
	return renewer.Renew(ctx, c)
}

func (r *Registry) find(name string, typ fanfare.Channel) connector.Connector {
	for _, c := range r.connectors {
		if p := c.Provider(); p.Name == name && p.Type == typ {
			return c
		}
	}
	return nil
}
