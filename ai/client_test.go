package ai

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"fanfare"
)

// never is when to come back after an error that is final.
const never = time.Duration(-1)

func TestFailedCalls(t *testing.T) {
	date := time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat)
	for _, test := range []struct {
		name  string
		reply http.HandlerFunc
		code  string
		says  string // a part of the sentence
		after time.Duration
	}{
		{"429", fails(429, "rate_limit_exceeded", ""), fanfare.CodeAIRateLimited, "limits how often", 0},
		{"429 in seconds", fails(429, "rate_limit_exceeded", "", "Retry-After", "7"), fanfare.CodeAIRateLimited, "", 7 * time.Second},
		{"429 in milliseconds", fails(429, "", "", "Retry-After", "7", "Retry-After-Ms", "250"), fanfare.CodeAIRateLimited, "", 250 * time.Millisecond},
		{"429 with a date", fails(429, "", "", "Retry-After", date), fanfare.CodeAIRateLimited, "", 90 * time.Second},
		{"429 for years", fails(429, "", "", "Retry-After", "1e300"), fanfare.CodeAIRateLimited, "", maxRetryAfter},
		{"429 nonsense", fails(429, "", "", "Retry-After", "-3"), fanfare.CodeAIRateLimited, "", 0},
		{"quota", fails(429, "insufficient_quota", "", "Retry-After", "7"), fanfare.CodeAIRateLimited, "quota", 0},
		{"payment", fails(402, "", ""), fanfare.CodeAIRateLimited, "quota", 0},
		{"401", fails(401, "invalid_api_key", ""), fanfare.CodeAIUnavailable, "OPENAI_API_KEY", 0},
		{"403", fails(403, "", ""), fanfare.CodeAIUnavailable, "OPENAI_API_KEY", 0},
		{"404", fails(404, "model_not_found", ""), fanfare.CodeAIUnavailable, "OPENAI_MODEL", 0},
		{"400", fails(400, "invalid_value", ""), fanfare.CodeAIUnavailable, "HTTP 400", 0},
		{"too much context", fails(400, "context_length_exceeded", ""), fanfare.CodeAIUnavailable, "Start a new one", never},
		{"too much context, in a stream", always("data: {\"error\":{\"code\":\"context_length_exceeded\"}}\n\n"), fanfare.CodeAIUnavailable, "Start a new one", never},
		{"408", fails(408, "", ""), fanfare.CodeAIUnavailable, "in trouble", 0},
		{"409", fails(409, "", ""), fanfare.CodeAIUnavailable, "in trouble", 0},
		{"500", fails(500, "", ""), fanfare.CodeAIUnavailable, "in trouble", 0},
		{"503", fails(503, "", "", "Retry-After", "3"), fanfare.CodeAIUnavailable, "in trouble", 3 * time.Second},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/v1/elsewhere", http.StatusTemporaryRedirect)
		}, fanfare.CodeAIUnavailable, "HTTP 307", 0},
		{"refusal", choice("", "I can't", "stop"), fanfare.CodeAIRefused, "", never},
		{"filter", choice("half", "", "content_filter"), fanfare.CodeAIRefused, "", never},
		{"filter as status", fails(400, "content_filter", ""), fanfare.CodeAIRefused, "", never},
		{"truncated", choice(goodSMS, "", "length"), fanfare.CodeAIInvalidOutput, "cut off", never},
		{"broken rules", says(`{"text":"<b>Hi</b>"}`), fanfare.CodeAIInvalidOutput, "contains HTML", never},
		{"no choices", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }, fanfare.CodeAIInvalidOutput, "OPENAI_BASE_URL", 0},
		{"no choices in a stream", always(usageEvent(1, 1) + doneEvent), fanfare.CodeAIInvalidOutput, "OPENAI_BASE_URL", 0},
		{"a web page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `<html>`) }, fanfare.CodeAIInvalidOutput, "OPENAI_BASE_URL", 0},
		{"wrong envelope", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"choices":5}`) }, fanfare.CodeAIInvalidOutput, "", 0},
		{"broken off", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"choices`)
		}, fanfare.CodeAIUnavailable, "broke off", 0},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, fanfare.CodeAIUnavailable, "cannot be reached", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, test.reply)
			content, usage, err := s.writer().WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil)
			e, ok := errors.AsType[*fanfare.Error](err)
			if !ok || e.Code != test.code || !strings.Contains(e.Message, test.says) || content != nil {
				t.Fatalf("content %v, error %v, want %s with %q", content, err, test.code, test.says)
			}
			if e.Final != (test.after == never) {
				t.Errorf("the error is final: %t", e.Final)
			}
			if diff := (e.RetryAfter - max(test.after, 0)).Abs(); diff > 3*time.Second {
				t.Errorf("come back after %s, want %s", e.RetryAfter, test.after)
			}
			if strings.Contains(fmt.Sprintf("%+v %#v %s", err, e.Cause, err), testKey) {
				t.Errorf("the error holds the API key: %v", err)
			}
			if usage.Model != "test-model" {
				t.Errorf("usage %+v names no model", usage)
			}
		})
	}
}

