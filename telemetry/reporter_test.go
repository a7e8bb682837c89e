package telemetry_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"fanfare"
	"fanfare/telemetry"
)

// sentryServer records the envelopes that it is sent.
type sentryServer struct {
	mu        sync.Mutex
	envelopes []string
	headers   []http.Header
}

func (s *sentryServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || !strings.HasSuffix(r.URL.Path, "/api/1/envelope/") {
		w.WriteHeader(http.StatusBadRequest)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.envelopes = append(s.envelopes, string(body))
	s.headers = append(s.headers, r.Header)
}

func (s *sentryServer) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.envelopes)
}

func start(t *testing.T, environment string) (*telemetry.Reporter, *sentryServer) {
	t.Helper()
	server := &sentryServer{}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	reporter, err := telemetry.NewReporter(strings.Replace(listener.URL, "://", "://key@", 1)+"/1", environment, "v1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	return reporter, server
}

// event is what Sentry shows of one.
type event struct {
	Type        string            `json:"type"`
	Level       string            `json:"level"`
	Environment string            `json:"environment"`
	Release     string            `json:"release"`
	Transaction string            `json:"transaction"`
	Tags        map[string]string `json:"tags"`
	Fingerprint []string          `json:"fingerprint"`
	Exception   []struct {
		Type       string `json:"type"`
		Value      string `json:"value"`
		Stacktrace *struct {
			Frames []struct {
				Function string `json:"function"`
			} `json:"frames"`
		} `json:"stacktrace"`
	} `json:"exception"`
}

// eventIn decodes an envelope's third line: after its own header and the item's.
func eventIn(t *testing.T, envelope string) event {
	t.Helper()
	lines := bytes.Split([]byte(envelope), []byte("\n"))
	var e event
	if len(lines) < 3 {
		t.Fatalf("envelope %s", envelope)
	}
	if err := json.Unmarshal(lines[2], &e); err != nil {
		t.Fatalf("%v in %s", err, envelope)
	}
	return e
}

func TestReportArrivesWithoutTheErrorsText(t *testing.T) {
	reporter, server := start(t, "production")
	t.Setenv("SENTRY_TAGS_x", "canary")
	cause := &pq.Error{Code: "40001", Message: "canary", Detail: "canary"}
	err := fmt.Errorf("finishing for canary: %w", fanfare.Errorf(fanfare.CodeUnavailable, "canary").WithCause(cause))
	ctx := fanfare.WithJobID(fanfare.WithRequestID(t.Context(), "r1"), "j1")
	reporter.Report(ctx, err, map[string]string{"kind": "campaign.launch", "recipient": "canary"})
	if !reporter.Flush(t.Context()) {
		t.Fatal("Flush gave up")
	}
	envelopes := server.received()
	if len(envelopes) != 1 {
		t.Fatalf("%d envelopes, want 1", len(envelopes))
	}
	if strings.Contains(envelopes[0], "canary") {
		t.Errorf("the error's text left: %s", envelopes[0])
	}
	for _, name := range []string{"user", "request", "breadcrumbs", "server_name", "modules", "contexts", "extra"} {
		if strings.Contains(envelopes[0], `"`+name+`":`) {
			t.Errorf("%s left: %s", name, envelopes[0])
		}
	}
	got := eventIn(t, envelopes[0])
	checkReported(t, got)
}

func checkReported(t *testing.T, got event) {
	t.Helper()
	var trace []string
	types := map[string]string{}
	for _, e := range got.Exception {
		types[e.Type] = e.Value
		if e.Stacktrace == nil {
			continue
		}
		for _, frame := range e.Stacktrace.Frames {
			trace = append(trace, frame.Function)
		}
	}
	if !slices.Contains(trace, "TestReportArrivesWithoutTheErrorsText") {
		t.Errorf("stack %v", trace)
	}
	got.Exception = nil
	want := event{
		Level: "error", Environment: "production", Release: "v1.2.3",
		Tags:        map[string]string{"kind": "campaign.launch", "code": "unavailable", "requestId": "r1", "jobId": "j1"},
		Fingerprint: []string{"*pq.Error", "SQLSTATE 40001", "*fanfare.Error", "unavailable", "*fmt.wrapError", "", "campaign.launch", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	wantTypes := map[string]string{"*pq.Error": "SQLSTATE 40001", "*fanfare.Error": "unavailable", "*fmt.wrapError": ""}
	if diff := cmp.Diff(wantTypes, types); diff != "" {
		t.Errorf("exceptions (-want +got):\n%s", diff)
	}
}

func TestTrace(t *testing.T) {
	reporter, server := start(t, "development")
	ctx, end := reporter.Trace(t.Context(), "http.server", "GET /api/jobs/{id}")
	reporter.Report(ctx, errors.New("canary"), map[string]string{"route": "/api/jobs/{id}"})
	end(nil)
	if !reporter.Flush(t.Context()) {
		t.Fatal("Flush gave up")
	}
	got := map[string]event{}
	for _, envelope := range server.received() {
		if strings.Contains(envelope, "canary") {
			t.Errorf("canary in %s", envelope)
		}
		e := eventIn(t, envelope)
		got[e.Type] = e
	}
	if got["transaction"].Transaction != "GET /api/jobs/{id}" {
		t.Errorf("no trace in %v", got)
	}
	if got[""].Tags["route"] != "/api/jobs/{id}" {
		t.Errorf("no report in %v", got)
	}
}

// With a tenth of them kept, 200 traces all kept (or none) would be a wonder.
func TestTracesAreSampledInProduction(t *testing.T) {
	reporter, server := start(t, "production")
	for range 200 {
		_, end := reporter.Trace(t.Context(), "job", "campaign.generate")
		end(nil)
	}
	if !reporter.Flush(t.Context()) {
		t.Fatal("Flush gave up")
	}
	if n := len(server.received()); n == 0 || n > 100 {
		t.Errorf("%d of 200 traces were sent, want about 20", n)
	}
}

func TestOffWithoutDSN(t *testing.T) {
	_, server := start(t, "production")
	listener := httptest.NewServer(server)
	defer listener.Close()
	t.Setenv("SENTRY_DSN", strings.Replace(listener.URL, "://", "://key@", 1)+"/1")
	reporter, err := telemetry.NewReporter("", "production", "")
	if err != nil {
		t.Fatal(err)
	}
	reporter.Report(t.Context(), errors.New("x"), nil)
	_, end := reporter.Trace(t.Context(), "job", "x")
	end(nil)
	if !reporter.Flush(t.Context()) || len(server.received()) != 0 {
		t.Errorf("%d envelopes were sent", len(server.received()))
	}
}

func TestBadDSNIsNotQuoted(t *testing.T) {
	for _, dsn := range []string{"canary", "https://canary:canary@host:port/1", "https://host/1"} {
		_, err := telemetry.NewReporter(dsn, "test", "v1")
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", dsn, err)
		}
	}
}
