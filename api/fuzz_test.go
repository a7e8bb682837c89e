package api_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"fanfare/internal/apitest"
)

// FuzzRequests: whatever is asked, the answer is no 5xx, and every refusal has
// the one shape.
func FuzzRequests(f *testing.F) {
	a := apitest.New(f)
	ada := a.User(f, "ada@example.com")
	const id = "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"
	for _, seed := range []struct{ method, target, name, value, body string }{
		{"POST", "/api/campaign", "Idempotency-Key", "k", `{"prompt": "tea", "channels": ["sms"], "conversationId": "` + id + `"}`},
		{"POST", "/api/campaign", "Prefer", "wait=0", `{"prompt": "\ud83d\ude00", "conversationHistory": [{"role": "assistant", "content": "a"}]}`},
		{"POST", "/api/campaign", "Content-Type", "application/x+json", `{"prompt": "\u0000"}`},
		{"POST", "/api/campaign", "Content-Encoding", "gzip", "\x1f\x8b"},
		{"POST", "/api/campaign", "X-Request-Id", "x", `{"prompt": 1e999}`},
		{"PATCH", "/api/campaign/" + id, "Content-Type", "application/merge-patch+json", `{"budget": 1e2, "audience": {"n": 1e-999}}`},
		{"GET", "/api/campaign?status=ready&limit=100&cursor=MjAyNi0wMS0wMVQwMDowMDowMFog", "Cookie", "fanfare_session=x", ""},
		{"GET", "/api/jobs?kind=campaign.generate&campaignId=" + id, "Authorization", "Bearer x", ""},
		{"GET", "/api/jobs/%00", "If-None-Match", `W/"x"`, ""},
		{"POST", "/api/jobs/{" + id + "}/retry", "Idempotency-Key", "\xff", ""},
		{"POST", "/api/jobs/" + id + "/cancel", "Origin", "null", ""},
		{"DELETE", "/api/keys/%ff", "Sec-Fetch-Site", "cross-site", "{"},
		{"POST", "/api/keys", "Content-Type", "application/json", `{"name": "\ufeff"}`},
		{"POST", "/api/auth/register", "X-Forwarded-For", "::1", `{"name": "Ada", "email": "a@b.c", "password": "x"}`},
		{"POST", "/api/auth/login", "Accept", "text/html", `{"email": "ada@example.com", "password": "\ud800"}`},
		{"OPTIONS", "/api/campaign", "Access-Control-Request-Method", "POST", ""},
		{"GET", "/api/health", "X-Request-Id", "\x7f", ""},
		{"GET", "/api/docs/..%2f..%2fetc/passwd", "Range", "bytes=0-", ""},
		{"TRACE", "//api//jobs", "Host", "x", ""},
		{"GET", "/unsubscribe/x", "Accept", "*/*", ""},
		{"POST", "/unsubscribe/%3Cb%3E", "Origin", "null", "List-Unsubscribe=One-Click"},
	} {
		f.Add(seed.method, seed.target, seed.name, seed.value, seed.body)
	}
	f.Fuzz(func(t *testing.T, method, target, name, value, body string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) || !httpguts.ValidHeaderFieldName(method) {
			return // net/http would not let it through
		}
		request := httptest.NewRequestWithContext(t.Context(), "GET", "/", strings.NewReader(body))
		request.Method, request.URL, request.RequestURI = method, u, target
		for name, value := range ada.Header {
			request.Header.Set(name, value)
		}
		request.Header.Set(name, value)
		response := httptest.NewRecorder()
		a.API.ServeHTTP(response, request)
		check(t, method, response)
	})
}

func check(t *testing.T, method string, response *httptest.ResponseRecorder) {
	t.Helper()
	if response.Code >= http.StatusInternalServerError {
		t.Fatalf("%d %s", response.Code, response.Body)
	}
	if response.Header().Get("X-Request-Id") == "" {
		t.Error("no X-Request-Id")
	}
	page := response.Header().Get("Content-Type") == "text/html; charset=utf-8" // for who unsubscribes
	if response.Code < http.StatusBadRequest || method == http.MethodHead || page && response.Code == http.StatusNotFound {
		return
	}
	var e struct{ Error, Code, RequestID string }
	decoder := json.NewDecoder(bytes.NewReader(response.Body.Bytes()))
	if err := decoder.Decode(&e); err != nil || e.Error == "" || e.Code == "" || e.RequestID == "" {
		t.Errorf("%d %q: %v", response.Code, response.Body, err)
	}
}
