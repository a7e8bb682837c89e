package telemetry

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"fanfare"
)

// Guard: calmHandler. A loop that fails each quarter of a second is heard of
// every ten, with the number of times between.
func TestAnOutageDoesNotFillTheLog(t *testing.T) {
	now := time.Now()
	var out bytes.Buffer
	said := &repeats{now: func() time.Time { return now }, lines: map[string]*repeat{}}
	logger := slog.New(calmHandler{contextHandler{slog.NewJSONHandler(&out, nil)}, said})
	lines := func(log func()) string {
		out.Reset()
		log()
		return strings.TrimSpace(out.String())
	}
	failing := func() { logger.Warn("a loop failed", "loop", "relay", "error", errors.New(now.String())) }
	if lines(failing) == "" {
		t.Error("the first failure was not written")
	}
	for range 39 {
		now = now.Add(repeatGap / 41)
		if again := lines(failing); again != "" {
			t.Errorf("the same was written again: %s", again)
		}
	}
	now = now.Add(repeatGap)
	if got := lines(failing); !strings.Contains(got, `"repeated":39`) {
		t.Errorf("after ten seconds: %q", got)
	}
	for name, log := range map[string]func(){
		"another loop": func() { logger.Warn("a loop failed", "loop", "reaper") },
		"an info":      func() { logger.Info("a loop failed", "loop", "relay") },
		"a job's":      func() { logger.Warn("a loop failed", "loop", "relay", "jobId", "j1") },
		"a request's":  func() { logger.WarnContext(fanfare.WithRequestID(t.Context(), "r1"), "a loop failed", "loop", "relay") },
		"a job's own":  func() { logger.With("jobId", "j1").Warn("a loop failed", "loop", "relay") },
	} {
		if got := lines(log); got == "" {
			t.Errorf("%s line was left out", name)
		}
	}
}