func TestServerAway(t *testing.T) {
	s := newServer(t, says(goodSMS))
	s.Close()
	_, _, err := s.writer().WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil)
	if fanfare.ErrorCode(err) != fanfare.CodeAIUnavailable || strings.Contains(err.Error(), testKey) {
		t.Errorf("error %v, want %s without the key", err, fanfare.CodeAIUnavailable)
	}
}

// hang answers nothing, or half, until the client gives up.
func hang(half string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if half != "" {
			fmt.Fprint(w, half)
			_ = http.NewResponseController(w).Flush()
		}
		<-r.Context().Done()
	}
}

func TestHangingModelTimesOut(t *testing.T) {
	for _, half := range []string{"", `{"choices":[`} {
		s := newServer(t, hang(half))
		w := New(Config{APIKey: testKey, BaseURL: s.URL + "/v1", Model: "m", Timeout: 50 * time.Millisecond})
		_, _, err := w.WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil)
		if fanfare.ErrorCode(err) != fanfare.CodeAITimeout {
			t.Errorf("a server that hangs after %q: error %v, want %s", half, err, fanfare.CodeAITimeout)
		}
	}
}

func TestCancelCutsTheCall(t *testing.T) {
	stopped := errors.New("stopped by a person")
	for _, half := range []string{"", `{"choices":[`} {
		arrived, released := make(chan struct{}), make(chan struct{})
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			close(arrived)
			hang(half)(w, r)
			close(released)
		})
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-arrived
			cancel(stopped)
		}()
		_, usage, err := s.writer().WriteContent(ctx, fanfare.SMS, sneakers, fanfare.Intent{}, nil)
		if !errors.Is(err, stopped) || fanfare.ErrorCode(err) != fanfare.CodeInternal || usage.Model == "" {
			t.Errorf("error %v with usage %+v, want the cause of the caller's cancellation", err, usage)
		}
		<-released
	}
}

func TestHugeAnswerIsNotRead(t *testing.T) {
	block := bytes.Repeat([]byte("a"), 1<<20)
	var sent int
	done := make(chan struct{})
	s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(done)
		_, _ = io.WriteString(w, `{"choices":[{"message":{"content":"`)
		for sent = 0; sent < 100; sent++ {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := s.writer().WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil)
	runtime.ReadMemStats(&after)
	e, ok := errors.AsType[*fanfare.Error](err)
	if !ok || e.Code != fanfare.CodeAIInvalidOutput || e.Final || !strings.Contains(err.Error(), "larger than 4 MiB") {
		t.Errorf("error %v, want %s that may be tried again", err, fanfare.CodeAIInvalidOutput)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 40<<20 {
		t.Errorf("reading it allocated %d MiB", grown>>20)
	}
	if <-done; sent == 100 {
		t.Error("all 100 MiB were read")
	}
}

// TestServerWithoutSchemas learns step by step what a server takes, and
// remembers it.
func TestServerWithoutSchemas(t *testing.T) {
	for _, test := range []struct {
		takes string
		want  []string // the formats of two writings
	}{
		{"json_schema", []string{"json_schema", "json_schema"}},
		{"json_object", []string{"json_schema", "json_object", "json_object"}},
		{"", []string{"json_schema", "json_object", "", ""}},
	} {
		t.Run("takes "+test.takes, func(t *testing.T) {
			var s *server
			s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
				asked := s.requests()
				format := asked[len(asked)-1].ResponseFormat.Type
				if format == "" || format == test.takes {
					says(goodSMS)(w, r)
					return
				}
				fails(http.StatusUnprocessableEntity, "", "response_format "+format+" is not supported")(w, r)
			})
			w := s.writer()
			for range 2 {
				if _, _, err := w.WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, asked := range s.requests() {
				got = append(got, asked.ResponseFormat.Type)
			}
			if strings.Join(got, ",") != strings.Join(test.want, ",") {
				t.Errorf("asked with formats %q, want %q", got, test.want)
			}
		})
	}
}

