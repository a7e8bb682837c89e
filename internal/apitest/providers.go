package apitest

import (
	"context"
	"slices"
	"sync"

	"fanfare"
	"fanfare/secrets"
	"fanfare/store"
)

// Providers stands in for those whom one can connect: SMTP and Resend for
// e-mail, Slack for social. It gives the answers that a test has set.
type Providers struct {
	store   *store.Store
	keyring *secrets.Keyring

	mu     sync.Mutex
	answer func(ctx context.Context, c fanfare.Credentials) error
	sent   []fanfare.Outgoing
}

// Sent returns the messages that were taken.
func (p *Providers) Sent() []fanfare.Outgoing {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// UnsubscribeURL implements jobs.Links.
func (p *Providers) UnsubscribeURL(_ string, _ fanfare.Channel, address string) string {
	return "https://fanfare.example/unsubscribe/" + address
}

// Answer sets what comes of each call of a provider from now on: the error
// that answer returns. It is nil at first.
func (p *Providers) Answer(answer func(ctx context.Context, c fanfare.Credentials) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// Providers implements api.Providers.
func (p *Providers) Providers() []fanfare.Provider {
	field := func(name string, secret, required bool) fanfare.CredentialField {
		return fanfare.CredentialField{Name: name, Label: name, Secret: secret, Required: required}
	}
	return []fanfare.Provider{
		{Name: "Resend", Type: fanfare.Email, Description: "Sends mail.", VerifiedAgainst: fanfare.VerifiedContract,
			CredentialFields: []fanfare.CredentialField{field("apiKey", true, true)}},
		{Name: "SMTP", Type: fanfare.Email, Description: "Sends mail.", VerifiedAgainst: fanfare.VerifiedReal,
			CredentialFields: []fanfare.CredentialField{field("host", false, true), field("username", false, false), field("password", true, false)}},
		{Name: "Slack", Type: fanfare.Social, Description: "Posts.", VerifiedAgainst: fanfare.VerifiedContract,
			CredentialFields: []fanfare.CredentialField{field("webhookUrl", true, true)}},
	}
}

// Check implements api.Providers.
func (p *Providers) Check(name string, typ fanfare.Channel, c fanfare.Credentials) error {
	at := slices.IndexFunc(p.Providers(), func(p fanfare.Provider) bool { return p.Name == name && p.Type == typ })
	fields := p.Providers()[at].CredentialFields
	for _, f := range fields {
		if f.Required && c[f.Name] == "" {
			return fanfare.Invalid("credentials."+f.Name, "is required")
		}
	}
	for given := range c {
		if !slices.ContainsFunc(fields, func(f fanfare.CredentialField) bool { return f.Name == given }) {
			return fanfare.Invalid("credentials."+given, "is not a field of %s", name)
		}
	}
	return nil
}

// Connect implements fanfare.Connections.
func (p *Providers) Connect(ctx context.Context, userID, integrationID string) (fanfare.Connection, error) {
	integration, sealed, err := p.store.SealedCredentials(ctx, userID, integrationID)
	if err != nil {
		return nil, err
	}
	c, err := p.keyring.Open(userID, integration.ID, sealed)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return connection{providers: p, answer: p.answer, credentials: c}, nil
}

// connection can be tested and sent by.
type connection struct {
	fanfare.Connection
	providers   *Providers
	answer      func(ctx context.Context, c fanfare.Credentials) error
	credentials fanfare.Credentials
}

func (c connection) Test(ctx context.Context) error {
	if c.answer == nil {
		return nil
	}
	return c.answer(ctx, c.credentials)
}

func (c connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	if err := c.Test(ctx); err != nil {
		return "", err
	}
	c.providers.mu.Lock()
	defer c.providers.mu.Unlock()
	c.providers.sent = append(c.providers.sent, m)
	return "taken", nil
}

func (c connection) Rate() float64 { return 0 }

func (c connection) Close() error { return nil }
