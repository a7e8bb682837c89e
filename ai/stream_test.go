package ai

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

const doneEvent = "data: [DONE]\n\n"

// event is one event of a stream, from what is in its only choice.
func event(delta, finish string) string {
	return fmt.Sprintf(`data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":%s,"finish_reason":%s}],"usage":null}`+"\n\n", delta, finish)
}

// deltas are the events that bring a text, so many bytes at a time.
func deltas(text string, size int) string {
	events := event(`{"role":"assistant","content":""}`, "null")
	for _, piece := range pieces(text, size) {
		content, _ := json.Marshal(map[string]string{"content": piece})
		events += event(string(content), "null")
	}
	return events
}

// pieces cuts between characters, as JSON can hold nothing else.
func pieces(text string, size int) (cut []string) {
	runes := []rune(text)
	for from := 0; from < len(runes); from += size {
		cut = append(cut, string(runes[from:min(from+size, len(runes))]))
	}
	return cut
}

func usageEvent(input, output int) string {
	return fmt.Sprintf("data: {\"choices\":[],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d}}\n\n", input, output)
}

// whole is a whole stream, as OpenAI sends it.
func whole(text string) string {
	return deltas(text, 3) + event("{}", `"stop"`) + usageEvent(10, 5) + doneEvent
}

// sends answers with a stream of these bytes, flushed so many at a time.
func sends(stream string, size int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for ; stream != ""; stream = stream[min(size, len(stream)):] {
			_, _ = io.WriteString(w, stream[:min(size, len(stream))])
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// always makes a handler of sends usable more than once.
func always(stream string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { sends(stream, 1<<20)(w, r) }
}

func writeSMS(t *testing.T, w *Writer, sink fanfare.TextSink) (fanfare.ChannelContent, fanfare.Usage, error) {
	t.Helper()
	return w.WriteContent(t.Context(), fanfare.SMS, sneakers, fanfare.Intent{}, sink)
}

func TestStreamsAreRead(t *testing.T) {
	const half = `{"text":"Vegan sneakers, `
	rest, _ := strings.CutPrefix(goodSMS, half)
	stop := event("{}", `"stop"`)
	for name, test := range map[string]struct {
		stream string
		usage  fanfare.Usage
	}{
		"as OpenAI's":          {whole(goodSMS), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"no DONE":              {deltas(goodSMS, 3) + stop, fanfare.Usage{}},
		"no DONE but usage":    {deltas(goodSMS, 3) + stop + usageEvent(10, 5), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"no finish but DONE":   {deltas(goodSMS, 3) + doneEvent, fanfare.Usage{}},
		"no last line break":   {deltas(goodSMS, 3) + strings.TrimSpace(stop), fanfare.Usage{}},
		"finish with the text": {event(fmt.Sprintf(`{"content":%q}`, goodSMS), `"stop"`), fanfare.Usage{}},
		"garbage behind it":    {deltas(goodSMS, 3) + stop + "data: nonsense\n\n", fanfare.Usage{}},
		"usage in every chunk": {usageEvent(1, 1) + deltas(half, 3) + usageEvent(9, 2) + deltas(rest, 3) + usageEvent(10, 7) + stop + doneEvent, fanfare.Usage{InputTokens: 10, OutputTokens: 7}},
		"negative usage":       {deltas(goodSMS, 3) + stop + usageEvent(-3, -3) + doneEvent, fanfare.Usage{}},
		"CRLF":                 {strings.ReplaceAll(whole(goodSMS), "\n", "\r\n"), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"no space":             {strings.ReplaceAll(whole(goodSMS), "data: ", "data:"), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"one line break":       {strings.ReplaceAll(whole(goodSMS), "\n\n", "\n"), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"keep-alives":          {strings.Repeat(": PROCESSING\n\n", 1000) + whole(goodSMS), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"other fields":         {strings.ReplaceAll(whole(goodSMS), "data: ", "id: 7\nevent: chunk\nretry: 1\ndatax: {\ndata: "), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"data in two lines":    {strings.ReplaceAll(whole(goodSMS), `,"choices"`, ",\ndata: \"choices\""), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"errors that are null": {strings.ReplaceAll(whole(goodSMS), `"choices"`, `"error":null,"choices"`), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"a second choice":      {strings.ReplaceAll(whole(goodSMS), `"choices":[{`, `"choices":[{"index":1,"delta":{"content":"no","refusal":"no"}},{`), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"thoughts":             {event(`{"reasoning_content":"{\"text\":\"no\"}"}`, "null") + whole(goodSMS), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
		"nothing in between":   {strings.ReplaceAll(whole(goodSMS), "data: {", "data: {\"choices\":[]}\n\ndata: {"), fanfare.Usage{InputTokens: 10, OutputTokens: 5}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 7, 1 << 20} {
				s := newServer(t, sends(test.stream, size))
				var sink ear
				content, usage, err := writeSMS(t, s.writer(), &sink)
				if err != nil {
					t.Fatalf("in chunks of %d bytes: %v", size, err)
				}
				test.usage.Model = "test-model"
				want := []any{&fanfare.SMSContent{Text: "Vegan sneakers, 20% off until Sunday."}, test.usage, 1}
				if diff := cmp.Diff(want, []any{content, usage, len(s.requests())}); diff != "" {
					t.Errorf("in chunks of %d bytes (-want +got):\n%s", size, diff)
				}
				if got := sink.sum("text"); got != "Vegan sneakers, 20% off until Sunday." {
					t.Errorf("in chunks of %d bytes it was heard as %q", size, got)
				}
			}
		})
	}
}

// TestCharactersCutBetweenChunks: a server written in JavaScript cuts between
// the halves of a surrogate pair, others between the bytes of a character.
func TestCharactersCutBetweenChunks(t *testing.T) {
	for _, test := range []struct{ first, second, want string }{
		{`\ud83c`, `\udf89`, "🎉"},
		{"\xf0\x9f", "\x8e\x89", "🎉"},
		{`\\ud8`, `3c\\udf89`, "🎉"},
	} {
		stream := event(`{"content":"{\"text\":\"a`+test.first+`"}`, "null") + event(`{"content":"`+test.second+`b\"}"}`, "null") +
			event("{}", `"stop"`)
		var sink ear
		content, _, err := writeSMS(t, newServer(t, always(stream)).writer(), &sink)
		if err != nil {
			t.Fatalf("%q: %v", test.first, err)
		}
		if text := content.(*fanfare.SMSContent).Text; text != "a"+test.want+"b" || sink.sum("text") != text {
			t.Errorf("%q is %q, heard as %q", test.first, text, sink.sum("text"))
		}
	}
	broken := newServer(t, always(event(`{"content":"{\"text\":\"a\ud83cb\"}"}`, `"stop"`)), always(event(`{"content":"{\"text\":\"\ud83c"}`, `"stop"`)), says(goodSMS))
	if _, _, err := writeSMS(t, broken.writer(), nil); err != nil || len(broken.requests()) != 3 {
		t.Errorf("error %v after %d requests; want half a character asked for again", err, len(broken.requests()))
	}
}

// TestStreamThatBreaksOff breaks a stream off behind each of its bytes, by a
// clean end of the body and by a cut connection. Half an answer is never used,
// not even where it happens to be a whole object.
func TestStreamThatBreaksOff(t *testing.T) {
	finish := deltas(goodSMS, 9) + event("{}", `"stop"`)
	enough := len(strings.TrimSpace(finish))
	stream := finish + usageEvent(10, 5) + doneEvent
	var at atomic.Int64
	var cut atomic.Bool
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		always(stream[:at.Load()])(w, r)
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
	})
	w := s.writer()
	for i := range 2 * len(stream) {
		at.Store(int64(i / 2))
		cut.Store(i%2 == 1)
		content, _, err := writeSMS(t, w, nil)
		if broken := i/2 < enough; broken != (fanfare.ErrorCode(err) == fanfare.CodeAIUnavailable && content == nil) || !broken && err != nil {
			t.Fatalf("broken off at %d of %d, by a cut: %t: content %v, error %v", i/2, enough, cut.Load(), content, err)
		}
	}
	if asked := len(s.requests()); asked != 2*len(stream) {
		t.Errorf("%d requests for %d writings, want no answer asked for again", asked, 2*len(stream))
	}
}

func TestUsageOfAStreamThatBreaksOffCounts(t *testing.T) {
	s := newServer(t, always(usageEvent(10, 5)+deltas(goodSMS, 3)))
	_, usage, err := writeSMS(t, s.writer(), nil)
	if fanfare.ErrorCode(err) != fanfare.CodeAIUnavailable || usage.InputTokens != 10 || usage.OutputTokens != 5 {
		t.Errorf("usage %+v, error %v; want what the provider counted", usage, err)
	}
}

// TestStreamsThatFail gives each failure behind half an answer, and alone.
func TestStreamsThatFail(t *testing.T) {
	failure := func(object string) string { return "event: error\ndata: {\"error\":" + object + "}\n\n" }
	for _, test := range []struct{ name, stream, code, says string }{
		{"rate limit", failure(`{"message":"` + testKey + `","type":"requests","code":"rate_limit_exceeded"}`), fanfare.CodeAIRateLimited, "limits how often"},
		{"rate limit by type", failure(`{"message":"","type":"rate_limit_error","code":null}`), fanfare.CodeAIRateLimited, "limits how often"},
		{"rate limit by number", failure(`{"message":"","code":429}`), fanfare.CodeAIRateLimited, "limits how often"},
		{"quota", failure(`{"message":"","code":"insufficient_quota"}`), fanfare.CodeAIRateLimited, "quota"},
		{"filter", failure(`{"code":"content_filter"}`), fanfare.CodeAIRefused, ""},
		{"server", failure(`{"message":"` + testKey + `","type":"server_error","code":null}`), fanfare.CodeAIUnavailable, "in trouble"},
		{"number in quotes", failure(`{"message":"","code":"401"}`), fanfare.CodeAIUnavailable, "OPENAI_API_KEY"},
		{"status", failure(`{"message":"","code":"nonsense","status":404}`), fanfare.CodeAIUnavailable, "OPENAI_MODEL"},
		{"odd number", failure(`{"code":7}`), fanfare.CodeAIUnavailable, "in trouble"},
		{"model", failure(`{"code":"model_not_found"}`), fanfare.CodeAIUnavailable, "OPENAI_MODEL"},
		{"key", failure(`{"code":"invalid_api_key"}`), fanfare.CodeAIUnavailable, "OPENAI_API_KEY"},
		{"request", failure(`{"type":"invalid_request_error","message":"stream response_format"}`), fanfare.CodeAIUnavailable, "HTTP 400"},
		{"sentence", failure(`"` + testKey + `"`), fanfare.CodeAIUnavailable, "in trouble"},
		{"list", failure(`[]`), fanfare.CodeAIUnavailable, "in trouble"},
		{"beside choices", `data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"error":{"code":502,"message":"x"}}` + "\n\n", fanfare.CodeAIUnavailable, "in trouble"},
		{"behind the finish", event("{}", `"stop"`) + failure(`{"code":429}`), fanfare.CodeAIRateLimited, ""},
		{"refusal", event(`{"refusal":"I can"}`, "null") + event(`{"refusal":"'t"}`, "null") + event("{}", `"stop"`) + doneEvent, fanfare.CodeAIRefused, ""},
		{"filter at the end", event("{}", `"content_filter"`) + doneEvent, fanfare.CodeAIRefused, ""},
		{"truncated", event("{}", `"length"`) + doneEvent, fanfare.CodeAIInvalidOutput, "cut off"},
		{"no JSON", "data: <html>\n\n", fanfare.CodeAIInvalidOutput, "OPENAI_BASE_URL"},
		{"wrong types", "data: {\"choices\":5}\n\n", fanfare.CodeAIInvalidOutput, "OPENAI_BASE_URL"},
		{"nothing", "", fanfare.CodeAIUnavailable, "broke off"},
		{"comments only", ": hello\n\n", fanfare.CodeAIUnavailable, "broke off"},
	} {
		for _, before := range []string{"", deltas(goodSMS, 3)} {
			s := newServer(t, always(before+test.stream))
			content, _, err := writeSMS(t, s.writer(), nil)
			e, ok := errors.AsType[*fanfare.Error](err)
			if !ok || e.Code != test.code || !strings.Contains(e.Message, test.says) || content != nil {
				t.Errorf("%s: content %v, error %v, want %s with %q", test.name, content, err, test.code, test.says)
				continue
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", err, e.Cause), testKey) {
				t.Errorf("%s: the error quotes the provider's: %v", test.name, err)
			}
			if n := len(s.requests()); n != 1 && test.code != fanfare.CodeAIInvalidOutput {
				t.Errorf("%s: %d requests, want 1", test.name, n)
			}
		}
	}
}

func TestErrorInAPlainAnswer(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"error":{"code":429}}`) })
	if _, _, err := writeSMS(t, s.writer(), nil); fanfare.ErrorCode(err) != fanfare.CodeAIRateLimited {
		t.Errorf("error %v, want %s", err, fanfare.CodeAIRateLimited)
	}
}

// TestStalledStreamTimesOut: AI_TIMEOUT bounds the whole call, so a server that
// keeps a stream alive and never ends it gains nothing.
func TestStalledStreamTimesOut(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{
		"silent": func(w http.ResponseWriter, r *http.Request) {
			always(deltas(goodSMS, 3))(w, r)
			<-r.Context().Done()
		},
		"alive": func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				always(event(`{"content":" "}`, "null"))(w, r)
				runtime.Gosched()
			}
		},
	} {
		s := newServer(t, reply)
		w := New(Config{APIKey: testKey, BaseURL: s.URL + "/v1", Model: "m", Timeout: 50 * time.Millisecond})
		content, _, err := writeSMS(t, w, nil)
		if fanfare.ErrorCode(err) != fanfare.CodeAITimeout || content != nil {
			t.Errorf("%s: content %v, error %v, want %s", name, content, err, fanfare.CodeAITimeout)
		}
	}
}

func TestHugeStreamIsNotRead(t *testing.T) {
	line := strings.Repeat("a", 1<<16)
	for name, block := range map[string]string{
		"one line":  line,
		"comments":  ": " + line + "\n",
		"one event": "data: " + line + "\n",
		"deltas":    event(`{"content":"`+line+`"}`, "null"),
	} {
		sent, done := 0, make(chan struct{})
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			defer close(done)
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: {\"x\":\"\n")
			if name != "one event" {
				_, _ = io.WriteString(w, "data: \"}\ndata: ")
			}
			for sent = 0; sent < 1000; sent++ {
				if _, err := io.WriteString(w, block); err != nil {
					return
				}
			}
		})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := writeSMS(t, s.writer(), &ear{})
		runtime.ReadMemStats(&after)
		if fanfare.ErrorCode(err) != fanfare.CodeAIInvalidOutput {
			t.Errorf("%s: error %v, want %s", name, err, fanfare.CodeAIInvalidOutput)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 80<<20 {
			t.Errorf("%s: reading it allocated %d MiB", name, grown>>20)
		}
		if <-done; sent == 1000 {
			t.Errorf("%s: all of it was read", name)
		}
	}
}

func TestCancelCutsTheStream(t *testing.T) {
	stopped := errors.New("stopped by a person")
	released := make(chan struct{})
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		always(deltas(`{"text":"Vegan`, 3))(w, r)
		<-r.Context().Done()
		close(released)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	sink := &ear{onAppend: func() { cancel(stopped) }}
	content, _, err := s.writer().WriteContent(ctx, fanfare.SMS, sneakers, fanfare.Intent{}, sink)
	if !errors.Is(err, stopped) || content != nil {
		t.Errorf("content %v, error %v, want the cause of the caller's cancellation", content, err)
	}
	<-released
}

// TestServerThatCannotStream learns step by step what a server takes, and
// remembers it.
func TestServerThatCannotStream(t *testing.T) {
	const usage, plain, none = "stream+usage", "stream", "none"
	for _, status := range []int{400, 422, 501} {
		for _, test := range []struct {
			takes string
			want  []string // of two writings
		}{
			{usage, []string{usage, usage}},
			{plain, []string{usage, plain, plain}},
			{none, []string{usage, plain, none, none}},
		} {
			var s *server
			s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
				asked := s.requests()
				switch got := streaming(asked[len(asked)-1]); {
				case got == none:
					says(goodSMS)(w, r)
				case got == test.takes || got == plain && test.takes == usage:
					always(whole(goodSMS))(w, r)
				case got == usage && test.takes == plain:
					fails(status, "", "Unknown parameter: 'stream_options'.")(w, r)
				default:
					fails(status, "", "Streaming is not supported")(w, r)
				}
			})
			w := s.writer()
			var sink ear
			for range 2 {
				if _, _, err := writeSMS(t, w, &sink); err != nil {
					t.Fatalf("%d, takes %s: %v", status, test.takes, err)
				}
			}
			var got []string
			for _, asked := range s.requests() {
				got = append(got, streaming(asked))
				if asked.ResponseFormat.Type != "json_schema" || asked.MaxCompletionTokens == 0 {
					t.Errorf("%d, takes %s: asked with less than it takes: %+v", status, test.takes, asked)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("%d, takes %s (-want +got):\n%s", status, test.takes, diff)
			}
			if sink.restarts != len(got) {
				t.Errorf("%d, takes %s: %d restarts for %d requests", status, test.takes, sink.restarts, len(got))
			}
		}
	}
}

// TestRefusalThatIsNotOfStreams speaks of something upstream, once.
func TestRefusalThatIsNotOfStreams(t *testing.T) {
	for _, message := range []string{"upstream connect error", "Upstream_error: bitstreams", "the downstream streamer"} {
		s := newServer(t, fails(400, "", message), always(whole(goodSMS)))
		w := s.writer()
		if _, _, err := writeSMS(t, w, nil); fanfare.ErrorCode(err) != fanfare.CodeAIUnavailable || len(s.requests()) != 1 {
			t.Errorf("%q: error %v after %d requests, want one that failed", message, err, len(s.requests()))
		}
	}
}

// TestLessIsKeptOnlyWhereItHelped: a refusal may quote what it does not mean.
func TestLessIsKeptOnlyWhereItHelped(t *testing.T) {
	all := fails(400, "", "I do not like json_schema, max_completion_tokens and stream")
	s := newServer(t, all, all, all, all, all, all, fails(400, "", "no stream_options"), always(whole(goodSMS)))
	var logged bytes.Buffer
	w := New(Config{APIKey: testKey, BaseURL: s.URL + "/v1", Model: "m", Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	if _, _, err := writeSMS(t, w, nil); fanfare.ErrorCode(err) != fanfare.CodeAIUnavailable || len(s.requests()) != 6 {
		t.Fatalf("error %v after %d requests, want each way to ask with less tried", err, len(s.requests()))
	}
	for range 2 {
		if _, _, err := writeSMS(t, w, nil); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, asked := range s.requests()[6:] {
		got = append(got, asked.ResponseFormat.Type+" "+streaming(asked))
		if asked.MaxCompletionTokens == 0 {
			t.Error("asked without a limit, which only a call that failed had left out")
		}
	}
	if diff := cmp.Diff([]string{"json_schema stream+usage", "json_schema stream", "json_schema stream"}, got); diff != "" {
		t.Errorf("after it (-want +got):\n%s", diff)
	}
	if n := strings.Count(logged.String(), "level=WARN"); n != 6 || !strings.Contains(logged.String(), "without=stream") {
		t.Errorf("%d warnings, want one for each step down:\n%s", n, &logged)
	}
}

func streaming(q chatRequest) string {
	switch {
	case q.Stream && q.StreamOptions != nil && q.StreamOptions.IncludeUsage:
		return "stream+usage"
	case q.Stream && q.StreamOptions == nil:
		return "stream"
	case q.Stream || q.StreamOptions != nil:
		return "neither fish nor fowl"
	default:
		return "none"
	}
}

func TestServerThatTakesNothing(t *testing.T) {
	s := newServer(t, fails(400, "", "no json_schema, no max_completion_tokens, no stream"))
	if _, _, err := writeSMS(t, s.writer(), nil); fanfare.ErrorCode(err) != fanfare.CodeAIUnavailable {
		t.Errorf("error %v, want %s", err, fanfare.CodeAIUnavailable)
	}
	if n := len(s.requests()); n != 6 {
		t.Errorf("%d requests, want 6: each way to ask with less, once", n)
	}
}

// TestStreamOfAnotherType: a server may forget the type of what it sends.
func TestStreamOfAnotherType(t *testing.T) {
	s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprint(w, whole(goodSMS))
	})
	if _, _, err := writeSMS(t, s.writer(), nil); err != nil {
		t.Error(err)
	}
}

func TestConnectionIsUsedAgain(t *testing.T) {
	for name, reply := range map[string]http.HandlerFunc{"stream": always(whole(goodSMS)), "plain": says(goodSMS)} {
		var opened atomic.Int64
		s := &server{replies: []http.HandlerFunc{reply}}
		s.Server = newCountingServer(t, s, &opened)
		w := s.writer()
		for range 5 {
			if _, _, err := writeSMS(t, w, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := opened.Load(); n != 1 {
			t.Errorf("%s: 5 calls took %d connections, want 1", name, n)
		}
	}
}

// TestStreamThatIsHeldOpen has an answer, so it does not matter that the server
// forgets to end it; waiting for the call's time to end would take an hour.
func TestStreamThatIsHeldOpen(t *testing.T) {
	released := make(chan struct{})
	s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
		always(whole(goodSMS))(w, r)
		<-r.Context().Done()
		close(released)
	})
	w := New(Config{APIKey: testKey, BaseURL: s.URL + "/v1", Model: "m", Timeout: time.Hour})
	if _, _, err := writeSMS(t, w, nil); err != nil {
		t.Error(err)
	}
	<-released
}

// TestStreamsAreConcurrent is for the race detector, while the writer learns.
func TestStreamsAreConcurrent(t *testing.T) {
	s := newServer(t, fails(400, "", "stream_options"), fails(400, "", "stream_options"), always(whole(goodSMS)))
	w := s.writer()
	var sink ear
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, _, err := writeSMS(t, w, &sink); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestBriefIsReadFromAStream(t *testing.T) {
	s := newServer(t, always(whole(`{"goal":"Sell","channels":["sms"],"keyMessage":"k","callToAction":"c","audience":"","budget":5,"schedule":""}`)))
	intent, usage, err := s.writer().ReadBrief(t.Context(), sneakers)
	if err != nil || intent.Goal != "Sell" || usage.InputTokens != 10 || usage.OutputTokens != 5 {
		t.Errorf("intent %+v, usage %+v, error %v", intent, usage, err)
	}
}

// newCountingServer counts the connections that are opened.
func newCountingServer(t *testing.T, handler http.Handler, opened *atomic.Int64) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}
