package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"fanfare/api"
	"fanfare/internal/apitest"
)

func nested(levels int) string {
	return `{"prompt": "Sell tea", "extra": ` + strings.Repeat("[", levels) + strings.Repeat("]", levels) + `}`
}

func TestEveryRefusalHasOneShape(t *testing.T) {
	ada := apitest.New(t)
	long := strings.Repeat("a", 10_000)
	post := "POST /api/campaign"
	run(t, ada.User(t, "ada@example.com"), []scenario{
		{name: "no such page", line: "GET /nothing", status: 404, code: "not_found"},
		{name: "no such asset", line: "GET /api/docs/nothing.js", status: 404, code: "not_found"},
		{name: "trailing slash", line: "GET /api/jobs/", status: 404, code: "not_found"},
		{name: "method", line: "PUT /api/jobs", status: 405, code: "method_not_allowed"},
		{name: "unknown method", line: "BREW /api/jobs", status: 405, code: "method_not_allowed"},
		{name: "HEAD", line: "HEAD /api/jobs", status: 405},
		{name: "OPTIONS without an origin", line: "OPTIONS /api/jobs", status: 405, code: "method_not_allowed"},
		{name: "NUL in the path", line: "GET /api/jobs/%00", status: 404, code: "not_found"},
		{name: "invalid UTF-8 in the path", line: "GET /api/jobs/%ff", status: 404, code: "not_found"},
		{name: "dots", line: "GET /api/jobs/..", status: 404, code: "not_found"},
		{name: "encoded slash", line: "GET /api/jobs/..%2f..%2fetc", status: 404, code: "not_found"},
		{name: "no UUID", line: "GET /api/jobs/1", status: 404, code: "not_found"},
		{name: "UUID in braces", line: "DELETE /api/campaign/{01a204f5-ed6d-77fe-bfbc-ed33a961c0ee}", status: 404, code: "not_found"},
		{name: "long id", line: "DELETE /api/campaign/" + long, status: 404, code: "not_found"},
		{name: "quote in the id", line: "DELETE /api/keys/'%3b--", status: 404, code: "not_found"},
		{name: "NUL in the query", line: "GET /api/jobs?kind=%00", status: 400, code: "invalid_request"},
		{name: "invalid UTF-8 in the query", line: "GET /api/jobs?x=%ff", status: 400, code: "invalid_request"},
		{name: "broken query", line: "GET /api/jobs?limit=%zz", status: 400, code: "invalid_request"},
		{name: "limit too small", line: "GET /api/jobs?limit=0", status: 400, code: "invalid_request", want: `"limit","message":"must be at least 1"`},
		{name: "limit too large", line: "GET /api/jobs?limit=101", status: 400, code: "invalid_request", want: `"limit","message":"must be at most 100"`},
		{name: "limit no number", line: "GET /api/jobs?limit=many", status: 400, code: "invalid_request", want: "must be a whole number"},
		{name: "huge limit", line: "GET /api/keys?limit=99999999999999999999", status: 400, code: "invalid_request"},
		{name: "unknown status", line: "GET /api/jobs?status=lost", status: 400, code: "invalid_request", want: "must be one of scheduled, queued"},
		{name: "unknown kind", line: "GET /api/jobs?kind=lost", status: 400, code: "invalid_request", want: "must be one of analytics.analyze, analytics.optimize, campaign.generate"},
		{name: "campaign id", line: "GET /api/jobs?campaignId=1", status: 400, code: "invalid_request", want: "must be a UUID"},
		{name: "cursor", line: "GET /api/jobs?cursor=xyz", status: 400, code: "invalid_request", want: `"field":"cursor"`},
		{name: "unknown campaign status", line: "GET /api/campaign?status=lost", status: 400, code: "invalid_request", want: "must be one of draft"},

		{name: "no body", line: post, status: 400, code: "invalid_request", want: "body: is required"},
		{name: "no JSON", line: post, body: `{"prompt": `, status: 400, code: "invalid_request", want: "not valid JSON"},
		{name: "form", line: post, body: "prompt=tea", headers: []string{"Content-Type: application/x-www-form-urlencoded"}, status: 415, code: "unsupported_media_type"},
		{name: "text", line: post, body: `{"prompt": "Sell tea"}`, headers: []string{"Content-Type: text/plain"}, status: 415, code: "unsupported_media_type"},
		{name: "nonsense type", line: post, body: `{"prompt": "Sell tea"}`, headers: []string{"Content-Type: ;;"}, status: 415, code: "unsupported_media_type"},
		{name: "CBOR", line: post, body: "\xa0", headers: []string{"Content-Type: application/cbor"}, status: 415, code: "unsupported_media_type"},
		{name: "gzip", line: post, body: "\x1f\x8b", headers: []string{"Content-Encoding: gzip"}, status: 415, code: "unsupported_media_type"},
		{name: "a list", line: post, body: `[]`, status: 400, code: "invalid_request", want: "body: must be an object"},
		{name: "null", line: post, body: `null`, status: 400, code: "invalid_request"},
		{name: "no prompt", line: post, body: `{}`, status: 400, code: "invalid_request", want: `{"field":"prompt","message":"is required"}`},
		{name: "wrong type", line: post, body: `{"prompt": 5}`, status: 400, code: "invalid_request", want: `{"field":"prompt","message":"must be a string"}`},
		{name: "no list", line: post, body: `{"prompt": "Sell tea", "channels": "email"}`, status: 400, code: "invalid_request", want: `{"field":"channels","message":"must be a list"}`},
		{name: "channel", line: post, body: `{"prompt": "Sell tea", "channels": ["fax"]}`, status: 400, code: "invalid_request", want: `{"field":"channels[0]","message":"must be one of email, social, ppc, sms"}`},
		{name: "history", line: post, body: `{"prompt": "Sell tea", "conversationHistory": [{"role": "user"}]}`, status: 400, code: "invalid_request", want: `{"field":"conversationHistory[0].content","message":"is required"}`},
		{name: "raw NUL", line: post, body: "{\"prompt\": \"a\x00b\"}", status: 400, code: "invalid_request", want: "NUL"},
		{name: "raw NUL between tokens", line: post, body: "{\x00\"prompt\": \"tea\"}", status: 400, code: "invalid_request", want: "NUL"},
		{name: "escaped NUL", line: post, body: `{"prompt": "a\u0000b"}`, status: 400, code: "invalid_request", want: "NUL"},
		{name: "escaped NUL in a name", line: post, body: `{"prompt": "tea", "a\u0000b": 1}`, status: 400, code: "invalid_request", want: "NUL"},
		{name: "lone surrogate", line: post, body: `{"prompt": "a\ud800b"}`, status: 400, code: "invalid_request", want: "surrogate"},
		{name: "lone low surrogate", line: post, body: `{"prompt": "a\uDC00"}`, status: 400, code: "invalid_request", want: "surrogate"},
		{name: "two high surrogates", line: post, body: `{"prompt": "\ud83d\ud83d"}`, status: 400, code: "invalid_request", want: "surrogate"},
		{name: "half an escape", line: post, body: `{"prompt": "\ud8"}`, status: 400, code: "invalid_request", want: `"The body is not valid JSON."`},
		{name: "invalid UTF-8", line: post, body: "{\"prompt\": \"a\xffb\"}", status: 400, code: "invalid_request", want: "not UTF-8"},
		{name: "invalid UTF-8 between tokens", line: post, body: "{\xff\"prompt\": \"tea\"}", status: 400, code: "invalid_request", want: "not UTF-8"},
		{name: "UTF-8 in the wrong place", line: post, body: `{ä}`, status: 400, code: "invalid_request", want: `"The body is not valid JSON."`},
		{name: "repeated name", line: post, body: `{"prompt": "tea", "prompt": "coffee"}`, status: 400, code: "invalid_request", want: "a name twice"},
		{name: "two values", line: post, body: `{"prompt": "tea"} {}`, status: 400, code: "invalid_request", want: "after its JSON value"},
		{name: "too deep", line: post, body: nested(64), status: 400, code: "invalid_request", want: "deeper than 64"},
		{name: "deep enough", line: post, body: nested(63), status: 202},
		{name: "very deep", line: post, body: nested(400_000), status: 400, code: "invalid_request", want: "deeper than 64"},
		{name: "infinite number", line: post, body: `{"prompt": "tea", "n": 1e999}`, status: 400, code: "invalid_request", want: "number"},
		{name: "tiny number", line: post, body: `{"prompt": "tea", "n": 1e-99999}`, status: 400, code: "invalid_request", want: "number"},
		{name: "long number", line: post, body: `{"prompt": "tea", "n": 0.` + long + `}`, status: 400, code: "invalid_request"},
		{name: "endless number", line: post, body: `{"prompt": "tea", "n": 0.` + strings.Repeat("1", 401) + `}`, status: 400, code: "invalid_request", want: "number"},
		{name: "too large", line: post, body: `{"prompt": "` + strings.Repeat("a", 1<<20) + `"}`, status: 413, code: "too_large"},
		{name: "too large, chunked", line: post, body: &endless{left: 64 << 20}, status: 413, code: "too_large"},
		{name: "as large as allowed", line: post, body: `{"prompt": "tea"` + strings.Repeat(" ", 1<<20-17) + `}`, status: 202},
		{name: "unknown fields", line: post, body: `{"prompt": "tea", "colour": "green"}`, status: 202},
		{name: "another JSON type", line: post, body: `{"prompt": "tea"}`, headers: []string{"Content-Type: application/json; charset=utf-8"}, status: 202},
		{name: "long headers", line: post, body: `{"prompt": "tea"}`, headers: []string{"User-Agent: " + long, "X-Request-Id: " + long, "Prefer: " + long, "If-None-Match: " + long}, status: 202},
		{name: "odd bytes in headers", line: post, body: `{"prompt": "tea"}`, headers: []string{"User-Agent: a\xffb", "X-Request-Id: \xff", "Prefer: \xff", "Accept: \xff", "Cookie: \xff"}, status: 202},
		{name: "long idempotency key", line: post, body: `{"prompt": "tea"}`, headers: []string{"Idempotency-Key: " + strings.Repeat("a", 256)}, status: 400, code: "invalid_request", want: "Idempotency-Key"},
		{name: "idempotency key no text", line: post, body: `{"prompt": "tea"}`, headers: []string{"Idempotency-Key: \xff"}, status: 400, code: "invalid_request", want: "Idempotency-Key"},
		{name: "empty bearer", line: "GET /api/jobs", headers: []string{"Authorization: Bearer"}, status: 401, code: "unauthorized"},
		{name: "long bearer", line: "GET /api/jobs", headers: []string{"Authorization: Bearer " + long}, status: 401, code: "unauthorized"},
		{name: "odd bearer", line: "GET /api/jobs", headers: []string{"Authorization: Bearer \xff"}, status: 401, code: "unauthorized"},
		{name: "Basic", line: "GET /api/jobs", headers: []string{"Authorization: Basic YTpi"}, status: 401, code: "unauthorized"},
	})
	if errs := ada.Reports.Take(); len(errs) > 0 {
		t.Errorf("what clients did wrong was reported: %v", errs)
	}
	answer := ada.Anonymous().Do(t, "PUT /api/campaign", nil).Want(t, http.StatusMethodNotAllowed)
	header(t, answer, "Allow", "GET, POST")
}

