package store_test

import (
	"context"
	"time"

	"fanfare"
	"fanfare/store"
)

func callsOfAudits(s *store.Store) map[string]call {
	return map[string]call{
		"Audit": func(ctx context.Context) error {
			return s.Audit(ctx, fanfare.AuditRecord{Action: fanfare.ActionUserLogin})
		},
		"Audits": func(ctx context.Context) error {
			every := fanfare.AuditFilter{
				Action: fanfare.ActionUserLogin, Resource: "20000", Status: fanfare.AuditFailure,
				From: time.Now().AddDate(0, 0, -20), To: time.Now().AddDate(0, 0, -10),
			}
			return each(filters(every), func(f fanfare.AuditFilter) error {
				return each(pages(30_000), func(p fanfare.Page) error { return second(s.Audits(ctx, busy, f, p)) })
			})
		},
		"AuditHead": func(ctx context.Context) error { return second(s.AuditHead(ctx)) },
		"SealAudit": func(ctx context.Context) error { _, _, err := s.SealAudit(ctx, 1000); return err },
		// In a transaction of its own, so it sees what was filled in.
		"VerifyAudit":     func(ctx context.Context) error { return second(s.VerifyAudit(ctx, nil)) },
		"DropAuditMonths": func(ctx context.Context) error { return s.DropAuditMonths(ctx, 40*24*time.Hour) },
	}
}
