package api

import (
	"context"
	"net/http"
	"time"

	"fanfare"
)

type keyStore interface {
	CreateAPIKey(ctx context.Context, userID, name string, digest []byte) (fanfare.APIKey, error)
	APIKeys(ctx context.Context, userID string, page fanfare.Page) ([]fanfare.APIKey, error)
	DeleteAPIKey(ctx context.Context, userID, id string) error
}

func (s *Server) listKeys(ctx context.Context, in *PageInput) (*listOutput[fanfare.APIKey], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	keys, err := s.Store.APIKeys(ctx, user(ctx).ID, page)
	if err != nil {
		return nil, err
	}
	return listed(*in, "/api/keys", nil, keys, func(k fanfare.APIKey) fanfare.Position {
		return fanfare.Position{CreatedAt: k.CreatedAt, ID: k.ID}
	}), nil
}

type createKeyInput struct {
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Body           struct {
		Name string `json:"name" doc:"What it is for; 1 to 100 characters"`
	}
}

// NewKey is an API key, with its secret this one time.
type NewKey struct {
	ID        string    `json:"id" format:"uuid"`
	Name      string    `json:"name"`
	Key       string    `json:"key,omitempty" doc:"Shown once: only a digest is kept. A replay of the request leaves it out"`
	CreatedAt time.Time `json:"createdAt"`
}

type createKeyOutput struct {
	Status int
	Body   any
}

func (s *Server) createKey(ctx context.Context, in *createKeyInput) (*createKeyOutput, error) {
	name, err := label("name", in.Body.Name, 1)
	if err != nil {
		return nil, err
	}
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) {
		secret, digest := s.Tokens.NewKey()
		key, err := s.Store.CreateAPIKey(ctx, user(ctx).ID, name, digest)
		if err != nil {
			return created{}, err
		}
		shown := NewKey{ID: key.ID, Name: key.Name, CreatedAt: key.CreatedAt}
		once := shown
		once.Key = secret
		record := audited(ctx, fanfare.ActionKeyCreate, key.ID, nil)
		return created{status: http.StatusCreated, body: once, keep: shown}, s.Store.Audit(ctx, record)
	})
	if err != nil {
		return nil, err
	}
	return &createKeyOutput{Status: answer.status, Body: answer.body}, nil
}

func (s *Server) deleteKey(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, s.Store.Atomic(ctx, func(ctx context.Context) error {
		if err := s.Store.DeleteAPIKey(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionKeyDelete, in.ID, nil))
	})
}
