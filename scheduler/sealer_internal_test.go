package scheduler

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"fanfare"
)

// shortTrail has some batches to seal, and then fails if it is told to.
type shortTrail struct {
	batches int
	err     error
}

func (s *shortTrail) SealAudit(context.Context, int) (int, bool, error) {
	s.batches--
	return 1, s.batches > 0, s.err
}

func (s *shortTrail) AuditHead(context.Context) (fanfare.AuditLink, error) {
	return fanfare.AuditLink{Sequence: 7}, nil
}

// TestTheHeadIsLoggedEachHour: at the hour's turn, which is a month's too.
func TestTheHeadIsLoggedEachHour(t *testing.T) {
	var log bytes.Buffer
	sealer := NewSealer(&shortTrail{}, slog.New(slog.NewTextHandler(&log, nil)))
	now := time.Date(2026, 1, 31, 22, 59, 58, 0, time.UTC)
	sealer.now = func() time.Time { return now }
	want := 1
	for range 2 * 60 * 60 {
		if err := sealer.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(log.String(), "head="); got != want {
			t.Fatalf("at %s the head was logged %d times, want %d", now, got, want)
		}
		now = now.Add(time.Second)
		if now.Minute() == 0 && now.Second() == 0 {
			want++
		}
	}
}

func TestASealerThatFailsLogsNoHead(t *testing.T) {
	var log bytes.Buffer
	broken := errors.New("no")
	sealer := NewSealer(&shortTrail{err: broken}, slog.New(slog.NewTextHandler(&log, nil)))
	if err := sealer.Tick(t.Context()); !errors.Is(err, broken) || log.Len() > 0 {
		t.Errorf("%v, logged %q", err, log.String())
	}
}
