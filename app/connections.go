package app

import (
	"context"
	"fmt"

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

// Connect implements fanfare.Connections. Credentials that a provider does not
// take any more, since it asks for others now, are a *fanfare.SendError.
func (c connections) Connect(ctx context.Context, userID, integrationID string) (fanfare.Connection, error) {
	integration, sealed, err := c.store.SealedCredentials(ctx, userID, integrationID)
	if err != nil {
		return nil, err
	}
	credentials, err := c.keyring.Open(integration.UserID, integration.ID, sealed)
	if err != nil {
		return nil, fmt.Errorf("opening integration %s: %w", integration.ID, err)
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
