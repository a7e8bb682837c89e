package api_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/apitest"
	"fanfare/internal/testdb"
)

var requestIDs = regexp.MustCompile(`"requestId":"[^"]*"`)

// shown is all that a client sees of an answer, less what differs in each.
func shown(answer *apitest.Answer) (status int, header http.Header, body string) {
	header = answer.Header.Clone()
	header.Del("X-Request-Id")
	header.Del("Date")
	return answer.Status, header, requestIDs.ReplaceAllString(answer.Body, "")
}

// TestTheDashboardIsNotThere for anyone but admins: whatever they ask of it gets
// byte for byte what an unknown path gives.
func TestTheDashboardIsNotThere(t *testing.T) {
	d := newDesk(t)
	locked := d.Admin(t, "locked@example.com")
	lockedIn := d.SignedIn(t, locked)
	if err := d.Store.DisableUser(t.Context(), locked.UserID); err != nil {
		t.Fatal(err)
	}
	demoted := d.SignedIn(t, d.Admin(t, "demoted@example.com"))
	d.admin.Do(t, "GET "+dashboard, nil).Want(t, http.StatusOK)
	d.Exec(t, `UPDATE users SET role = 'user' WHERE id = $1`, demoted.UserID)
	for name, client := range map[string]*apitest.Client{
		"nobody": d.Anonymous(), "a user's key": d.ada, "a user's session": d.SignedIn(t, d.ada),
		"an unknown key": d.Anonymous().With("Authorization: Bearer x"), "an unknown session": d.Anonymous().With("Cookie: fanfare_session=x"),
		"a locked admin's key": locked, "a locked admin's session": lockedIn, "one who was an admin": demoted,
		"an admin's session beside an unknown key": d.admin.With("Authorization: Bearer x"),
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} {
			for _, path := range []string{
				"", "/", "/settings", "/answers.js", "/favicon.ico", "/static/js/main.5adda2da.chunk.js", "/api/queues", "/api/queues/ai:pause",
			} {
				for _, headers := range [][]string{nil, {"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"}} {
					wantStatus, wantHeader, wantBody := shown(client.With(headers...).Do(t, method+" /nothing"+path, nil))
					status, header, body := shown(client.With(headers...).Do(t, method+" "+dashboard+path, nil))
					if diff := cmp.Diff([]any{wantStatus, wantHeader, wantBody}, []any{status, header, body}); diff != "" {
						t.Errorf("%s: %s %s (-an unknown path +the dashboard):\n%s", name, method, path, diff)
					}
				}
			}
		}
	}
	d.admin.Do(t, "GET /admin/queuesandmore", nil).WantError(t, http.StatusNotFound, "not_found")
	d.admin.Do(t, "GET /admin", nil).WantError(t, http.StatusNotFound, "not_found")
	if paused := d.admin.Do(t, "GET "+dashboard+"/api/queues/ai", nil).At("current.paused"); paused != false {
		t.Errorf("paused: %v", paused)
	}
}

// TestTheDashboardIsThere for admins, with what a browser should know about it.
func TestTheDashboardIsThere(t *testing.T) {
	d := newDesk(t)
	_, task := d.arrange(t, "pending")
	key := d.Admin(t, "key@example.com")
	for name, admin := range map[string]*apitest.Client{"session": d.admin, "key": key} {
		for path, kind := range map[string]string{
			"": "text/html; charset=utf-8", "/": "text/html; charset=utf-8", "/queues/ai": "text/html; charset=utf-8", "/settings": "text/html; charset=utf-8",
			"/static/js/nothing.js": "text/html; charset=utf-8", "/answers.js": "text/javascript; charset=utf-8",
			"/static/js/main.5adda2da.chunk.js": "application/javascript; charset=utf-8", "/favicon-32x32.png": "image/png",
			"/api/queues": "application/json", "/api/queue_stats": "application/json", "/api/queues/ai/tasks/" + task: "application/json",
			"/api/servers": "application/json", "/api/scheduler_entries": "application/json", "/api/redis_info": "application/json",
		} {
			answer := admin.Do(t, "GET "+dashboard+path, nil).Want(t, http.StatusOK)
			header(t, answer, "Content-Type", kind)
			header(t, answer, "X-RateLimit-Limit", "")
			header(t, admin.Do(t, "HEAD "+dashboard+path, nil).Want(t, http.StatusOK), "Content-Type", kind)
			policy := answer.Header.Get("Content-Security-Policy")
			if strings.Contains(policy, "script-src 'self'") != (kind == "text/html; charset=utf-8") || !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "script-src 'unsafe") {
				t.Errorf("%s: %s: the policy is %s", name, path, policy)
			}
			if noStore := answer.Header.Get("Cache-Control") == "no-store"; noStore != strings.HasPrefix(path, "/api/") {
				t.Errorf("%s: Cache-Control %q", path, answer.Header.Get("Cache-Control"))
			}
			if kind == "text/html; charset=utf-8" && (!strings.Contains(answer.Body, `<div id="root">`) || strings.Contains(answer.Body, "https://")) {
				t.Errorf("%s: %s", path, answer.Body)
			}
		}
		run(t, admin, []scenario{
			{name: "no such queue", line: "GET " + dashboard + "/api/queues/mine", status: 404, code: "not_found"},
			{name: "its tasks", line: "GET " + dashboard + "/api/queues/mine/active_tasks", status: 404, code: "not_found"},
			{name: "no such task", line: "GET " + dashboard + "/api/queues/ai/tasks/x", status: 404, code: "not_found", want: "no such task"},
			{name: "no Prometheus", line: "GET " + dashboard + "/api/metrics", status: 404, code: "not_found"},
		})
		header(t, admin.Do(t, "OPTIONS "+dashboard, nil).Want(t, http.StatusNoContent), "Allow", "DELETE, GET, HEAD, OPTIONS, POST")
	}
}

