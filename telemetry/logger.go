// Package telemetry makes the logger that every process writes to and the
// reporter that sends what went wrong to Sentry. Neither may carry a secret, a
// brief or a recipient.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"fanfare"
)

// NewLogger returns a logger that writes one JSON object a line to w, with
// time (UTC), level and msg first, and with what fanfare.WithLogAttrs put into
// the context. Errors are written as text; what looks like a secret or a
// recipient in a text is masked: see mask. What is said again and again, of no
// request and no job, is written less often: see calmHandler.
func NewLogger(w io.Writer, level slog.Leveler) *slog.Logger {
	lines := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: replace})
	return slog.New(calmHandler{contextHandler{lines}, &repeats{now: time.Now, lines: map[string]*repeat{}}})
}

func replace(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindTime:
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	case slog.KindString:
		a.Value = slog.StringValue(mask(a.Value.String()))
	case slog.KindAny:
		if err, ok := a.Value.Any().(error); ok {
			a.Value = slog.StringValue(errorText(err))
		}
	}
	return a
}

// contextHandler adds the context's attributes to each line.
type contextHandler struct{ slog.Handler }

func (h contextHandler) Handle(ctx context.Context, record slog.Record) error {
	if attrs := fanfare.LogAttrs(ctx); len(attrs) > 0 {
		record = record.Clone()
		record.AddAttrs(attrs...)
	}
	return h.Handler.Handle(ctx, record)
}

func (h contextHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return contextHandler{h.Handler.WithAttrs(attrs)}
}

func (h contextHandler) WithGroup(name string) slog.Handler {
	return contextHandler{h.Handler.WithGroup(name)}
}

// Printf lets a library that logs lines of text, such as go-redis by
// redis.SetLogger, write to a Logger instead: as warnings.
type Printf struct{ Logger *slog.Logger }

// Printf writes a line.
func (p Printf) Printf(ctx context.Context, format string, args ...any) {
	p.Logger.WarnContext(ctx, fmt.Sprintf(format, args...))
}
