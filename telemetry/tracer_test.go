package telemetry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"fanfare"
	"fanfare/telemetry"
)

// otlp is a collector of traces.
type otlp struct {
	*httptest.Server

	mu    sync.Mutex
	calls int
	raw   bytes.Buffer
	spans []*traces.Span
	of    map[string]string // attributes of the resource
}

func newOTLP(t *testing.T) *otlp {
	t.Helper()
	o := &otlp{of: map[string]string{}}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *otlp) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var request collector.ExportTraceServiceRequest
	err := proto.Unmarshal(raw, &request)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.calls++
	o.raw.Write(raw)
	if err != nil || r.URL.Path != "/v1/traces" {
		return
	}
	for _, resource := range request.ResourceSpans {
		for _, kv := range resource.Resource.Attributes {
			o.of[kv.Key] = kv.Value.GetStringValue()
		}
		for _, scope := range resource.ScopeSpans {
			o.spans = append(o.spans, scope.Spans...)
		}
	}
}

func startTracer(t *testing.T, url string, log io.Writer) *telemetry.Tracer {
	t.Helper()
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.TracerConfig{
		URL: url, Process: "worker", Version: "v1", Environment: "test", Logger: telemetry.NewLogger(log, slog.LevelInfo),
	})
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

func closed(t *testing.T, tracer *telemetry.Tracer) {
	t.Helper()
	if err := tracer.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func traceIDIn(ctx context.Context) string {
	for _, attr := range fanfare.LogAttrs(ctx) {
		if attr.Key == "traceId" {
			return attr.Value.String()
		}
	}
	return ""
}

func TestSpansTellCodesAndNoTexts(t *testing.T) {
	collector := newOTLP(t)
	tracer := startTracer(t, collector.URL+"/", io.Discard)
	ctx, end := tracer.Trace(fanfare.WithJobID(t.Context(), "j1"), fanfare.OpJob, "campaign.generate",
		slog.Int("fanfare.job.attempt", 2), slog.String("brief", "canary"))
	for _, err := range []error{
		nil, &pq.Error{Code: "23505", Message: "canary"}, errors.New("canary"), context.Canceled,
		fanfare.Errorf(fanfare.CodeAITimeout, "canary").WithCause(context.DeadlineExceeded),
		&fanfare.SendError{Fate: fanfare.FateUnknown, Reason: "canary"},
	} {
		_, endSQL := fanfare.Trace(ctx, fanfare.OpSQL, "submit", slog.String("db.statement", "canary"))
		endSQL(err, slog.String("db.query.summary", "to canary@example.com"))
	}
	end(nil, slog.String("fanfare.job.status", "succeeded"))
	closed(t, tracer)
	if strings.Contains(collector.raw.String(), "canary") {
		t.Errorf("canary in %q", collector.raw.String())
	}
	got := make([]string, len(collector.spans))
	for i, span := range collector.spans {
		got[i] = span.Name + " " + span.Kind.String() + " " + span.Status.GetCode().String()
		for _, kv := range span.Attributes {
			got[i] += " " + kv.Key + "=" + kv.Value.GetStringValue()
		}
	}
	const sql = "submit SPAN_KIND_CLIENT "
	const masked = " db.query.summary=to [masked]"
	want := []string{
		sql + "STATUS_CODE_UNSET" + masked,
		sql + "STATUS_CODE_ERROR" + masked + " error.type=SQLSTATE 23505",
		sql + "STATUS_CODE_ERROR" + masked + " error.type=internal",
		sql + "STATUS_CODE_ERROR" + masked + " error.type=canceled",
		sql + "STATUS_CODE_ERROR" + masked + " error.type=ai_timeout",
		sql + "STATUS_CODE_ERROR" + masked + " error.type=unknown",
		"job campaign.generate SPAN_KIND_CONSUMER STATUS_CODE_UNSET fanfare.job.id=j1 fanfare.job.attempt= fanfare.job.status=succeeded",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
	if of := collector.of; of["service.name"] != "fanfare-worker" || of["service.version"] != "v1" || len(of["service.instance.id"]) != 36 {
		t.Errorf("the process is %v", of)
	}
}

func TestTheEnvironmentNamesTheService(t *testing.T) {
	t.Setenv("OTEL_SERVICE_NAME", "ours")
	collector := newOTLP(t)
	tracer := startTracer(t, collector.URL, io.Discard)
	_, end := tracer.Trace(t.Context(), fanfare.OpJob, "x")
	end(nil)
	closed(t, tracer)
	if name := collector.of["service.name"]; name != "ours" {
		t.Errorf("the service is %q", name)
	}
}

// TestATraceIsGoneOnWith at another process, in the same trace, as its sampler
// has decided.
func TestATraceIsGoneOnWith(t *testing.T) {
	for flags, want := range map[string]int{"01": 2, "00": 0} {
		collector := newOTLP(t)
		tracer := startTracer(t, collector.URL, io.Discard)
		const id = "4bf92f3577b34da6a3ce929d0e0e4736"
		ctx := fanfare.WithTrace(t.Context(), "00-"+id+"-00f067aa0ba902b7-"+flags, nil)
		ctx, end := tracer.Trace(ctx, fanfare.OpJob, "x")
		_, endSQL := fanfare.Trace(ctx, fanfare.OpSQL, "submit")
		endSQL(nil)
		end(nil)
		closed(t, tracer)
		if traceIDIn(ctx) != id || !strings.HasPrefix(fanfare.Traceparent(ctx), "00-"+id) {
			t.Errorf("the trace of %v is %s", fanfare.LogAttrs(ctx), fanfare.Traceparent(ctx))
		}
		if len(collector.spans) != want {
			t.Errorf("flags %s: %d spans, want %d", flags, len(collector.spans), want)
		}
	}
}

func TestWhatIsMeasuredWithinOneIsBounded(t *testing.T) {
	collector := newOTLP(t)
	tracer := startTracer(t, collector.URL, io.Discard)
	ctx, end := tracer.Trace(t.Context(), fanfare.OpJob, "campaign.launch")
	for range 1500 {
		_, endSend := fanfare.Trace(ctx, fanfare.OpSend, "send SMTP")
		endSend(nil)
	}
	end(nil)
	closed(t, tracer)
	if n := len(collector.spans); n != 1001 {
		t.Errorf("%d spans", n)
	}
}

// TestTracesOff connects to nothing, whatever the SDK's own variables say, and
// gives an id all the same: a new one, or the one that there was.
func TestTracesOff(t *testing.T) {
	collector := newOTLP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", collector.URL+"/v1/traces")
	tracer := startTracer(t, "", io.Discard)
	ctx, end := tracer.Trace(t.Context(), fanfare.OpRequest, "GET /")
	again, endAgain := tracer.Trace(ctx, fanfare.OpJob, "x")
	if id := traceIDIn(ctx); len(id) != 32 || id != traceIDIn(again) || fanfare.Traced(again) {
		t.Errorf("the ids are %q and %q, measured: %t", id, traceIDIn(again), fanfare.Traced(again))
	}
	endAgain(nil)
	end(nil)
	closed(t, tracer)
	if collector.calls != 0 {
		t.Errorf("%d calls", collector.calls)
	}
}

// TestACollectorThatHangsHoldsNothingUp, nor one that is away: what does not
// fit is dropped, and Close ends with its context.
func TestACollectorThatHangsHoldsNothingUp(t *testing.T) {
	hanging, away := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // so that the server sees that the client is gone
		<-r.Context().Done()
	})), httptest.NewServer(nil)
	defer hanging.Close()
	defer hanging.CloseClientConnections() // which would be waited for
	away.Close()
	for name, url := range map[string]string{"hangs": hanging.URL, "away": away.URL} {
		tracer := startTracer(t, url, io.Discard)
		for range 10_000 { // more than may wait
			_, end := tracer.Trace(t.Context(), fanfare.OpJob, "x")
			end(nil)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := tracer.Close(ctx)
		cancel()
		if name == "hangs" && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: Close says %v", name, err)
		}
	}
}

// TestARefusingCollectorIsToldOfOnce, in our log, without what it answered being
// more than masked text.
func TestARefusingCollectorIsToldOfOnce(t *testing.T) {
	refusing := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no, canary@example.com", http.StatusUnauthorized)
	}))
	defer refusing.Close()
	var log bytes.Buffer
	tracer := startTracer(t, refusing.URL, &log)
	for range 1200 { // three exports
		_, end := tracer.Trace(t.Context(), fanfare.OpJob, "x")
		end(nil)
	}
	closed(t, tracer)
	if n := strings.Count(log.String(), "traces could not be sent"); n != 1 || strings.Contains(log.String(), "canary") {
		t.Errorf("%d times: %s", n, log.String())
	}
}
