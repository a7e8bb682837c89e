package fanfare

import (
	"context"
	"log/slog"
	"slices"
)

type logAttrsKey struct{}

// WithLogAttrs returns a context whose log lines carry attrs, as long as they
// are written with the *Context methods of a logger that knows of LogAttrs. An
// attribute replaces an earlier one of the same key.
func WithLogAttrs(ctx context.Context, attrs ...slog.Attr) context.Context {
	kept := slices.Clone(LogAttrs(ctx))
	kept = slices.DeleteFunc(kept, func(old slog.Attr) bool {
		return slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == old.Key })
	})
	return context.WithValue(ctx, logAttrsKey{}, append(kept, attrs...))
}

// LogAttrs returns what WithLogAttrs put into ctx; not to be changed.
func LogAttrs(ctx context.Context) []slog.Attr {
	attrs, _ := ctx.Value(logAttrsKey{}).([]slog.Attr)
	return attrs
}

// WithRequestID lets the log lines of a request carry its id.
func WithRequestID(ctx context.Context, id string) context.Context {
	return WithLogAttrs(ctx, slog.String("requestId", id))
}

// WithJobID lets the log lines of a job's work carry its id.
func WithJobID(ctx context.Context, id string) context.Context {
	return WithLogAttrs(ctx, slog.String("jobId", id))
}

// Reporter tells the operators what went wrong and how long things took.
// Neither call blocks, and nothing that a user wrote leaves by them: of err
// only its types and codes, of tags only known names.
type Reporter interface {
	// Report sends err. Tags are such as kind (of a job) or route (a pattern,
	// never a path). Not for what a client did wrong (4xx).
	Report(ctx context.Context, err error, tags map[string]string)
	// Tracer measures requests and attempts, which Trace measures nothing outside of.
	Tracer
}
