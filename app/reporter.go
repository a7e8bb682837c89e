package app

import (
	"context"
	"errors"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"fanfare"
	"fanfare/telemetry"
)

// reporter tells the error tracker what goes wrong, and both it and the
// collector of traces how long things take.
type reporter struct {
	*telemetry.Reporter
	traces *telemetry.Tracer
}

var _ fanfare.Reporter = reporter{}

func (p Process) newReporter(ctx context.Context, process string, logger *slog.Logger) (reporter, error) {
	sentry, err := telemetry.NewReporter(p.Config.SentryDSN, string(p.Config.Env), p.Version)
	if err != nil {
		return reporter{}, err
	}
	traces, err := telemetry.NewTracer(ctx, telemetry.TracerConfig{
		URL: p.Config.TracesURL, Process: process, Version: p.Version, Environment: string(p.Config.Env), Logger: logger,
	})
	return reporter{Reporter: sentry, traces: traces}, err
}

// Trace implements fanfare.Tracer.
func (r reporter) Trace(ctx context.Context, op fanfare.Op, name string, attrs ...slog.Attr) (context.Context, fanfare.EndTrace) {
	ctx, endSentry := r.Reporter.Trace(ctx, op, name, attrs...)
	ctx, endTrace := r.traces.Trace(ctx, op, name, attrs...)
	return ctx, func(err error, attrs ...slog.Attr) {
		endTrace(err, attrs...)
		endSentry(err, attrs...)
	}
}

var errUnsent = errors.New("not everything was sent in time")

// close sends what is left to both at once, until ctx ends.
func (r reporter) close(ctx context.Context) error {
	var g errgroup.Group
	g.Go(func() error {
		if !r.Flush(ctx) {
			return errUnsent
		}
		return nil
	})
	g.Go(func() error { return r.traces.Close(ctx) })
	return g.Wait()
}
