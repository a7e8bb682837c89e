package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
)

// spans keeps what is measured.
type spans struct {
	apitest.Reports
	mu   sync.Mutex
	text []string
}

func (s *spans) Trace(ctx context.Context, op fanfare.Op, name string, _ ...slog.Attr) (context.Context, fanfare.EndTrace) {
	if fanfare.Traceparent(ctx) == "" {
		ctx = fanfare.WithTrace(ctx, fanfare.NewTraceparent(), nil)
	}
	return ctx, func(err error, attrs ...slog.Attr) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.text = append(s.text, strings.Join([]string{string(op), name, attrs[0].String(), fanfare.ErrorCode(err)}, " "))
	}
}

const foreignTrace = "4bf92f3577b34da6a3ce929d0e0e4736"

// TestWhatIsMeasured names routes, never paths, and no stream, probe or what is
// no route. Each line of the log has a trace's id all the same.
func TestWhatIsMeasured(t *testing.T) {
	measured := &spans{}
	app := apitest.New(t, func(s *apitest.Setup) { s.Wrap = func(d *api.Deps) { d.Reporter = measured } })
	for _, path := range []string{"/api/jobs/canary", "/api/canary", "/api/events", "/health/live", "/api/auth/session"} {
		askWith(t, app, path)
	}
	app.Close() // ends what is under way
	slices.Sort(measured.text)
	want := []string{
		"http.server GET /api/auth/session http.response.status_code=200 ",
		"http.server GET /api/jobs/:id http.response.status_code=401 ",
	}
	if diff := cmp.Diff(want, measured.text); diff != "" {
		t.Errorf("measured (-want +got):\n%s", diff)
	}
	lines := strings.Split(strings.TrimSpace(app.Log.String()), "\n")
	for _, line := range lines {
		if strings.Contains(line, `"requestId"`) && !strings.Contains(line, `"traceId":"`) {
			t.Errorf("no traceId: %s", line)
		}
	}
	if len(lines) < 2 {
		t.Errorf("only %d lines were logged", len(lines))
	}
}

// TestAStrangersTraceIsLeftAside; that of a trusted proxy is gone on with.
func TestAStrangersTraceIsLeftAside(t *testing.T) {
	for name, test := range map[string]struct {
		proxies []netip.Prefix
		want    bool
	}{
		"a stranger": {nil, false},
		"a proxy":    {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, true},
		"another's":  {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			app := apitest.New(t, func(s *apitest.Setup) {
				s.Config.TrustedProxies = test.proxies
				s.Wrap = func(d *api.Deps) { d.Reporter = &spans{} }
			})
			askWith(t, app, "/api/auth/session")
			app.Close()
			if got := strings.Contains(app.Log.String(), foreignTrace); got != test.want {
				t.Errorf("taken: %t; the log: %s", got, app.Log)
			}
		})
	}
}

func askWith(t *testing.T, app *apitest.App, path string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, app.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("traceparent", "00-"+foreignTrace+"-00f067aa0ba902b7-01")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}
