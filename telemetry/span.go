package telemetry

import (
	"context"
	"errors"
	"log/slog"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"fanfare"
)

const traceparentHeader = "traceparent"

func remoteParent(ctx context.Context) context.Context {
	carrier := propagation.MapCarrier{traceparentHeader: fanfare.Traceparent(ctx)}
	return propagation.TraceContext{}.Extract(ctx, carrier)
}

func traceparentOf(span trace.SpanContext) string {
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), span), carrier)
	return carrier[traceparentHeader]
}

func spanName(op fanfare.Op, name string) string {
	if op == fanfare.OpJob || op == fanfare.OpSchedule {
		return string(op) + " " + name
	}
	return name
}

func kindOf(op fanfare.Op) trace.SpanKind {
	switch op {
	case fanfare.OpRequest:
		return trace.SpanKindServer
	case fanfare.OpJob:
		return trace.SpanKindConsumer
	case fanfare.OpEnqueue:
		return trace.SpanKindProducer
	case fanfare.OpModel, fanfare.OpSQL, fanfare.OpSend:
		return trace.SpanKindClient
	default:
		return trace.SpanKindInternal
	}
}

// idsOf are those by which to find the log.
func idsOf(ctx context.Context) []slog.Attr {
	var ids []slog.Attr
	for _, attr := range fanfare.LogAttrs(ctx) {
		switch attr.Key {
		case "requestId":
			ids = append(ids, slog.String("fanfare.request.id", attr.Value.String()))
		case "jobId":
			ids = append(ids, slog.String("fanfare.job.id", attr.Value.String()))
		}
	}
	return ids
}

// mayLeave tells the attributes that may: what else somebody adds to a span
// stays here until it is thought of and put into this list.
func mayLeave(name string) bool {
	switch name {
	case "fanfare.request.id", "fanfare.job.id", "fanfare.job.kind", "fanfare.job.attempt", "fanfare.job.status",
		"fanfare.provider", "fanfare.channel",
		"http.request.method", "http.route", "http.response.status_code",
		"messaging.destination.name", "db.system.name", "db.query.summary",
		"gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model",
		"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens":
		return true
	default:
		return false
	}
}

func attributes(attrs []slog.Attr) []attribute.KeyValue {
	kept := make([]attribute.KeyValue, 0, len(attrs))
	for _, attr := range attrs {
		switch {
		case !mayLeave(attr.Key):
		case attr.Value.Kind() == slog.KindInt64:
			kept = append(kept, attribute.Int64(attr.Key, attr.Value.Int64()))
		default:
			kept = append(kept, attribute.String(attr.Key, mask(attr.Value.String())))
		}
	}
	return kept
}

// ending ends span. Of an error it tells a code; its text stays here.
func ending(span trace.Span) fanfare.EndTrace {
	return func(err error, attrs ...slog.Attr) {
		if !span.IsRecording() {
			return
		}
		span.SetAttributes(attributes(attrs)...)
		if err != nil {
			span.SetAttributes(attribute.String("error.type", errorType(err)))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}

// errorType is a code of ours, a message's fate or, of SQL, the SQLSTATE.
func errorType(err error) string {
	if ours, ok := errors.AsType[*fanfare.Error](err); ok {
		return ours.Code
	}
	if send, ok := errors.AsType[*fanfare.SendError](err); ok {
		return string(send.Fate)
	}
	if state, ok := errors.AsType[sqlError](err); ok {
		return "SQLSTATE " + state.SQLState()
	}
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	default:
		return fanfare.CodeInternal
	}
}
