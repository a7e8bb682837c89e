package scheduler

import (
	"context"
	"log/slog"
	"time"

	"fanfare"
)

const (
	sealEvery = time.Second
	sealBatch = 1000
)

// Trail is what the sealer needs of the database.
type Trail interface {
	// SealAudit seals what is settled, looking at up to limit records.
	SealAudit(ctx context.Context, limit int) (sealed int, more bool, err error)
	AuditHead(ctx context.Context) (fanfare.AuditLink, error)
}

// Sealer chains audit records that have settled, and logs the chain's head
// each full hour: who keeps the log can tell whether the chain was made anew
// since (fanfare audit verify --head).
type Sealer struct {
	trail  Trail
	logger *slog.Logger

	noted time.Time
	now   func() time.Time
}

// NewSealer returns a sealer.
func NewSealer(trail Trail, logger *slog.Logger) *Sealer {
	return &Sealer{trail: trail, logger: logger, now: time.Now}
}

// Name implements Task.
func (s *Sealer) Name() string { return "sealer" }

// Every implements Task.
func (s *Sealer) Every() time.Duration { return sealEvery }

// Tick implements Task.
func (s *Sealer) Tick(ctx context.Context) error {
	for {
		_, more, err := s.trail.SealAudit(ctx, sealBatch)
		if err != nil {
			return err
		}
		if !more {
			return s.note(ctx)
		}
	}
}

// note logs the head at the first tick, and at the first one of each hour.
func (s *Sealer) note(ctx context.Context) error {
	hour := s.now().Truncate(time.Hour)
	if hour.Equal(s.noted) {
		return nil
	}
	head, err := s.trail.AuditHead(ctx)
	if err != nil {
		return err
	}
	if head.Sequence > 0 {
		s.logger.InfoContext(ctx, "the head of the audit chain", "sequence", head.Sequence, "head", head.Hash.String())
		s.noted = hour
	}
	return nil
}