// endless is a body of unknown length.
type endless struct{ left int }

func (e *endless) Read(p []byte) (int, error) {
	if e.left <= 0 {
		return 0, errors.New("asked for more than anybody should read")
	}
	for i := range p {
		p[i] = ' '
	}
	e.left -= len(p)
	return len(p), nil
}

// A body of a mebibyte full of mistakes gets a short answer.
func TestMistakesAreNotAllListed(t *testing.T) {
	a := apitest.New(t)
	body := `{"prompt": "tea", "channels": [1` + strings.Repeat(",1", 100_000) + `]}`
	answer := a.User(t, "ada@example.com").Do(t, "POST /api/campaign", body).WantError(t, http.StatusBadRequest, "invalid_request")
	if len(answer.Body) > 4096 {
		t.Errorf("an answer of %d bytes", len(answer.Body))
	}
}

// A body that is announced as too large is refused before it is sent.
func TestLargeBodiesAreNotWaitedFor(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	conn, err := net.Dial("tcp", a.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST /api/campaign HTTP/1.1\r\nHost: fanfare\r\nAuthorization: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n",
		ada.Header["Authorization"], 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("%s, want 413", response.Status)
	}
}

// Clients that read nothing before all is written see the refusal too: nobody
// closes the connection on them.
func TestRefusalsWaitForTheirBody(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	for name, length := range map[string]string{"announced": fmt.Sprintf("Content-Length: %d", 8<<20), "chunked": "Transfer-Encoding: chunked"} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", a.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			body := strings.Repeat(" ", 8<<20)
			if name == "chunked" {
				body = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
			}
			_, err = fmt.Fprintf(conn, "POST /api/campaign HTTP/1.1\r\nHost: fanfare\r\nAuthorization: %s\r\n%s\r\n\r\n%s",
				ada.Header["Authorization"], length, body)
			if err != nil {
				t.Fatalf("writing a body that is refused: %v", err)
			}
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = response.Body.Close() }()
			if response.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("%s, want 413", response.Status)
			}
		})
	}
}

