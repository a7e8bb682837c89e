package telemetry

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// quietFor is how often a collector that is away is told of.
const quietFor = time.Minute

// exporting keeps errors from OpenTelemetry's own handler, which is global to
// the process and writes lines that are no JSON: they go to our log, now and
// then.
type exporting struct {
	sdk.SpanExporter
	logger *slog.Logger

	mu   sync.Mutex
	told time.Time
}

// ExportSpans implements sdktrace.SpanExporter.
func (e *exporting) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil && e.mayTell() {
		e.logger.WarnContext(ctx, "traces could not be sent and are lost: look at OTEL_EXPORTER_OTLP_ENDPOINT and its collector", "error", err)
	}
	return nil
}

func (e *exporting) mayTell() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.told) < quietFor {
		return false
	}
	e.told = time.Now()
	return true
}
