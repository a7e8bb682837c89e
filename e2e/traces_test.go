package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	traces "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// otlp stands for a collector of traces (OTLP over HTTP), and keeps every byte.
type otlp struct {
	*httptest.Server
	mu    sync.Mutex
	bytes bytes.Buffer
	spans []span
	odd   []string
}

type span struct {
	service, name, trace, id, parent string
	attrs                            map[string]string
}

func newOTLP(t *testing.T) *otlp {
	t.Helper()
	o := &otlp{}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *otlp) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" && err == nil {
		var unzipped *gzip.Reader
		if unzipped, err = gzip.NewReader(bytes.NewReader(raw)); err == nil {
			raw, err = io.ReadAll(unzipped)
		}
	}
	var request collector.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(raw, &request)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	fmt.Fprintln(&o.bytes, r.Method, r.URL, r.Header)
	o.bytes.Write(raw)
	if err != nil || r.URL.Path != "/v1/traces" {
		o.odd = append(o.odd, fmt.Sprintf("%s: %v", r.URL, err))
	}
	for _, resource := range request.ResourceSpans {
		service := attrsOf(resource.Resource.Attributes)["service.name"]
		for _, scope := range resource.ScopeSpans {
			for _, s := range scope.Spans {
				o.spans = append(o.spans, spanOf(service, s))
			}
		}
	}
}

func spanOf(service string, s *traces.Span) span {
	return span{
		service: service, name: s.Name, attrs: attrsOf(s.Attributes), trace: hex.EncodeToString(s.TraceId),
		id: hex.EncodeToString(s.SpanId), parent: hex.EncodeToString(s.ParentSpanId),
	}
}

func attrsOf(list []*common.KeyValue) map[string]string {
	attrs := map[string]string{}
	for _, kv := range list {
		attrs[kv.Key] = kv.Value.GetStringValue()
		if n, ok := kv.Value.Value.(*common.AnyValue_IntValue); ok {
			attrs[kv.Key] = fmt.Sprint(n.IntValue)
		}
	}
	return attrs
}

// text is every byte that came.
func (o *otlp) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes.String()
}

func (o *otlp) take(want func(span) bool) []span {
	o.mu.Lock()
	defer o.mu.Unlock()
	var found []span
	for _, s := range o.spans {
		if want(s) {
			found = append(found, s)
		}
	}
	return found
}

// TestOneTraceHoldsTheRequestAndItsAttempts, though Redis lost the task and the
// first attempt failed.
//
// Guards: the trace in the job's row (store) and in the task's header (queue),
// the flush at exit (app.parts.close).
func TestOneTraceHoldsTheRequestAndItsAttempts(t *testing.T) {
	t.Parallel()
	heard := newOTLP(t)
	setting := "OTEL_EXPORTER_OTLP_ENDPOINT=" + heard.URL
	c := newCluster(t, 0)
	c.model.misbehave()
	api := c.api(setting)
	c.apis = c.apis[1:]
	job := c.submit(1)
	if err := c.redis().FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	processes := []*process{api, c.worker("worker", setting), c.start("scheduler", c.env(setting), "scheduler")}
	c.awaitDone(patience, []string{job})
	for _, p := range processes {
		if code := p.terminate(30 * time.Second); code != 0 {
			t.Errorf("%s exited with %d", p.name, code)
		}
	}
	if len(heard.odd) > 0 {
		t.Errorf("the collector got what it can't read: %v", heard.odd)
	}
	requests := heard.take(func(s span) bool { return s.name == "POST /api/campaign" })
	if len(requests) != 1 {
		t.Fatalf("requests: %v", requests)
	}
	request := requests[0]
	heard.checkTrace(t, request, job)
	heard.checkRoots(t)
	for _, p := range processes[:2] {
		wantTraceIDs(t, p.output(), job, request.trace)
	}
}

