package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
	"fanfare/telemetry"
)

// sentry stands for Sentry's ingest: it takes envelopes and keeps every byte.
type sentry struct {
	*httptest.Server
	mu    sync.Mutex
	bytes bytes.Buffer // everything: request lines, headers, bodies
	items []sentryItem
	odd   []string // what was no envelope

	busy sync.RWMutex // locked while it lets everybody wait
}

// sentryItem is an item of an envelope, and what we look at in its payload.
// https://develop.sentry.dev/sdk/data-model/envelopes/
type sentryItem struct {
	kind                              string // event, transaction
	Environment, Release, Transaction string
	Tags                              map[string]string
	Spans                             []json.RawMessage
	Exception                         []struct {
		Type       string
		Stacktrace struct{ Frames []struct{ Function string } }
	}
}

func newSentry(t *testing.T) *sentry {
	t.Helper()
	s := &sentry{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// dsn is the address that the program is given.
func (s *sentry) dsn() string { return strings.Replace(s.URL, "://", "://publickey@", 1) + "/42" }

func (s *sentry) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	s.busy.RLock()
	defer s.busy.RUnlock()
	raw, err := io.ReadAll(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" && err == nil {
		var unzipped *gzip.Reader
		if unzipped, err = gzip.NewReader(bytes.NewReader(raw)); err == nil {
			raw, err = io.ReadAll(unzipped)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintln(&s.bytes, r.Method, r.URL, r.Header)
	s.bytes.Write(raw)
	items, parseErr := itemsOf(raw)
	if err != nil || parseErr != nil || r.URL.Path != "/api/42/envelope/" {
		s.odd = append(s.odd, fmt.Sprintf("%s: %v, %v: %s", r.URL, err, parseErr, raw))
	}
	s.items = append(s.items, items...)
}

// itemsOf takes an envelope apart: a line for itself, then for each item a line
// and its payload, whose length the line tells.
func itemsOf(envelope []byte) (items []sentryItem, err error) {
	lines := bufio.NewReader(bytes.NewReader(envelope))
	if _, err := lines.ReadBytes('\n'); err != nil {
		return nil, err
	}
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) == 0 {
			return items, nil
		}
		if err != nil {
			return items, err
		}
		var header struct {
			Type   string
			Length int
		}
		if err := json.Unmarshal(line, &header); err != nil {
			return items, err
		}
		payload := make([]byte, header.Length)
		if _, err := io.ReadFull(lines, payload); err != nil {
			return items, err
		}
		item := sentryItem{kind: header.Type}
		if err := json.Unmarshal(payload, &item); err != nil {
			return items, err
		}
		items = append(items, item)
		_, _ = lines.ReadByte() // the line's end
	}
}

// take returns the items of a kind that have come.
func (s *sentry) take(kind string) (items []sentryItem) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range s.items {
		if item.kind == kind {
			items = append(items, item)
		}
	}
	return items
}

// What must never reach Sentry, nor anything else of what somebody sent.
const (
	secretBrief  = "Kumquat liqueur for the Zanzibar summit"
	secretHeader = "header-canary-5151"
	secretCookie = "cookie-canary-6262"
	secretQuery  = "query-canary-7373"
	secretMail   = "canary.recipient@example.org"
)

