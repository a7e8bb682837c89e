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
	"strings"
	"testing"
	"time"

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
		if got := retryAfter(http.Header{"Retry-After": {value}}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}