func (o *otlp) checkTrace(t *testing.T, request span, job string) {
	t.Helper()
	within := o.take(func(s span) bool { return s.trace == request.trace })
	byID := map[string]span{}
	for _, s := range within {
		byID[s.id] = s
	}
	found := map[string]int{}
	for _, s := range within {
		parent, known := byID[s.parent]
		if s.id != request.id && !known {
			t.Errorf("%s has the parent %q, which is not in its trace", s.name, s.parent)
		}
		found[s.service+": "+s.name+" in "+parent.name]++
		if s.name == "job campaign.generate" && s.attrs["fanfare.job.id"] != job {
			t.Errorf("an attempt of %v", s.attrs)
		}
		if strings.HasPrefix(s.name, "chat ") && s.attrs["gen_ai.usage.output_tokens"] == "" {
			t.Errorf("a call of the model tells no tokens: %v", s.attrs)
		}
	}
	for name, least := range map[string]int{
		"fanfare-api: submit in POST /api/campaign":                   1,
		"fanfare-api: COMMIT in POST /api/campaign":                   1,
		"fanfare-api: enqueue ai in POST /api/campaign":               1,
		"fanfare-worker: job campaign.generate in POST /api/campaign": 2,
		"fanfare-worker: chat gpt-5.4-mini in job campaign.generate":  3,
		"fanfare-worker: record step in job campaign.generate":        1,
		"fanfare-worker: finish in job campaign.generate":             2,
		"fanfare-worker: finish in finish":                            2,
		"fanfare-worker: enqueue ai in job campaign.generate":         1,
	} {
		if found[name] < least {
			t.Errorf("%d of %q, want %d at least, of %v", found[name], name, least, found)
		}
	}
}

// checkRoots holds what begins a trace to requests and attempts: what loops in
// the background begins none.
func (o *otlp) checkRoots(t *testing.T) {
	t.Helper()
	for _, root := range o.take(func(s span) bool { return s.parent == "" }) {
		if !slices.ContainsFunc([]string{"GET /", "POST /", "job "}, func(p string) bool { return strings.HasPrefix(root.name, p) }) {
			t.Errorf("%s began a trace: %v", root.name, root.attrs)
		}
	}
}

// wantTraceIDs wants a trace's id in each line of a request or a job, and in
// those of the job the given one, if any.
func wantTraceIDs(t *testing.T, log, job, trace string) (ids map[string]bool) {
	t.Helper()
	ids = map[string]bool{}
	for line := range strings.Lines(log) {
		var fields struct{ Msg, RequestID, JobID, TraceID string }
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Errorf("no JSON: %s", line)
		}
		if (fields.RequestID != "" || fields.JobID != "") && len(fields.TraceID) != 32 {
			t.Errorf("no traceId: %s", line)
		}
		if fields.JobID == job {
			ids[fields.TraceID] = true
		}
		if fields.JobID == job && trace != "" && fields.TraceID != trace {
			t.Errorf("traceId is not %s: %s", trace, line)
		}
	}
	return ids
}

// TestTraceIDsWithoutTraces: log lines have them all the same, and those of a
// job that was tried twice are of one trace, the request's.
func TestTraceIDsWithoutTraces(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	c.model.misbehave()
	api := c.api()
	c.apis = c.apis[1:]
	worker := c.worker("worker")
	job := c.submit(1)
	c.awaitDone(patience, []string{job})
	var row string
	if err := c.db.QueryRow(`SELECT split_part(traceparent, '-', 2) FROM jobs WHERE id = $1`, job).Scan(&row); err != nil {
		t.Fatal(err)
	}
	wantTraceIDs(t, api.output(), job, "")
	if ids := wantTraceIDs(t, worker.output(), job, row); len(ids) != 1 {
		t.Errorf("the worker's lines of the job have the traces %v", ids)
	}
	if !strings.Contains(api.output(), `"traceId":"`+row+`"`) {
		t.Errorf("the request's lines are not of the job's trace %s", row)
	}
}
