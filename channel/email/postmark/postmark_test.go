package postmark

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	token     = "canary00-1111-2222-3333-444455556666"
	delivery  = "0192f0c0-1111-7222-8333-444455556666"
	recipient = "Canary.Recipient@example.org"
)

// server is Postmark as its documentation has it. Steps are methods and paths.
type server struct {
	*conformance.Standin
	mu      sync.Mutex
	letters []letter
	unknown int // how many searches don't find what was taken
	stream  string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{stream: `{"ID":"broadcast","MessageStreamType":"Broadcasts","ArchivedAt":null}`}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method + " " + r.URL.Path }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"serverToken": token, "from": "Straße <me@example.com>"}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.letters)
}

func (s *server) Behave(b conformance.Behaviour) {
	const send = "POST /email"
	wrong := conformance.Act{Answer: says(http.StatusUnauthorized, 10, "")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {send: {Answer: says(http.StatusUnprocessableEntity, 406, "")}},
		conformance.RateLimits:         {send: {Answer: says(http.StatusTooManyRequests, 429, "")}},
		conformance.RejectsCredentials: {send: wrong, "GET /server": wrong},
		conformance.StallsBefore:       {send: {Stall: true}},
		conformance.StallsAfter:        {send: {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {send: {Cut: true}},
		conformance.BreaksAfter:        {send: {Obey: true, Cut: true}},
	}[b])
}

// says quotes all that it was shown.
func says(status, code int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var shown struct{ To string }
		_ = json.NewDecoder(r.Body).Decode(&shown)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"ErrorCode": code, "Message": message + " no\n" + r.Header.Get("X-Postmark-Server-Token") + shown.To,
		})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("X-Postmark-Server-Token") != token:
		says(http.StatusUnauthorized, 10, "")(w, r)
	case r.Header.Get("Accept") != "application/json":
		says(http.StatusNotAcceptable, 0, "")(w, r)
	case r.Method+r.URL.Path == "GET/server":
		fmt.Fprint(w, `{"ID":1,"Name":"Shop","DeliveryType":"Live"}`)
	case r.Method+r.URL.Path == "GET/message-streams/broadcast":
		fmt.Fprint(w, s.stream)
	case r.Method+r.URL.Path == "POST/email":
		s.send(w, r)
	case r.Method+r.URL.Path == "GET/messages/outbound":
		s.search(w, r)
	default:
		says(http.StatusNotFound, 0, "")(w, r)
	}
}

func (s *server) send(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var l letter
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	switch err := decoder.Decode(&l); {
	case r.Header.Get("Content-Type") != "application/json", err != nil:
		says(http.StatusUnprocessableEntity, 402, fmt.Sprint(err))(w, r)
	case l.To == "" || l.TextBody == "" || l.HTMLBody == "":
		says(http.StatusUnprocessableEntity, 300, "")(w, r)
	case !strings.HasSuffix(l.From, "<me@example.com>"):
		says(http.StatusUnprocessableEntity, 400, "")(w, r)
	case l.MessageStream != "broadcast":
		says(http.StatusUnprocessableEntity, 1235, "")(w, r)
	default:
		s.letters = append(s.letters, l)
		fmt.Fprintf(w, `{"To":%q,"SubmittedAt":"2026-11-23T03:00:00Z","MessageID":"p-%d","ErrorCode":0,"Message":"OK"}`, l.To, len(s.letters))
	}
}

// search looks into the stream "outbound" unless it is told another.
func (s *server) search(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := r.URL.Query()
	type message struct {
		MessageID string
		Metadata  map[string]string
	}
	found := []message{}
	for i, l := range s.letters {
		if l.MessageStream == q.Get("messagestream") && l.Metadata[metadata] == q.Get("metadata_"+metadata) && s.unknown <= 0 {
			found = append(found, message{fmt.Sprintf("p-%d", i+1), l.Metadata})
		}
	}
	s.unknown--
	if q.Get("count") == "" || q.Get("offset") == "" {
		says(http.StatusUnprocessableEntity, 700, "")(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"TotalCount": len(found), "Messages": found})
}

func outgoing() fanfare.Outgoing {
	return fanfare.Outgoing{
		ID: delivery, Channel: fanfare.Email, Recipient: recipient, UnsubscribeURL: "https://fanfare.example.com/u/abc",
		Content: fanfare.Content{Email: &fanfare.EmailContent{Subject: "Tea & 🎉", Preview: "What it is about", Body: "<p>Hello</p>"}},
	}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     outgoing(),
		AnswerTaken: fanfare.AnswerTaken,
		OneRequest:  true,
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

func fateOf(err error) fanfare.Fate {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e.Fate
	}
	return "sent"
}

