package app

import (
	"context"
	"fmt"

	"fanfare"
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
	return connection, nil
}