func TestServerWithoutTokenLimit(t *testing.T) {
	var s *server
	s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
		asked := s.requests()
		if asked[len(asked)-1].MaxCompletionTokens > 0 {
			fails(422, "", "extra field max_completion_tokens")(w, r)
			return
		}
		says(goodSMS)(w, r)
	})
	if _, _, err := s.writer().WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil); err != nil {
		t.Fatal(err)
	}
	asked := s.requests()
	if len(asked) != 2 || !asked[1].ResponseFormat.JSONSchema.Strict || asked[1].ResponseFormat.JSONSchema.Name != "sms" {
		t.Errorf("%d requests, the last %+v; want 2, the last still with the schema", len(asked), asked[len(asked)-1])
	}
}

// TestWriterIsConcurrent is for the race detector, while the writer learns.
func TestWriterIsConcurrent(t *testing.T) {
	s := newServer(t, fails(400, "", "json_schema"), fails(400, "", "json_schema"), says(goodSMS))
	w := s.writer()
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, _, err := w.WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestNothingOfTheBriefIsLogged(t *testing.T) {
	var logged bytes.Buffer
	s := newServer(t, fails(400, "", "json_schema canary"), says(`{"text":"canary","extra":"canary"}`))
	w := New(Config{
		APIKey: testKey, BaseURL: s.URL + "/v1", Model: "m",
		Logger: slog.New(slog.NewJSONHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	_, _, err := w.WriteContent(t.Context(), fanfare.SMS, fanfare.Brief{Text: "canary"}, fanfare.Intent{}, nil)
	if err == nil || logged.Len() == 0 {
		t.Fatalf("error %v, log %q; want both", err, &logged)
	}
	if strings.Contains(logged.String(), "canary") || strings.Contains(err.Error(), "canary") {
		t.Errorf("the log or the error quotes what was written: %s %v", &logged, err)
	}
}

func TestUsageAndCost(t *testing.T) {
	money := func(text string) *fanfare.Money {
		m, err := fanfare.ParseMoney(text)
		if err != nil {
			t.Fatal(err)
		}
		return &m
	}
	huge := fanfare.Money(math.MaxInt64)
	for _, test := range []struct {
		spent         tokens
		input, output *fanfare.Money
		want          string
	}{
		{tokens{1, 0}, money("0.15"), money("0.6"), "0.00000015"},
		{tokens{1_000_000, 1_000_000}, money("0.15"), money("0.6"), "0.75"},
		{tokens{1, 1}, money("0.000000001"), money("0"), "0.000000001"},
		{tokens{999_999, 0}, money("0.000000001"), money("0"), "0.000000001"},
		{tokens{1_000_001, 0}, money("0.000000001"), money("0"), "0.000000002"},
		{tokens{0, 0}, money("1"), money("1"), "0"},
		{tokens{math.MaxInt32, math.MaxInt32}, &huge, &huge, huge.String()},
		{tokens{5, 5}, money("1"), nil, "<nil>"},
		{tokens{5, 5}, nil, money("1"), "<nil>"},
	} {
		got := "<nil>"
		if amount := cost(test.spent, test.input, test.output); amount != nil {
			got = amount.String()
		}
		if got != test.want {
			t.Errorf("%+v costs %s, want %s", test.spent, got, test.want)
		}
	}
	s := newServer(t, says("no"), says(goodSMS))
	w := New(Config{APIKey: testKey, BaseURL: s.URL + "/v1", Model: "m", Demo: true, PriceInput: money("1"), PriceOutput: money("2")})
	_, usage, err := w.WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil)
	if err != nil || usage.Model != "demo" || usage.CostUSD == nil || usage.CostUSD.String() != "0.00004" {
		t.Errorf("usage %+v, error %v; want the cost of two asks by the demo model", usage, err)
	}
}

func TestServerWithoutUsage(t *testing.T) {
	for _, usage := range []string{"", `,"usage":null`, `,"usage":{"prompt_tokens":-5,"completion_tokens":-5}`} {
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"choices":[{"message":{"role":"assistant","content":%q}}]%s}`, goodSMS, usage)
		})
		_, got, err := s.writer().WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, nil)
		if err != nil || got.InputTokens != 0 || got.OutputTokens != 0 {
			t.Errorf("usage %+v, error %v; want none counted", got, err)
		}
	}
}
