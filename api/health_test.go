package api_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
	"fanfare/internal/testdb"
)

func TestHealth(t *testing.T) {
	redis := testdb.OwnRedis(t)
	a := apitest.New(t, func(s *apitest.Setup) { s.RedisURL = redis.URL() })
	nobody := a.Anonymous()
	health := func(status, worker, redis string) {
		t.Helper()
		answer := nobody.Do(t, "GET /api/health", nil).Want(t, http.StatusOK)
		same(t, "fields", answer.Keys(""), []string{"status", "timestamp", "uptime", "services", "version"})
		same(t, "services", answer.Keys("services"), []string{"database", "redis", "worker", "openai"})
		for path, want := range map[string]string{
			"status": status, "version": "test", "services.database": "up", "services.worker": worker,
			"services.redis": redis, "services.openai": "configured",
		} {
			if got := answer.Text(path); got != want {
				t.Errorf("%s: %s, want %s", path, got, want)
			}
		}
		header(t, answer, "Cache-Control", "no-cache, no-store, must-revalidate")
		if took := answer.Header.Get("X-Response-Time"); !regexp.MustCompile(`^\d+ms$`).MatchString(took) {
			t.Errorf("X-Response-Time: %q", took)
		}
		if at, err := time.Parse(time.RFC3339, answer.Text("timestamp")); err != nil || time.Since(at) > time.Minute {
			t.Errorf("timestamp %s, %v", at, err)
		}
	}
	health("degraded", "down", "up")
	if _, err := a.Store.Heartbeat(t.Context(), "w", nil, time.Minute); err != nil {
		t.Fatal(err)
	}
	health("healthy", "up", "up")
	a.Exec(t, `UPDATE workers SET seen_at = now() - interval '1 minute'`)
	health("degraded", "down", "up")
	if err := redis.Pause(); err != nil {
		t.Fatal(err)
	}
	health("degraded", "down", "down")
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	health("degraded", "down", "down")
	nobody.Do(t, "GET /api/health/ready", nil).Want(t, http.StatusOK)
}

// nobodyKnown is a database that is away when it is asked who somebody is.
type nobodyKnown struct{ api.Store }

func (nobodyKnown) IdentityBySession(context.Context, []byte) (fanfare.Identity, error) {
	return fanfare.Identity{}, fanfare.Errorf(fanfare.CodeUnavailable, "The database can't be reached right now.")
}

// TestHealthAsksNobodyWhoTheyAre: whoever looks during an outage, with a
// session in the browser, sees what is down, and no refusal.
func TestHealthAsksNobodyWhoTheyAre(t *testing.T) {
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(deps *api.Deps) { deps.Store = nobodyKnown{deps.Store} }
	})
	ada := a.SignedIn(t, a.User(t, "ada@example.com"))
	ada.Do(t, "GET /api/auth/session", nil).Want(t, http.StatusServiceUnavailable)
	for _, path := range []string{"/api/health", "/api/health/ready", "/api/health/live", "/health/ready", "/health/live"} {
		ada.Do(t, "GET "+path, nil).Want(t, http.StatusOK)
	}
}

func TestHealthWithoutAModel(t *testing.T) {
	for ai, want := range map[string]string{"configured": "healthy", "demo": "healthy", "not configured": "degraded"} {
		a := apitest.New(t, func(s *apitest.Setup) { s.Config.AI = ai })
		if _, err := a.Store.Heartbeat(t.Context(), "w", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		answer := a.Anonymous().Do(t, "GET /api/health", nil).Want(t, http.StatusOK)
		if answer.Text("status") != want || answer.Text("services.openai") != ai {
			t.Errorf("%s: %s", ai, answer.Body)
		}
	}
}

func TestProbes(t *testing.T) {
	a := apitest.New(t)
	nobody := a.Anonymous()
	body := func(line string, status int, want string) {
		t.Helper()
		if answer := nobody.Do(t, line, nil).Want(t, status); !strings.Contains(answer.Body, want) {
			t.Errorf("%s: %s, want %s", line, answer.Body, want)
		}
	}
	for _, base := range []string{"GET /health", "GET /api/health"} {
		body(base+"/ready", http.StatusOK, `{"ready":true}`)
		body(base+"/live", http.StatusOK, `{"alive":true}`)
	}
	asHead := func(path string, status int) {
		t.Helper()
		get, head := nobody.Do(t, "GET "+path, nil).Want(t, status), nobody.Do(t, "HEAD "+path, nil).Want(t, status)
		for _, differs := range []string{"Date", "X-Request-Id", "X-Response-Time", "Content-Length"} {
			get.Header.Del(differs)
			head.Header.Del(differs)
		}
		if diff := cmp.Diff(get.Header, head.Header); diff != "" || head.Body != "" {
			t.Errorf("%s as HEAD: %q (-GET +HEAD):\n%s", path, head.Body, diff)
		}
	}
	asHead("/api/health", http.StatusOK)
	for _, base := range []string{"/health", "/api/health"} {
		asHead(base+"/ready", http.StatusOK)
		asHead(base+"/live", http.StatusOK)
	}
	a.API.Unready()
	for _, base := range []string{"GET /health", "GET /api/health"} {
		body(base+"/ready", http.StatusServiceUnavailable, `"ready":false`)
		body(base+"/live", http.StatusOK, `{"alive":true}`)
	}
	nobody.Do(t, "HEAD /health/ready", nil).Want(t, http.StatusServiceUnavailable)
	nobody.Do(t, "GET /api/auth/session", nil).Want(t, http.StatusOK) // what still comes is answered
	answer := httptest.NewRecorder()                                  // a client of net/http would hide the header
	a.API.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/api/auth/session", nil))
	if got := answer.Header().Get("Connection"); got != "close" {
		t.Errorf("Connection: %q, want close", got)
	}
}
