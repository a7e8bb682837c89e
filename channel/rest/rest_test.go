package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
)

func apiOf(url string, allowPrivate bool) API {
	return API{
		Name: "Post", BaseURL: url, Client: egress.NewClient(egress.NewDialer(allowPrivate, nil).DialContext, nil),
		Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer canary") },
		Clean:     connector.NewRedactor("canary"),
		Explain:   func(body []byte) string { return string(body) },
		Patience:  20 * time.Second,
	}
}

func serve(t *testing.T, handler http.HandlerFunc) API {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return apiOf(server.URL, true)
}

func sendError(t *testing.T, err error) *fanfare.SendError {
	t.Helper()
	e, ok := errors.AsType[*fanfare.SendError](err)
	if !ok {
		t.Fatalf("%v is no *fanfare.SendError", err)
	}
	if strings.Contains(fmt.Sprintf("%v %+v", e, e.Cause), "canary") {
		t.Errorf("a credential got out: %v", e)
	}
	return e
}

func TestCall(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		_ = json.NewEncoder(w).Encode(map[string]string{"said": fmt.Sprint(r.Method, r.URL, r.Header.Get("Authorization"), string(body))})
	})
	var answer struct{ Said string }
	err := api.Do(t.Context(), Call{Method: http.MethodPut, Path: "/a?b=c", Body: []int{1}, Answer: &answer, Commits: true})
	if err != nil || answer.Said != "PUT/a?b=cBearer canary[1]" {
		t.Errorf("%v, %q", err, answer.Said)
	}
}

func TestFateByStatus(t *testing.T) {
	for status, want := range map[int][2]fanfare.Fate{ // of a call that does not commit, and of one that does
		301: {fanfare.FateHalted, fanfare.FateUnknown},
		400: {fanfare.FateRefused, fanfare.FateRefused},
		401: {fanfare.FateUnauthorized, fanfare.FateUnauthorized},
		403: {fanfare.FateUnauthorized, fanfare.FateUnauthorized},
		404: {fanfare.FateRefused, fanfare.FateRefused},
		408: {fanfare.FateHalted, fanfare.FateUnknown},
		422: {fanfare.FateRefused, fanfare.FateRefused},
		429: {fanfare.FateHalted, fanfare.FateHalted},
		500: {fanfare.FateHalted, fanfare.FateUnknown},
		503: {fanfare.FateHalted, fanfare.FateUnknown},
	} {
		api := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			fmt.Fprint(w, "no\n", r.Header.Get("Authorization"), strings.Repeat(" more", maxAnswer/5))
		})
		for i, commits := range []bool{false, true} {
			e := sendError(t, api.Do(t.Context(), Call{Method: http.MethodPost, Commits: commits}))
			answered, ok := errors.AsType[*StatusError](e)
			if e.Fate != want[i] || !ok || answered.Code != status || !strings.HasPrefix(e.Reason, fmt.Sprintf("Post answered %d: no Bearer [removed] more", status)) {
				t.Errorf("%d, commits %v: %v", status, commits, e)
			}
		}
	}
}

func TestFateWithoutAnswer(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	cut := serve(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mute := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	mute.Patience = 50 * time.Millisecond
	short := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		fmt.Fprint(w, "{}")
	})
	for name, test := range map[string]struct {
		ctx  context.Context
		api  API
		want [2]fanfare.Fate
	}{
		"nobody there": {t.Context(), apiOf("http://"+closed.Addr().String(), true), [2]fanfare.Fate{fanfare.FateHalted, fanfare.FateHalted}},
		"private":      {t.Context(), apiOf(cut.BaseURL, false), [2]fanfare.Fate{fanfare.FateHalted, fanfare.FateHalted}},
		"canceled":     {gone, cut, [2]fanfare.Fate{fanfare.FateHalted, fanfare.FateHalted}},
		"cut":          {t.Context(), cut, [2]fanfare.Fate{fanfare.FateDeferred, fanfare.FateUnknown}},
		"mute":         {t.Context(), mute, [2]fanfare.Fate{fanfare.FateDeferred, fanfare.FateUnknown}},
		"half":         {t.Context(), short, [2]fanfare.Fate{fanfare.FateDeferred, fanfare.FateUnknown}},
		"nonsense": {t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }),
			[2]fanfare.Fate{fanfare.FateDeferred, fanfare.FateUnknown}},
		"endless": {t.Context(), serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat(" ", maxAnswer), "{}") }),
			[2]fanfare.Fate{fanfare.FateDeferred, fanfare.FateUnknown}},
	} {
		for i, commits := range []bool{false, true} {
			var answer struct{}
			e := sendError(t, test.api.Do(test.ctx, Call{Method: http.MethodPost, Answer: &answer, Commits: commits}))
			if e.Fate != test.want[i] {
				t.Errorf("%s, commits %v: %v", name, commits, e)
			}
		}
	}
}

