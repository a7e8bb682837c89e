package slack

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	token    = "xoxb-canary-0123456789"
	channel  = "C0123456789"
	delivery = "0192f0c0-1111-7222-8333-444455556666"
)

// message is one as the server keeps it.
type message struct {
	Timestamp string          `json:"ts"`
	Text      string          `json:"text"`
	Metadata  json.RawMessage `json:"metadata,omitempty"`
}

// server is Slack as its documentation has it. Steps are methods of the API.
type server struct {
	*conformance.Standin
	mu       sync.Mutex
	messages []message // the newest first
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return path.Base(r.URL.Path) }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "/api") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"botToken": token, "channel": channel}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.messages)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says("invalid_auth")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses: {"chat.postMessage": {Answer: says("msg_too_long " + token)}},
		conformance.RateLimits: {"chat.postMessage": {Answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(http.StatusTooManyRequests)
			fmt.Fprintf(w, `{"ok":false,"error":"ratelimited","was":%q}`, token)
		}}},
		conformance.RejectsCredentials: {"chat.postMessage": wrong, "auth.test": wrong},
		conformance.StallsBefore:       {"chat.postMessage": {Stall: true}},
		conformance.StallsAfter:        {"chat.postMessage": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"chat.postMessage": {Cut: true}},
		conformance.BreaksAfter:        {"chat.postMessage": {Obey: true, Cut: true}},
	}[b])
}