func TestLargeBodiesTakeLittleMemory(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	ada.Do(t, "GET /api/jobs", nil) // after which all is there that is made once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ada.Do(t, "POST /api/campaign", &endless{left: 64 << 20}).WantError(t, http.StatusRequestEntityTooLarge, "too_large")
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 16<<20 {
		t.Errorf("%d bytes were allocated for a body of 64 MiB", taken)
	}
}

func TestRequestIDs(t *testing.T) {
	a := apitest.New(t)
	ours := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	for _, line := range []string{"GET /api/health/live", "GET /nothing", "PUT /api/jobs", "GET /api/jobs", "GET /api/jobs/%00", "GET /api/docs", "GET /api/openapi.json", "GET /"} {
		for given, kept := range map[string]bool{
			"abc-1.2_3": true, strings.Repeat("a", 128): true, strings.Repeat("a", 129): false,
			"": false, "a b": false, "a\tb": false, `a"b`: false, "ä": false,
		} {
			answer := a.Anonymous().With("X-Request-Id: "+given).Do(t, line, nil)
			got := answer.Header.Get("X-Request-Id")
			if kept && got != given || !kept && !ours.MatchString(got) {
				t.Errorf("%s with %q: %q", line, given, got)
			}
		}
	}
}

// panicking is a store whose health check panics, and whose lists fail.
type panicking struct{ api.Store }

