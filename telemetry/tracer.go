package telemetry

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/gofrs/uuid/v5"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"fanfare"
)

// maxWithin bounds what is measured within one request or attempt: a launch
// sends a hundred thousand messages, and the first of them tell as much.
const maxWithin = 1000

// TracerConfig says where spans go and whose they are.
type TracerConfig struct {
	// URL is an OTLP/HTTP collector's base URL, to which /v1/traces is added; ""
	// sends nothing, connects to nothing and records nothing.
	URL                           string
	Process, Version, Environment string // Process is such as worker
	Logger                        *slog.Logger
}

// Tracer sends spans to a collector of OpenTelemetry by OTLP over HTTP. It uses
// a provider of its own, and nothing that is global to the process. How much is
// recorded, more headers and the like follow the SDK's own OTEL_* variables
// (https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
//
// Off, it only gives each request and job an id for its log lines.
type Tracer struct {
	provider *sdk.TracerProvider // nil for off
	tracer   trace.Tracer
}

var _ fanfare.Tracer = (*Tracer)(nil)

// NewTracer does not connect yet.
func NewTracer(ctx context.Context, config TracerConfig) (*Tracer, error) {
	if config.URL == "" {
		return &Tracer{}, nil
	}
	described, err := resourceOf(ctx, config)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(strings.TrimRight(config.URL, "/")+"/v1/traces"))
	if err != nil {
		return nil, errors.New("starting traces: OTEL_EXPORTER_OTLP_ENDPOINT can't be used") // its own error may quote what is secret
	}
	provider := sdk.NewTracerProvider(sdk.WithResource(described), sdk.WithBatcher(&exporting{SpanExporter: exporter, logger: config.Logger}))
	return &Tracer{provider: provider, tracer: provider.Tracer("fanfare", trace.WithInstrumentationVersion(config.Version))}, nil
}

// resourceOf names the process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES
// have the last word.
func resourceOf(ctx context.Context, config TracerConfig) (*resource.Resource, error) {
	described, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithAttributes(
		attribute.String("service.name", "fanfare-"+config.Process),
		attribute.String("service.version", cmp.Or(config.Version, "unknown")),
		attribute.String("service.instance.id", uuid.Must(uuid.NewV4()).String()),
		attribute.String("deployment.environment.name", config.Environment),
	), resource.WithFromEnv())
	if err != nil {
		return nil, errors.New("starting traces: OTEL_RESOURCE_ATTRIBUTES must be name=value pairs, separated by commas")
	}
	return described, nil
}

// Trace implements fanfare.Tracer: it begins what goes on in the trace of ctx,
// or a new one. Whether that is recorded the sampler says; by default it is,
// unless ctx's trace says that it is not.
func (t *Tracer) Trace(ctx context.Context, op fanfare.Op, name string, attrs ...slog.Attr) (context.Context, fanfare.EndTrace) {
	if t.provider == nil {
		if fanfare.Traceparent(ctx) == "" {
			ctx = fanfare.WithTrace(ctx, fanfare.NewTraceparent(), nil)
		}
		return ctx, func(error, ...slog.Attr) {}
	}
	ctx = remoteParent(ctx)
	ctx, span := t.tracer.Start(ctx, spanName(op, name), trace.WithSpanKind(kindOf(op)),
		trace.WithAttributes(attributes(append(idsOf(ctx), attrs...))...))
	var tracer fanfare.Tracer
	if span.IsRecording() {
		tracer = &within{tracer: t.tracer}
	}
	return fanfare.WithTrace(ctx, traceparentOf(span.SpanContext()), tracer), ending(span)
}

// Close sends what is left, until ctx ends.
func (t *Tracer) Close(ctx context.Context) error {
	if t.provider == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

// within measures what happens within a span that is recorded.
type within struct {
	tracer trace.Tracer
	begun  atomic.Int64
}

// Trace implements fanfare.Tracer. The span's parent is the one that ctx
// carries for OpenTelemetry.
func (w *within) Trace(ctx context.Context, op fanfare.Op, name string, attrs ...slog.Attr) (context.Context, fanfare.EndTrace) {
	if w.begun.Add(1) > maxWithin {
		return ctx, func(error, ...slog.Attr) {}
	}
	ctx, span := w.tracer.Start(ctx, spanName(op, name), trace.WithSpanKind(kindOf(op)), trace.WithAttributes(attributes(attrs)...))
	return ctx, ending(span)
}