func TestWhatIsSent(t *testing.T) {
	s := newServer(t)
	m := outgoing()
	m.Test = true
	if id, err := s.open(t).Send(t.Context(), m); id != "p-1" || err != nil {
		t.Fatal(id, err)
	}
	got := s.letters[0]
	for _, part := range []string{got.HTMLBody, got.TextBody} {
		if !strings.Contains(part, "Hello") || !strings.Contains(part, m.UnsubscribeURL) {
			t.Error(part)
		}
	}
	got.HTMLBody, got.TextBody = "", ""
	want := letter{
		From: `"Straße" <me@example.com>`, To: recipient, Subject: "[Test] Tea & 🎉", MessageStream: "broadcast",
		Metadata: map[string]string{"delivery": delivery}, TrackLinks: "None",
		Headers: []header{
			{"Auto-Submitted", "auto-generated"}, {"List-Unsubscribe", "<https://fanfare.example.com/u/abc>"},
			{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"}, {"Precedence", "bulk"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A refusal is of one recipient, of the sender and so of all, or of the moment.
func TestFate(t *testing.T) {
	for _, test := range []struct {
		status, code int
		message      string
		want         fanfare.Fate
	}{
		{422, 300, "Invalid 'To' address", fanfare.FateRefused}, {422, 300, "Invalid 'From' address", fanfare.FateUnauthorized},
		{422, 406, "Inactive recipient", fanfare.FateRefused}, {422, 402, "Invalid JSON", fanfare.FateRefused}, {413, 0, "Too large", fanfare.FateRefused},
		{422, 400, "No sender", fanfare.FateUnauthorized}, {422, 401, "Not confirmed", fanfare.FateUnauthorized},
		{422, 405, "No credit", fanfare.FateUnauthorized}, {422, 412, "Pending", fanfare.FateUnauthorized}, {422, 413, "May not", fanfare.FateUnauthorized},
		{422, 1235, "No stream", fanfare.FateUnauthorized}, {401, 10, "Token", fanfare.FateUnauthorized},
		{429, 429, "Slow", fanfare.FateHalted}, {503, 100, "Maintenance", fanfare.FateHalted},
		{500, 0, "Broken", fanfare.FateUnknown}, {503, 0, "Broken", fanfare.FateUnknown}, {200, 0, "No id", fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"POST /email": {Answer: says(test.status, test.code, test.message)}})
		id, err := s.open(t).Send(t.Context(), outgoing())
		if fateOf(err) != test.want || id != "" {
			t.Errorf("%d %d: %v, want %s", test.status, test.code, err, test.want)
		}
		if strings.Contains(strings.ToLower(err.Error()), "canary") {
			t.Errorf("the recipient gets into the log: %v", err)
		}
	}
}

// The search lags behind; what it does not find in two looks is unknown.
func TestAsk(t *testing.T) {
	for unknown, want := range map[int]fanfare.AnswerState{0: fanfare.AnswerTaken, 1: fanfare.AnswerTaken, 2: fanfare.AnswerUnknown} {
		s := newServer(t)
		c := s.open(t)
		if _, err := c.Send(t.Context(), outgoing()); err != nil {
			t.Fatal(err)
		}
		s.unknown = unknown
		if answer, err := c.Ask(t.Context(), outgoing()); err != nil || answer.State != want || (answer.ProviderID == "p-1") != (want == fanfare.AnswerTaken) {
			t.Errorf("behind by %d: %+v, %v", unknown, answer, err)
		}
	}
	s := newServer(t)
	s.Set(map[string]conformance.Act{"GET /messages/outbound": {Answer: says(http.StatusInternalServerError, 0, "")}})
	if answer, err := s.open(t).Ask(t.Context(), outgoing()); fateOf(err) != fanfare.FateHalted || answer.State != fanfare.AnswerUnknown {
		t.Errorf("%+v, %v", answer, err)
	}
}

// A search that does not know the parameter finds any message.
func TestAskIsNotMisled(t *testing.T) {
	s := newServer(t)
	s.Set(map[string]conformance.Act{"GET /messages/outbound": {Answer: func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"TotalCount":9,"Messages":[{"MessageID":"p-9","Metadata":{"delivery":"another"}}]}`)
	}}})
	if answer, err := s.open(t).Ask(t.Context(), outgoing()); err != nil || answer.State != fanfare.AnswerUnknown {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestStream(t *testing.T) {
	for _, test := range []struct {
		stream string
		answer http.HandlerFunc
		want   fanfare.Fate
		says   string
	}{
		{stream: `{"MessageStreamType":"Transactional"}`, want: "sent"},
		{stream: `{"MessageStreamType":"Inbound"}`, want: fanfare.FateUnauthorized, says: "nothing is sent by"},
		{stream: `{"MessageStreamType":"Broadcasts","ArchivedAt":"2026-01-01T00:00:00Z"}`, want: fanfare.FateUnauthorized, says: "archived"},
		{answer: says(404, 0, ""), want: fanfare.FateUnauthorized, says: "no stream broadcast"},
		{answer: says(422, 1226, ""), want: fanfare.FateUnauthorized, says: "no stream broadcast"},
		{answer: says(500, 0, ""), want: fanfare.FateHalted, says: "500"},
	} {
		s := newServer(t)
		s.stream = test.stream
		if test.answer != nil {
			s.Set(map[string]conformance.Act{"GET /message-streams/broadcast": {Answer: test.answer}})
		}
		if err := s.open(t).Test(t.Context()); fateOf(err) != test.want || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for change, want := range map[string]string{
		"serverToken=POSTMARK_API_TEST": "credentials.serverToken", "from=canary": "credentials.from",
		"messageStream=../server": "credentials.messageStream", "messageStream=" + strings.Repeat("x", 31): "credentials.messageStream",
	} {
		c := fanfare.Credentials{"serverToken": token, "from": "me@example.com"}
		field, value, _ := strings.Cut(change, "=")
		c[field] = value
		refusal, ok := errors.AsType[*fanfare.Error](New(connector.Outside{}).Check(c))
		if !ok || refusal.Fields[0].Field != want {
			t.Errorf("%s: %v", change, refusal)
		}
	}
}