// misbehave has the model refuse the secret brief, so that its job fails for
// good, and its server fail once, so that a job is tried again.
func (m *model) misbehave() {
	well := m.Config.Handler
	var failed sync.Map
	m.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		_, again := failed.LoadOrStore("once", true)
		switch {
		case bytes.Contains(body, []byte("Zanzibar")):
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"choices": [{"index": 0, "message": {"role": "assistant", "content": "", "refusal": "No `+secretBrief+`"}, "finish_reason": "stop"}]}`)
		case !again:
			http.Error(w, `{"error": {"message": "overloaded"}}`, http.StatusInternalServerError)
		default:
			well.ServeHTTP(w, r)
		}
	})
}

// exitTime is about what a process with nothing to do needs to end, well below
// what it waits for Sentry (app's flushPatience).
const exitTime = 300 * time.Millisecond

// Guards: the allow-list (telemetry/reporter.go), that only 5xx are reported
// (api/errors.go) and only jobs that ended failed (worker/finish.go), and the
// flush at exit (app.parts.close).
func TestWhatSentryHears(t *testing.T) {
	t.Parallel()
	heard := newSentry(t)
	c := newCluster(t, 0)
	c.model.misbehave()
	settings := []string{"SENTRY_DSN=" + heard.dsn(), "APP_ENV=test"}
	// The API must not still be in its pause when it is seen to wait for Sentry.
	api, worker := c.api(append(settings, "SHUTDOWN_TIMEOUT=100ms")...), c.worker("worker1", settings...)
	c.awaitWorkers(1)
	base := c.apis[1]
	header := http.Header{"Authorization": {"Bearer " + c.key}}

	// Tried again, and done.
	c.awaitDone(patience, []string{c.submit(1)})
	if n := c.count(`SELECT count(*) FROM jobs WHERE status = 'succeeded' AND attempt = 2`); n != 1 {
		t.Errorf("%d jobs took two attempts: nothing was tested", n)
	}
	// 4xx.
	c.post(base, "/api/campaign", header, map[string]any{"prompt": "", "channels": secretQuery}, nil)
	c.post(base, "/api/auth/login", nil, map[string]string{"email": secretMail, "password": password}, nil)
	c.get(base, "/api/jobs/"+secretQuery)
	// What our database refuses is our fault: 500.
	c.exec(`ALTER TABLE conversations RENAME TO elsewhere`)
	noisy := http.Header{
		"Authorization": header["Authorization"], "Cookie": {"fanfare_session=" + secretCookie},
		"X-Canary": {secretHeader}, "Referer": {"https://" + secretHeader}, "User-Agent": {secretHeader}, "X-Forwarded-For": {secretHeader},
	}
	response := c.post(base, "/api/campaign?x="+secretQuery, noisy, map[string]any{"prompt": secretBrief + " to " + secretMail}, nil)
	if response.StatusCode != http.StatusInternalServerError {
		t.Fatalf("%s, want our fault", response.Status)
	}
	c.exec(`ALTER TABLE elsewhere RENAME TO conversations`)
	// Refused by the model: failed for good. What is reported from now on can't
	// be sent before the processes are told to stop.
	heard.busy.Lock()
	var accepted struct{ Job struct{ ID string } }
	c.post(base, "/api/campaign", header, map[string]any{"prompt": secretBrief + " to " + secretMail}, &accepted)
	c.awaitDone(patience, []string{accepted.Job.ID})

	for _, p := range []*process{api, worker} {
		p.signal(syscall.SIGTERM)
	}
	for _, p := range []*process{api, worker} {
		select {
		case <-p.done:
			t.Errorf("%s ended with something to be sent", p.name)
		case <-time.After(exitTime):
		}
	}
	heard.busy.Unlock()
	for _, p := range []*process{api, worker} {
		if code := p.ended(30 * time.Second); code != 0 {
			t.Errorf("%s exited with %d", p.name, code)
		}
	}
	heard.checkEvents(t, accepted.Job.ID, response.Header.Get("X-Request-Id"))
	heard.checkTraces(t)
	heard.checkSecrets(t, c.key, strings.TrimPrefix(c.services.DatabaseURL(), "postgres://"))
}

func (c *cluster) exec(statement string) {
	c.t.Helper()
	if _, err := c.db.Exec(statement); err != nil {
		c.t.Fatal(err)
	}
}

func (s *sentry) checkEvents(t *testing.T, failedJob, failedRequest string) {
	t.Helper()
	var tags []map[string]string
	for _, event := range s.take("event") {
		tags = append(tags, event.Tags)
		if event.Environment != "test" || event.Release != "dev" {
			t.Errorf("environment %q, release %q", event.Environment, event.Release)
		}
	}
	want := []map[string]string{
		{"route": "/api/campaign", "code": "internal", "requestId": failedRequest},
		{"kind": "campaign.generate", "code": "ai_refused", "jobId": failedJob},
	}
	slices.SortFunc(tags, func(a, b map[string]string) int { return strings.Compare(b["route"], a["route"]) })
	if diff := cmp.Diff(want, tags); diff != "" {
		t.Errorf("tags of the events (-want +got):\n%s", diff)
	}
}

// checkTraces holds names and spans to what routes and kinds are called.
func (s *sentry) checkTraces(t *testing.T) {
	t.Helper()
	names := map[string]int{}
	for _, trace := range s.take("transaction") {
		names[trace.Transaction]++
		if len(trace.Spans) > 0 {
			t.Errorf("%s has spans: %s", trace.Transaction, trace.Spans)
		}
	}
	want := map[string]int{
		"campaign.generate": 3, "POST /api/campaign": 4, "POST /api/auth/login": 1, "GET /api/jobs/:id": 1,
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
}

func (s *sentry) checkSecrets(t *testing.T, more ...string) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, odd := range s.odd {
		t.Errorf("no envelope: %s", odd)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range append([]string{
		"Kumquat", "Zanzibar", "canary", password, "fanfare.example", "a-secret-for-tests", "0123456789abcdef0123456789abcdef", `"` + host + `"`,
	}, more...) {
		if strings.Contains(strings.ToLower(s.bytes.String()), strings.ToLower(secret)) {
			t.Errorf("%q reached Sentry:\n%s", secret, s.bytes.String())
		}
	}
}

// panicking is a store that fails as our own mistakes do.
type panicking struct{ api.Store }

func (panicking) IdentityByAPIKey(context.Context, []byte) (fanfare.Identity, error) {
	panic(secretBrief)
}

// A panic of a handler is reported once, with the place where it was.
func TestSentryHearsOfPanics(t *testing.T) {
	heard := newSentry(t)
	reporter, err := telemetry.NewReporter(heard.dsn(), "test", "v1")
	if err != nil {
		t.Fatal(err)
	}
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Store, d.Reporter = panicking{d.Store}, reporter }
	})
	a.Anonymous().With("Authorization: Bearer "+secretHeader).Do(t, "GET /api/jobs?status="+secretQuery, nil).
		WantError(t, http.StatusInternalServerError, "internal")
	if !reporter.Flush(t.Context()) {
		t.Fatal("the report was not sent")
	}
	events := heard.take("event")
	if len(events) != 1 || events[0].Tags["route"] != "/api/jobs" {
		t.Fatalf("reported: %+v", events)
	}
	var stack []string
	for _, e := range events[0].Exception {
		for _, frame := range e.Stacktrace.Frames {
			stack = append(stack, frame.Function)
		}
	}
	if !slices.Contains(stack, "panicking.IdentityByAPIKey") {
		t.Errorf("the stack does not show where it was: %v", stack)
	}
	heard.checkSecrets(t)
}