// A message that is taken is taken, whatever the answer to it looks like.
func TestAnswerThatNobodyReads(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "9")
		fmt.Fprint(w, "{}")
	})
	if err := api.Do(t.Context(), Call{Method: http.MethodPost, Commits: true}); err != nil {
		t.Error(err)
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "999999": maxRetryAfter, "99999999999999": 0,
		"Mon, 02 Jan 2006 15:04:05 GMT":                               0,
		time.Now().Add(100 * time.Hour).UTC().Format(http.TimeFormat): maxRetryAfter,
	} {
		if got := (API{}).retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
	api := API{ComeBack: func(http.Header) time.Time { return time.Now().Add(100 * time.Hour) }}
	for value, want := range map[string]time.Duration{"": maxRetryAfter, "7": 7 * time.Second} {
		header := http.Header{}
		if value != "" {
			header.Set("Retry-After", value)
		}
		if got := api.retryAfter(header); got != want {
			t.Errorf("%q, or when the provider says otherwise: %v", value, got)
		}
	}
}

func TestForm(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"said": r.PostFormValue("a") + r.Header.Get("X-More")})
	})
	var answer struct{ Said string }
	call := Call{Method: http.MethodPost, Form: url.Values{"a": {"ä&b"}}, Header: map[string]string{"X-More": "!"}, Answer: &answer}
	if err := api.Do(t.Context(), call); err != nil || answer.Said != "ä&b!" {
		t.Errorf("%v, %q", err, answer.Said)
	}
}

func TestQueryIsNotQuoted(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("to") == "canary" {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusTeapot)
	})
	for _, to := range []string{"canary", "canary "} {
		if e := sendError(t, api.Do(t.Context(), Call{Method: http.MethodGet, Query: url.Values{"to": {to}}})); e.Fate == fanfare.FateUnknown {
			t.Error(e)
		}
	}
}

func TestJudge(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, r.URL.Query().Get("say"))
	})
	api.Judge = func(code int, body []byte) fanfare.Fate {
		if code == http.StatusForbidden && string(body) == "no" {
			return fanfare.FateRefused
		}
		return ""
	}
	for say, want := range map[string]fanfare.Fate{"no": fanfare.FateRefused, "": fanfare.FateUnauthorized} {
		if e := sendError(t, api.Do(t.Context(), Call{Method: http.MethodGet, Path: "?say=" + say})); e.Fate != want {
			t.Errorf("%q: %v", say, e)
		}
	}
}

// A kept connection that ends without an answer may have brought a message:
// nothing that commits is sent again, whatever net/http may send twice.
func TestSentOnceOverKeptConnections(t *testing.T) {
	for name, call := range map[string]Call{
		"GET":             {Method: http.MethodGet, Commits: true},
		"POST":            {Method: http.MethodPost, Commits: true, Body: 1},
		"Idempotency-Key": {Method: http.MethodPost, Commits: true, Body: 1, Header: map[string]string{"Idempotency-Key": "k"}},
	} {
		var calls atomic.Int64
		api := serve(t, func(http.ResponseWriter, *http.Request) {
			if calls.Add(1) > 1 {
				panic(http.ErrAbortHandler)
			}
		})
		if err := api.Do(t.Context(), call); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if e := sendError(t, api.Do(t.Context(), call)); e.Fate != fanfare.FateUnknown || calls.Load() != 2 {
			t.Errorf("%s: %v after %d calls", name, e, calls.Load())
		}
	}
}

func TestPreview(t *testing.T) {
	got, err := apiOf("https://x.example", false).Preview(
		Call{Method: http.MethodPost, Path: "/a", Body: map[string]int{"b": 1}, Header: map[string]string{"X-More": "!"}},
		Call{Method: http.MethodGet, Path: "/c", Query: url.Values{"x": {"y z"}}},
		Call{Method: http.MethodPost, Path: "/d", Form: url.Values{"e": {"f g"}}},
	)
	want := []fanfare.OutgoingRequest{
		{Method: "POST", URL: "https://x.example/a", Headers: map[string]string{"Content-Type": "application/json", "X-More": "!"}, Body: "{\n  \"b\": 1\n}"},
		{Method: "GET", URL: "https://x.example/c?x=y+z", Headers: map[string]string{}},
		{Method: "POST", URL: "https://x.example/d", Headers: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, Body: "e=f+g"},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// Where no message is at stake nothing about one can be unknown, whatever a
// provider says.
func TestOnlyWhatCommitsIsUnknown(t *testing.T) {
	api := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) })
	api.Judge = func(int, []byte) fanfare.Fate { return fanfare.FateUnknown }
	for commits, want := range map[bool]fanfare.Fate{false: fanfare.FateHalted, true: fanfare.FateUnknown} {
		if e := sendError(t, api.Do(t.Context(), Call{Method: http.MethodPost, Commits: commits})); e.Fate != want {
			t.Errorf("commits %v: %v", commits, e)
		}
	}
}

// Some answer in a header: it is read of a success alone.
func TestHeader(t *testing.T) {
	for status, want := range map[int]string{201: "7", 400: ""} {
		api := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Id", "7")
			w.WriteHeader(status)
		})
		var id string
		_ = api.Do(t.Context(), Call{Method: http.MethodPost, Heard: func(h http.Header) { id = h.Get("X-Id") }})
		if id != want {
			t.Errorf("%d: %q", status, id)
		}
	}
}
