package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"fanfare/internal/apitest"
)

func TestCrossOrigin(t *testing.T) {
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Config.AllowedOrigins = []string{"https://app.example"}
		s.Config.PublicURL = "https://fanfare.example/base"
	})
	key := a.User(t, "ada@example.com")
	cookie := a.SignedIn(t, key)
	name := `{"name": "k"}`
	foreign, allowed := "Origin: https://evil.example", "Origin: https://app.example"
	run(t, cookie, []scenario{
		{name: "a program", line: "POST /api/keys", body: name, status: 201},
		{name: "foreign", line: "POST /api/keys", body: name, headers: []string{foreign}, status: 403, code: "forbidden"},
		{name: "foreign, as fetch says", line: "POST /api/keys", body: name, headers: []string{"Sec-Fetch-Site: cross-site"}, status: 403, code: "forbidden"},
		{name: "of the same site only", line: "POST /api/keys", body: name, headers: []string{"Sec-Fetch-Site: same-site", "Origin: https://other.fanfare.example"}, status: 403, code: "forbidden"},
		{name: "opaque", line: "POST /api/keys", body: name, headers: []string{"Origin: null"}, status: 403, code: "forbidden"},
		{name: "alike", line: "POST /api/keys", body: name, headers: []string{allowed + ".evil.example"}, status: 403, code: "forbidden"},
		{name: "other scheme", line: "POST /api/keys", body: name, headers: []string{"Origin: http://app.example"}, status: 403, code: "forbidden"},
		{name: "foreign DELETE", line: "DELETE /api/keys/1", headers: []string{foreign}, status: 403, code: "forbidden"},
		{name: "foreign PATCH", line: "PATCH /api/campaign/1", body: `{}`, headers: []string{foreign}, status: 403, code: "forbidden"},
		{name: "foreign logout", line: "POST /api/auth/logout", headers: []string{foreign}, status: 403, code: "forbidden"},
		{name: "foreign login", line: "POST /api/auth/login", body: adaLogin, headers: []string{foreign}, status: 403, code: "forbidden"},
		{name: "foreign read", line: "GET /api/keys", headers: []string{foreign}, status: 200},
		{name: "same origin", line: "POST /api/keys", body: name, headers: []string{"Sec-Fetch-Site: same-origin"}, status: 201},
		{name: "our host", line: "POST /api/keys", body: name, headers: []string{"Origin: " + a.URL}, status: 201},
		{name: "allowed", line: "POST /api/keys", body: name, headers: []string{allowed, "Sec-Fetch-Site: cross-site"}, status: 201},
		{name: "public URL", line: "POST /api/keys", body: name, headers: []string{"Origin: https://fanfare.example", "Sec-Fetch-Site: cross-site"}, status: 201},
	})
	run(t, key, []scenario{
		{name: "a key is no ambient authority", line: "POST /api/keys", body: name, headers: []string{foreign, "Sec-Fetch-Site: cross-site"}, status: 201},
	})
	run(t, cookie, []scenario{
		{name: "nor does a wrong one let the cookie in", line: "POST /api/keys", body: name, headers: []string{foreign, "Authorization: Bearer x"}, status: 401, code: "unauthorized"},
	})
}

func TestCORS(t *testing.T) {
	preflight := []string{"Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type,idempotency-key,prefer"}
	for name, c := range map[string]struct {
		origins []string
		origin  string
		want    string
	}{
		"allowed":      {[]string{"https://app.example"}, "https://app.example", "https://app.example"},
		"foreign":      {[]string{"https://app.example"}, "https://evil.example", ""},
		"none allowed": {nil, "https://app.example", ""},
	} {
		t.Run(name, func(t *testing.T) {
			a := apitest.New(t, func(s *apitest.Setup) { s.Config.AllowedOrigins = c.origins })
			client := a.Anonymous().With("Origin: " + c.origin)
			for _, answer := range []*apitest.Answer{
				client.Do(t, "GET /api/keys", nil).WantError(t, http.StatusUnauthorized, "unauthorized"),
				client.Do(t, "GET /nothing", nil).WantError(t, http.StatusNotFound, "not_found"),
				client.With(preflight...).Do(t, "OPTIONS /api/campaign", nil).Want(t, http.StatusNoContent),
			} {
				header(t, answer, "Access-Control-Allow-Origin", c.want)
				if credentials := answer.Header.Get("Access-Control-Allow-Credentials"); (credentials == "true") != (c.want != "") {
					t.Errorf("Access-Control-Allow-Credentials: %q", credentials)
				}
				if !strings.Contains(strings.Join(answer.Header.Values("Vary"), ","), "Origin") || answer.Header.Get("X-Request-Id") == "" {
					t.Errorf("headers %v", answer.Header)
				}
			}
		})
	}
	a := apitest.New(t, func(s *apitest.Setup) { s.Config.AllowedOrigins = []string{"https://app.example"} })
	client := a.Anonymous().With("Origin: https://app.example")
	answer := client.With(preflight...).Do(t, "OPTIONS /api/campaign", nil)
	header(t, answer, "Access-Control-Allow-Methods", "POST")
	header(t, answer, "Access-Control-Allow-Headers", "content-type,idempotency-key,prefer")
	exposed := client.Do(t, "GET /api/keys", nil).Header.Get("Access-Control-Expose-Headers")
	for _, name := range []string{"Location", "Retry-After", "Etag", "Link", "X-Ratelimit-Remaining", "RateLimit", "RateLimit-Policy", "Idempotent-Replayed", "Preference-Applied"} {
		if !slices.ContainsFunc(strings.Split(exposed, ","), func(e string) bool { return strings.EqualFold(strings.TrimSpace(e), name) }) {
			t.Errorf("%s is not exposed: %s", name, exposed)
		}
	}
}
