package store_test

import (
	"context"
	"time"

	"fanfare"
	"fanfare/store"
)

func callsOfIntegrations(s *store.Store) map[string]call {
	id := uid(2000) // busy's
	sealed := fanfare.Sealed{KeyID: "k2", Box: []byte("box")}
	return map[string]call{
		"CreateIntegration": func(ctx context.Context) error {
			return second(s.CreateIntegration(ctx, fanfare.Integration{
				ID: uid(9_999), UserID: busy, Name: "SMTP", Type: fanfare.Email, CredentialFields: []string{"host"},
			}, sealed))
		},
		"Integrations": func(ctx context.Context) error {
			return each([]fanfare.Channel{"", fanfare.SMS}, func(typ fanfare.Channel) error {
				return each(pages(6_000), func(p fanfare.Page) error { return second(s.Integrations(ctx, busy, typ, p)) })
			})
		},
		"Integration":       func(ctx context.Context) error { return second(s.Integration(ctx, busy, id)) },
		"IntegrationFor":    func(ctx context.Context) error { return second(s.IntegrationFor(ctx, busy, fanfare.SMS)) },
		"SealedCredentials": func(ctx context.Context) error { _, _, err := s.SealedCredentials(ctx, busy, id); return err },
		"KeysInUse":         func(ctx context.Context) error { return second(s.KeysInUse(ctx)) },
		"SealedNotUnder": func(ctx context.Context) error {
			return each([]string{"k1", "k2", "k3"}, func(key string) error { // from after none, and on
				first, err := s.SealedNotUnder(ctx, key, nil, 100)
				if err != nil {
					return err
				}
				return second(s.SealedNotUnder(ctx, key, &first[len(first)-1], 100))
			})
		},
		"Reseal": func(ctx context.Context) error {
			return second(s.Reseal(ctx, id, sealed, fanfare.Sealed{KeyID: "k3", Box: []byte("other")}))
		},
		"BeginRenewal": func(ctx context.Context) error { return second(s.BeginRenewal(ctx, id, sealed, time.Minute)) },
		"KeepRenewal":  func(ctx context.Context) error { return second(s.KeepRenewal(ctx, id, sealed, sealed, time.Hour)) },
		"FailRenewal":  func(ctx context.Context) error { return second(s.FailRenewal(ctx, id, sealed, true)) },
		"SetIntegrationStatus": func(ctx context.Context) error {
			return s.SetIntegrationStatus(ctx, busy, id, fanfare.IntegrationConnected, true)
		},
		"DeleteIntegration": func(ctx context.Context) error { return second(s.DeleteIntegration(ctx, busy, id)) },
	}
}