func (panicking) IdentityByAPIKey(context.Context, []byte) (id identity, err error) {
	panic("the password is hunter2")
}

func (panicking) UserByEmail(context.Context, string) (u user, err error) {
	return u, errors.New("the password is hunter2")
}

func TestOurFaultsStayInside(t *testing.T) {
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Store = panicking{d.Store} }
	})
	for name, ask := range map[string]func() *apitest.Answer{
		"a panic": func() *apitest.Answer {
			return a.Anonymous().With("Authorization: Bearer x").Do(t, "GET /api/jobs", nil)
		},
		"an error": func() *apitest.Answer {
			return a.Anonymous().Do(t, "POST /api/auth/login", `{"email": "ada@example.com", "password": "x"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			answer := ask().WantError(t, http.StatusInternalServerError, "internal")
			if strings.Contains(answer.Body, "hunter2") {
				t.Errorf("%s tells what is inside", answer.Body)
			}
			if errs := a.Reports.Take(); len(errs) != 1 {
				t.Errorf("%d reports, want one: %v", len(errs), errs)
			}
			if !strings.Contains(a.Log.String(), answer.Header.Get("X-Request-Id")) {
				t.Error("the log does not name the request")
			}
		})
	}
}

// panickingWith panics with whatever it is given.
type panickingWith struct {
	api.Store
	value func() any
}

func (p panickingWith) IdentityByAPIKey(context.Context, []byte) (id identity, err error) {
	panic(p.value())
}

// A panic's value may hold what a user sent: neither the log nor the error
// tracker is told more than its type. What the runtime says is safe, and needed.
func TestPanicsAreToldByType(t *testing.T) {
	for name, c := range map[string]struct {
		value func() any
		want  string
	}{
		"a text":      {func() any { return "the password is hunter2" }, "panic: a string"},
		"an error":    {func() any { return errors.New("the password is hunter2") }, "panic: a *errors.errorString"},
		"the runtime": {func() any { return []any{}[len(t.Name())] }, "index out of range"},
	} {
		t.Run(name, func(t *testing.T) {
			a := apitest.New(t, func(s *apitest.Setup) {
				s.Wrap = func(d *api.Deps) { d.Store = panickingWith{d.Store, c.value} }
			})
			a.Anonymous().With("Authorization: Bearer x").Do(t, "GET /api/jobs", nil).WantError(t, http.StatusInternalServerError, "internal")
			told := append(a.Reports.Take(), errors.New(a.Log.String()))
			if len(told) != 2 {
				t.Errorf("%d reports, want one", len(told)-1)
			}
			for _, err := range told {
				if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("told %s, want %q", err, c.want)
				}
			}
			if !strings.Contains(a.Log.String(), "panickingWith") {
				t.Errorf("the log has no stack: %s", a.Log)
			}
		})
	}
}

// Who hangs up ends the work, and no 5xx comes of it: not in an answer, which a
// client that closed only its half still gets, nor in the log or the reports.
func TestHangingUpIsNotOurFault(t *testing.T) {
	a := apitest.New(t)
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	request := httptest.NewRequestWithContext(gone, "GET", "/api/keys", nil)
	request.Header.Set("Authorization", a.User(t, "ada@example.com").Header["Authorization"])
	response := httptest.NewRecorder()
	a.API.ServeHTTP(response, request)
	if response.Code != http.StatusBadRequest || !strings.Contains(response.Body.String(), "was closed") {
		t.Errorf("%d %s", response.Code, response.Body)
	}
	if errs := a.Reports.Take(); len(errs) > 0 || strings.Contains(a.Log.String(), "a request failed") {
		t.Errorf("it was reported: %v, or logged: %s", errs, a.Log)
	}
}
