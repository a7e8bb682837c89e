package telemetry

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"fanfare"
)

const (
	// repeatGap is how often the same warning is written.
	repeatGap = 10 * time.Second
	// mostRepeats bounds what is remembered, should a message hold an id.
	mostRepeats = 1000
)

// calmHandler writes warnings and errors that belong to no request and no job
// once in repeatGap, and then how many of them it has left out: loops that wait
// for a server shall not fill the disk while it is away.
type calmHandler struct {
	slog.Handler
	said *repeats
}

// repeats remembers what was said, and until when not to say it again.
type repeats struct {
	now func() time.Time

	mu    sync.Mutex
	lines map[string]*repeat
}

type repeat struct {
	until time.Time
	left  int // out, since then
}

func (h calmHandler) Handle(ctx context.Context, record slog.Record) error {
	if record.Level < slog.LevelWarn || len(fanfare.LogAttrs(ctx)) > 0 {
		return h.Handler.Handle(ctx, record)
	}
	key, loose := subject(record)
	if !loose {
		return h.Handler.Handle(ctx, record)
	}
	say, left := h.said.say(key)
	if !say {
		return nil
	}
	if left > 0 {
		record = record.Clone()
		record.AddAttrs(slog.Int("repeated", left))
	}
	return h.Handler.Handle(ctx, record)
}

// WithAttrs leaves a logger of one job or request as it is.
func (h calmHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	next := h.Handler.WithAttrs(attrs)
	for _, a := range attrs {
		if ofOne(a) {
			return next
		}
	}
	return calmHandler{next, h.said}
}

func (h calmHandler) WithGroup(name string) slog.Handler {
	return calmHandler{h.Handler.WithGroup(name), h.said}
}

// subject is what a line is about, whatever its error and figures are. It is
// not loose where it names a job or a request.
func subject(record slog.Record) (key string, loose bool) {
	parts := []string{record.Message}
	loose = true
	record.Attrs(func(a slog.Attr) bool {
		loose = !ofOne(a)
		if a.Value.Kind() == slog.KindString {
			parts = append(parts, a.Value.String())
		}
		return loose
	})
	return strings.Join(parts, "\x00"), loose
}

func ofOne(a slog.Attr) bool { return a.Key == "jobId" || a.Key == "requestId" }

func (r *repeats) say(key string) (say bool, left int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if len(r.lines) >= mostRepeats {
		clear(r.lines)
	}
	line := r.lines[key]
	if line == nil {
		line = &repeat{}
		r.lines[key] = line
	}
	if now.Before(line.until) {
		line.left++
		return false, 0
	}
	left, line.left, line.until = line.left, 0, now.Add(repeatGap)
	return true, left
}
