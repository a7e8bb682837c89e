package app

import (
	"context"
	"fmt"
	"time"

	"fanfare"
	"fanfare/auth"
	"fanfare/channel"
	"fanfare/secrets"
	"fanfare/store"
)

// registry knows the providers that there are.
type registry interface {
	Providers() []fanfare.Provider
	Check(name string, typ fanfare.Channel, c fanfare.Credentials) error
	Open(name string, typ fanfare.Channel, c fanfare.Credentials) (fanfare.Connection, error)
	Renews(name string, typ fanfare.Channel, c fanfare.Credentials) bool
	Renew(ctx context.Context, name string, typ fanfare.Channel, c fanfare.Credentials) (fanfare.Credentials, time.Duration, error)
}

// connections opens users' integrations: row, credentials, connector.
type connections struct {
	store    *store.Store
	keyring  *secrets.Keyring
	registry registry
}

// connections opens what API and worker need to reach providers.
func (p *parts) connections() (connections, error) {
	keyring, err := secrets.NewKeyring(p.Config.EncryptionKey, p.Config.EncryptionKeysOld)
	if err != nil {
		return connections{}, fmt.Errorf("reading ENCRYPTION_KEY: %w", err)
	}
	return connections{store: p.store, keyring: keyring, registry: channel.New(channel.Options{
		AllowPrivate: p.Config.AllowPrivateHosts, PublicURL: p.Config.PublicURL,
	})}, nil
}

// links makes the addresses that messages carry.
type links struct {
	publicURL string
	tokens    auth.Tokens
}

// UnsubscribeURL implements jobs.Links.
func (l links) UnsubscribeURL(userID string, channel fanfare.Channel, address string) string {
	return l.publicURL + "/unsubscribe/" + l.tokens.UnsubscribeToken(userID, string(channel), address)
}

var _ fanfare.Connections = connections{}

// Connect implements fanfare.Connections. An access token that ends is renewed
// before. Credentials that a provider does not take any more are a
// *fanfare.SendError: it refuses to renew them, or asks for others now.
func (c connections) Connect(ctx context.Context, userID, integrationID string) (fanfare.Connection, error) {
	integration, credentials, err := c.current(ctx, userID, integrationID)
	if err != nil {
		return nil, err
	}
	connection, err := c.registry.Open(integration.Name, integration.Type, credentials)
	if err != nil {
		return nil, &fanfare.SendError{
			Fate:   fanfare.FateUnauthorized,
			Reason: integration.Name + " needs other credentials now. Delete this integration and connect it anew.",
			Cause:  err,
		}
	}
	return tracedConnection{connection}, nil
}