func says(problem string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"ok":false,"error":%q}`, problem) }
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := r.PostFormValue
	shown := f("token")
	if header, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		shown = header
	}
	method := r.Method + " " + r.URL.Path
	switch {
	case shown != token:
		says("invalid_auth")(w, r)
	case method == "POST /api/auth.test":
		fmt.Fprint(w, `{"ok":true,"team":"Shop","bot_id":"B1"}`)
	case f("channel") != channel:
		says("channel_not_found")(w, r)
	case method == "POST /api/chat.postMessage":
		s.post(w, r)
	case method == "POST /api/conversations.history":
		s.history(w, r)
	default:
		says("unknown_method")(w, r)
	}
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var metadata struct {
		Type    string         `json:"event_type"`
		Payload map[string]any `json:"event_payload"`
	}
	text := r.PostFormValue("text")
	switch {
	case text == "":
		says("no_text")(w, r)
	case strings.ContainsAny(text, "<>") || r.PostFormValue("mrkdwn") != "false":
		says("invalid_arguments")(w, r) // Slack would read markup
	case json.Unmarshal([]byte(r.PostFormValue("metadata")), &metadata) != nil || metadata.Type == "" || metadata.Payload == nil:
		says("invalid_metadata_format")(w, r)
	default:
		ts := fmt.Sprintf("%d.%06d", time.Now().Unix(), len(s.messages)+1)
		s.messages = append([]message{{Timestamp: ts, Text: text, Metadata: json.RawMessage(r.PostFormValue("metadata"))}}, s.messages...)
		fmt.Fprintf(w, `{"ok":true,"channel":%q,"ts":%q,"message":{"text":"x"}}`, channel, ts)
	}
}

// history leaves metadata out unless it is asked for.
func (s *server) history(w http.ResponseWriter, r *http.Request) {
	oldest, err := strconv.ParseFloat("0"+r.PostFormValue("oldest"), 64)
	limit, limitErr := strconv.Atoi(r.PostFormValue("limit"))
	if err != nil || limitErr != nil || limit > 999 {
		says("invalid_arguments")(w, r)
		return
	}
	found := []message{}
	for _, m := range s.messages {
		if at, err := strconv.ParseFloat(m.Timestamp, 64); err != nil || at <= oldest || len(found) == limit {
			continue
		}
		if r.PostFormValue("include_all_metadata") != "1" {
			m.Metadata = nil
		}
		found = append(found, m)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"ok": true, "messages": found, "has_more": false})
}

func posting(text string) fanfare.Outgoing {
	return fanfare.Outgoing{ID: delivery, Channel: fanfare.Social, Content: fanfare.Content{Social: &fanfare.SocialContent{
		Post: text, Hashtags: []string{"tea"},
	}}}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     posting("Tea <b> & cake 🎉"),
		AnswerTaken: fanfare.AnswerTaken,
		OneRequest:  true,
		RetryAfter:  7 * time.Second,
	})
}

func (s *server) open(t *testing.T) fanfare.Connection {
	t.Helper()
	connection, err := New(s.Outside()).Open(s.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func TestWhatIsPosted(t *testing.T) {
	s := newServer(t)
	id, err := s.open(t).Send(t.Context(), posting("<!channel> *Tea* & cake"))
	if err != nil || id != s.messages[0].Timestamp {
		t.Fatal(id, err)
	}
	if diff := cmp.Diff("&lt;!channel&gt; *Tea* &amp; cake\n\n#tea", s.messages[0].Text); diff != "" {
		t.Error(diff)
	}
	requests, err := s.open(t).Preview(t.Context(), posting("Tea"))
	if err != nil || len(requests) != 1 || requests[0].URL != s.URL+"/api/chat.postMessage" || !strings.Contains(requests[0].Body, "channel="+channel) {
		t.Errorf("%+v, %v", requests, err)
	}
}

func TestFate(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   fanfare.Fate
	}{
		"msg_too_long":       {says("msg_too_long"), fanfare.FateRefused},
		"not_in_channel":     {says("not_in_channel"), fanfare.FateUnauthorized},
		"token_revoked":      {says("token_revoked"), fanfare.FateUnauthorized},
		"ratelimited":        {says("ratelimited"), fanfare.FateHalted},
		"internal_error":     {says("internal_error"), fanfare.FateUnknown},
		"not listed":         {says("brand_new_error"), fanfare.FateUnknown},
		"metadata_too_large": {says("metadata_too_large"), fanfare.FateRefused},
		"a link of others":   {says("slack_connect_file_link_sharing_blocked"), fanfare.FateRefused},
		"cut short":          {says("request_timeout"), fanfare.FateHalted},
		"restricted":         {says("restricted_action_read_only_channel"), fanfare.FateUnauthorized},
		"500":                {status(500), fanfare.FateUnknown},
		"429 without a time": {status(429), fanfare.FateHalted},
		"nonsense":           {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"chat.postMessage": {Answer: test.answer}})
		if _, err := s.open(t).Send(t.Context(), posting("Tea")); fateOf(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// A good token is not all: the app has to be in the channel.
func TestOfTheChannel(t *testing.T) {
	for said, want := range map[string]fanfare.Fate{
		"channel_not_found": fanfare.FateUnauthorized, "not_in_channel": fanfare.FateUnauthorized,
		"missing_scope": "", "internal_error": fanfare.FateHalted,
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"conversations.history": {Answer: says(said)}})
		if err := s.open(t).Test(t.Context()); fateOf(err) != want || (err == nil) != (want == "") {
			t.Errorf("%s: %v, want %s", said, err, want)
		}
	}
}

// A message is found by the delivery's id, whatever its text.
func TestAsk(t *testing.T) {
	of := func(id string) json.RawMessage {
		return json.RawMessage(fmt.Sprintf(`{"event_type":%q,"event_payload":{"id":%q}}`, eventType, id))
	}
	for name, test := range map[string]struct {
		message message
		answer  http.HandlerFunc
		want    fanfare.AnswerState
		fate    fanfare.Fate
	}{
		"there":        {message: message{Timestamp: "1730615973.000100", Metadata: of(delivery)}, want: fanfare.AnswerTaken},
		"another":      {message: message{Timestamp: "1730615973.000100", Metadata: of(delivery + "1")}, want: fanfare.AnswerUnknown},
		"without":      {message: message{Timestamp: "1730615973.000100", Text: delivery}, want: fanfare.AnswerUnknown},
		"may not read": {answer: says("missing_scope"), want: fanfare.AnswerUnknown},
		"can't tell":   {answer: says("internal_error"), want: fanfare.AnswerUnknown, fate: fanfare.FateHalted},
	} {
		s := newServer(t)
		s.messages = []message{test.message}
		if test.answer != nil {
			s.Set(map[string]conformance.Act{"conversations.history": {Answer: test.answer}})
		}
		answer, err := s.open(t).Ask(t.Context(), posting("Tea"))
		if answer.State != test.want || fateOf(err) != test.fate || (answer.ProviderID != "") != (test.want == fanfare.AnswerTaken) {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for change, want := range map[string]string{
		"channel=#general": "credentials.channel", "channel=c0123456789": "credentials.channel", "channel=C012": "credentials.channel",
		"channel=D0123456789": "credentials.channel", "botToken=xoxp-canary": "credentials.botToken",
	} {
		c := fanfare.Credentials{"botToken": token, "channel": channel}
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
		refusal, ok := errors.AsType[*fanfare.Error](New(connector.Outside{}).Check(c))
		if !ok || refusal.Fields[0].Field != want {
			t.Errorf("%s: %v", change, refusal)
		}
	}
}