// TestAnotherPagePressesNoButton with an admin's cookie.
func TestAnotherPagePressesNoButton(t *testing.T) {
	d := newDesk(t)
	_, task := d.arrange(t, "pending")
	var scenarios []scenario
	for _, line := range []string{"POST " + dashboard + "/api/queues/ai:pause", "DELETE " + dashboard + "/api/queues/ai/pending_tasks/" + task} {
		for _, header := range []string{"Origin: https://evil.example", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site"} {
			scenarios = append(scenarios, scenario{name: line + header, line: line, headers: []string{header}, status: 403, code: "forbidden"})
		}
	}
	run(t, d.admin, scenarios)
	if diff := cmp.Diff(map[string]int{"pending": 1}, d.all(t)); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	d.admin.With("Sec-Fetch-Site: same-origin").Do(t, "POST "+dashboard+"/api/queues/ai:pause", nil).Want(t, http.StatusOK)
}

// TestTheDashboardCountsAgainstNoLimit, and a limit that was met does not close it.
func TestTheDashboardCountsAgainstNoLimit(t *testing.T) {
	a := apitest.New(t, limits("1/1h", "", "", ""))
	admin := a.Admin(t, "root@example.com")
	for range 5 {
		admin.Do(t, "GET "+dashboard+"/api/queues", nil).Want(t, http.StatusOK)
	}
	admin.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
	admin.Do(t, "GET /api/keys", nil).WantError(t, http.StatusTooManyRequests, "rate_limited")
	admin.Do(t, "POST "+dashboard+"/api/queues/ai:pause", nil).Want(t, http.StatusOK)
}

// TestTheDashboardWithoutRedis says so, in the one shape of errors, and presses
// on queues that come to nothing are recorded.
func TestTheDashboardWithoutRedis(t *testing.T) {
	t.Parallel()
	server := testdb.OwnRedis(t)
	a := apitest.New(t, func(s *apitest.Setup) { s.RedisURL = server.URL() })
	admin := a.Admin(t, "root@example.com")
	job, _ := submit(t, admin)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"GET " + dashboard, "GET " + dashboard + "/api/queues", "GET " + dashboard + "/api/redis_info",
		"POST " + dashboard + "/api/queues/ai:pause", "DELETE " + dashboard + "/api/queues/ai/pending_tasks:delete_all",
	} {
		answer := admin.Do(t, line, nil).WantError(t, http.StatusServiceUnavailable, "unavailable")
		if answer.Header.Get("Retry-After") == "" || strings.Contains(answer.Body, "127.0.0.1") {
			t.Errorf("%s: %v %s", line, answer.Header, answer.Body)
		}
	}
	// What the database can do it does.
	admin.Do(t, "DELETE "+dashboard+"/api/queues/ai/pending_tasks/"+job+":1", nil).Want(t, http.StatusOK)
	want := []apitest.Audit{
		{Action: "campaign.create", Status: "success"}, {Action: "queue.pause", Status: "failure"}, {Action: "job.cancel", Status: "success"},
	}
	var got []apitest.Audit
	for _, record := range a.Audits(t) {
		got = append(got, apitest.Audit{Action: record.Action, Status: record.Status})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit records (-want +got):\n%s", diff)
	}
}

// TestTheDashboardOnAFrozenRedis answers within seconds.
func TestTheDashboardOnAFrozenRedis(t *testing.T) {
	t.Parallel()
	server := testdb.OwnRedis(t)
	a := apitest.New(t, func(s *apitest.Setup) { s.RedisURL = server.URL() })
	admin := a.Admin(t, "root@example.com")
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Resume() })
	answered := make(chan *apitest.Answer, 1)
	go func() { answered <- admin.Do(t, "GET "+dashboard+"/api/queues", nil) }()
	select {
	case answer := <-answered:
		answer.WantError(t, http.StatusServiceUnavailable, "unavailable")
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
	}
}
