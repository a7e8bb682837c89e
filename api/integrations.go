package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gofrs/uuid/v5"

	"fanfare"
)

type integrationStore interface {
	CreateIntegration(ctx context.Context, integration fanfare.Integration, sealed fanfare.Sealed) (fanfare.Integration, error)
	Integration(ctx context.Context, userID, id string) (fanfare.Integration, error)
	Integrations(ctx context.Context, userID string, typ fanfare.Channel, page fanfare.Page) ([]fanfare.Integration, error)
	SetIntegrationStatus(ctx context.Context, userID, id string, status fanfare.IntegrationStatus, answered bool) error
	DeleteIntegration(ctx context.Context, userID, id string) (fanfare.Integration, error)
}

// Providers are those that can be connected.
type Providers interface {
	Providers() []fanfare.Provider
	// Check refuses credentials that a provider can't use, by field, without
	// asking the provider.
	Check(name string, typ fanfare.Channel, c fanfare.Credentials) error
}

// Vault seals credentials for the integration that they are of.
type Vault interface {
	Seal(userID, integrationID string, c fanfare.Credentials) (fanfare.Sealed, error)
}

const (
	maxCredentials    = 64
	maxCredentialName = 64      // bytes
	maxCredential     = 8 << 10 // bytes
)

type providersOutput struct {
	Body []fanfare.Provider `nullable:"false"`
}

func (s *Server) listProviders(context.Context, *struct{}) (*providersOutput, error) {
	return &providersOutput{Body: s.Providers.Providers()}, nil
}

type listIntegrationsInput struct {
	PageInput
	Type string `query:"type" enum:"email,social,ppc,sms"`
}

func (s *Server) listIntegrations(ctx context.Context, in *listIntegrationsInput) (*listOutput[fanfare.Integration], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	integrations, err := s.Store.Integrations(ctx, user(ctx).ID, fanfare.Channel(in.Type), page)
	if err != nil {
		return nil, err
	}
	return listed(in.PageInput, "/api/integrations", url.Values{"type": {in.Type}}, integrations, func(i fanfare.Integration) fanfare.Position {
		return fanfare.Position{CreatedAt: i.CreatedAt, ID: i.ID}
	}), nil
}

type createIntegrationInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Body           struct {
		Name        string            `json:"name" doc:"A provider's: see GET /api/integrations/providers" example:"SMTP"`
		Type        fanfare.Channel   `json:"type"`
		Credentials map[string]string `json:"credentials" doc:"By the provider's fields: up to 64, of 8 KiB each. They are kept encrypted, and no answer shows a value"`
	}
}

func (s *Server) createIntegration(ctx context.Context, in *createIntegrationInput) (*createdOutput, error) {
	provider, err := s.provider(in.Body.Name, in.Body.Type)
	if err != nil {
		return nil, err
	}
	credentials, err := s.credentials(provider, in.Body.Credentials)
	if err != nil {
		return nil, err
	}
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) {
		integration, err := s.storeIntegration(ctx, provider, credentials)
		if err != nil {
			return created{}, err
		}
		return created{status: http.StatusCreated, body: integration},
			s.Store.Audit(ctx, audited(ctx, fanfare.ActionIntegrationCreate, integration.ID, about(integration)))
	})
	if err != nil {
		return nil, err
	}
	return &createdOutput{Status: answer.status, Body: answer.body}, nil
}

// provider finds a provider whichever case its name is written in.
func (s *Server) provider(name string, typ fanfare.Channel) (fanfare.Provider, error) {
	for _, p := range s.Providers.Providers() {
		if p.Type == typ && strings.EqualFold(p.Name, name) {
			return p, nil
		}
	}
	return fanfare.Provider{}, fanfare.Invalid("name", "is not a provider of this type. GET /api/integrations/providers lists them")
}

// credentials checks what is to be stored. A field that was left empty counts
// as left out. No error quotes a value.
func (s *Server) credentials(p fanfare.Provider, given map[string]string) (fanfare.Credentials, error) {
	if len(given) > maxCredentials {
		return nil, fanfare.Invalid("credentials", "must have at most %d fields", maxCredentials)
	}
	c := fanfare.Credentials{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		switch value := given[name]; {
		case len(name) > maxCredentialName:
			return nil, fanfare.Invalid("credentials", "has a field whose name is longer than %d characters", maxCredentialName)
		case len(value) > maxCredential:
			return nil, fanfare.Invalid("credentials."+name, "must have at most %d bytes", maxCredential)
		case value != "":
			c[name] = value
		}
	}
	return c, s.Providers.Check(p.Name, p.Type, c)
}

func (s *Server) storeIntegration(ctx context.Context, p fanfare.Provider, c fanfare.Credentials) (fanfare.Integration, error) {
	integration := fanfare.Integration{
		ID: uuid.Must(uuid.NewV7()).String(), UserID: user(ctx).ID, Name: p.Name, Type: p.Type,
		CredentialFields: slices.Sorted(maps.Keys(c)),
	}
	sealed, err := s.Vault.Seal(integration.UserID, integration.ID, c)
	if err != nil {
		return fanfare.Integration{}, err
	}
	return s.Store.CreateIntegration(ctx, integration, sealed)
}

func (s *Server) deleteIntegrationByQuery(ctx context.Context, in *IDQueryInput) (*struct{}, error) {
	return s.deleteIntegration(ctx, &IDInput{ID: in.ID})
}

func (s *Server) deleteIntegration(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, s.Store.Atomic(ctx, func(ctx context.Context) error {
		integration, err := s.Store.DeleteIntegration(ctx, user(ctx).ID, in.ID)
		if err != nil {
			return err
		}
		if err := s.stopOrphans(ctx, integration.Type); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionIntegrationDelete, in.ID, about(integration)))
	})
}

// about is what an audit record tells of an integration.
func about(i fanfare.Integration) map[string]any {
	return map[string]any{"name": i.Name, "type": i.Type}
}
