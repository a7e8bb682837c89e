package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"fanfare"
)

const (
	demoName  = "Demo"
	demoEmail = "demo@fanfare.example"
)

// signIn registers the demo's user in the first run, and makes it a key that
// later runs use.
func (d *Dev) signIn(ctx context.Context, state *devState) (*client, error) {
	base := "http://" + d.Config.HTTPAddr
	if state.DemoKey != "" {
		api := newClient(base, state.DemoKey)
		if err := api.do(ctx, http.MethodGet, "/api/keys", nil, nil); err == nil {
			return api, nil
		}
	}
	api := newClient(base, "")
	credentials := map[string]string{"name": demoName, "email": demoEmail, "password": state.DemoPassword}
	err := api.do(ctx, http.MethodPost, "/api/auth/register", credentials, nil)
	if refused, ok := errors.AsType[*apiError](err); err != nil && (!ok || refused.Code != fanfare.CodeUserExists) {
		return nil, fmt.Errorf("registering the demo's user: %w", err)
	}
	if err := api.do(ctx, http.MethodPost, "/api/auth/login", credentials, nil); err != nil {
		return nil, fmt.Errorf("signing in as the demo's user: %w", err)
	}
	var key struct{ Key string }
	if err := api.do(ctx, http.MethodPost, "/api/keys", map[string]string{"name": "fanfare demo"}, &key); err != nil {
		return nil, fmt.Errorf("making an API key: %w", err)
	}
	state.DemoKey = key.Key
	return newClient(base, key.Key), d.saveState(state)
}
