package fanfare

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"regexp"
	"strings"
)

// Op says what sort of operation is measured.
type Op string

// The operations. The first three begin what is measured, the others happen
// within.
const (
	OpRequest  Op = "http.server" // of the API; named by method and route's pattern
	OpJob      Op = "job"         // an attempt; named by the job's kind
	OpSchedule Op = "schedule"    // what a schedule's time begins
	OpEnqueue  Op = "queue"
	OpModel    Op = "ai"
	OpSQL      Op = "db"
	OpSend     Op = "provider"
	OpWrite    Op = "write" // a batch's turn, the wait for it included
)

// Tracer measures operations for the operators. No call of it blocks, and
// nothing that a user wrote may leave by it: names and attributes are routes,
// kinds, ids, models, counts and codes.
type Tracer interface {
	// Trace measures an operation until end is called. What happens under the
	// context that it returns belongs to the same trace.
	Trace(ctx context.Context, op Op, name string, attrs ...slog.Attr) (within context.Context, end EndTrace)
}

// EndTrace ends an operation that Trace began, with what it failed by (of which
// only a code is told) and with attributes that were not known before.
type EndTrace func(err error, attrs ...slog.Attr)

type traceKey struct{}

type trace struct {
	parent string
	tracer Tracer
}

// WithTrace returns a context that belongs to a trace, as its log lines then
// tell by traceId. A traceparent that is none changes nothing. Operations
// within are measured by tracer; nil measures none.
func WithTrace(ctx context.Context, traceparent string, tracer Tracer) context.Context {
	id := traceID(traceparent)
	if id == "" {
		return ctx
	}
	ctx = context.WithValue(ctx, traceKey{}, trace{parent: traceparent, tracer: tracer})
	return WithLogAttrs(ctx, slog.String("traceId", id))
}

// Traceparent names the operation that ctx belongs to as W3C Trace Context
// does (https://www.w3.org/TR/trace-context/#traceparent-header), "" for none.
func Traceparent(ctx context.Context) string { return traceOf(ctx).parent }

// Traced reports whether operations within ctx are measured.
func Traced(ctx context.Context) bool { return traceOf(ctx).tracer != nil }

// Trace measures an operation within what is being measured under ctx. Outside
// of that, as in what loops in the background, it does nothing.
func Trace(ctx context.Context, op Op, name string, attrs ...slog.Attr) (within context.Context, end EndTrace) {
	if tracer := traceOf(ctx).tracer; tracer != nil {
		return tracer.Trace(ctx, op, name, attrs...)
	}
	return ctx, untraced
}

func untraced(error, ...slog.Attr) {}

func traceOf(ctx context.Context) trace {
	t, _ := ctx.Value(traceKey{}).(trace)
	return t
}

// NewTraceparent begins a trace that nobody records, so that log lines of one
// request and of its job have an id in common.
func NewTraceparent() string {
	var ids [24]byte
	_, _ = rand.Read(ids[:]) // never fails
	text := hex.EncodeToString(ids[:])
	return "00-" + text[:32] + "-" + text[32:] + "-00"
}

var traceparentForm = regexp.MustCompile(`^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$`)

// traceID is "" for what is no traceparent: ids of zeros alone are none.
func traceID(traceparent string) string {
	parts := traceparentForm.FindStringSubmatch(traceparent)
	if parts == nil || strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return ""
	}
	return parts[1]
}
