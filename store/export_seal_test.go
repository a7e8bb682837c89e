package store

import (
	"context"
	"errors"

	"fanfare"
)

// SealFrom seals as one would who has read the head before others moved it.
func (s *Store) SealFrom(ctx context.Context, head func(context.Context) error) error {
	stale, err := s.auditHead(ctx)
	if err != nil {
		return err
	}
	if err := head(ctx); err != nil {
		return err
	}
	_, _, err = s.seal(ctx, stale, 100)
	return err
}

// VerifyAfter checks the audit trail as it would stand after some statements,
// and takes them back: a database for each would take long.
func (s *Store) VerifyAfter(ctx context.Context, statements string) (report fanfare.AuditReport, err error) {
	back := errors.New("taken back")
	if e := s.Atomic(ctx, func(ctx context.Context) error {
		if _, err = s.q(ctx).ExecContext(ctx, statements); err == nil {
			report, err = s.verify(ctx, nil)
		}
		return back
	}); !errors.Is(e, back) {
		err = e
	}
	return report, err
}
