package resend

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	key       = "re_canary_0123456789"
	recipient = "Canary.Recipient@example.org"
	send      = "POST /emails"
	domains   = "GET /domains"
)

// server is Resend as its documentation has it. Steps are methods and paths.
type server struct {
	*conformance.Standin
	mu      sync.Mutex
	letters []letter
	known   map[string]string // the bodies, by key
	domains string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{known: map[string]string{}, domains: `{"data":[{"name":"example.com","status":"verified"}]}`}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method + " " + r.URL.Path }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"apiKey": key, "from": "Straße <me@example.com>"}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.letters)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(http.StatusForbidden, "invalid_api_key")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses: {send: {Answer: says(http.StatusUnprocessableEntity, "validation_error")}},
		conformance.RateLimits: {send: {Answer: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("ratelimit-reset", "7")
			says(http.StatusTooManyRequests, "rate_limit_exceeded")(w, r)
		}}},
		conformance.RejectsCredentials: {send: wrong, domains: wrong},
		conformance.StallsBefore:       {send: {Stall: true}},
		conformance.StallsAfter:        {send: {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {send: {Cut: true}},
		conformance.BreaksAfter:        {send: {Obey: true, Cut: true}},
	}[b])
}

// says quotes all that it was shown.
func says(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var shown letter
		_ = json.NewDecoder(r.Body).Decode(&shown)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"statusCode": status, "name": code, "message": fmt.Sprint("no\n", r.Header.Get("Authorization"), shown.To),
		})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "Bearer "+key:
		says(http.StatusForbidden, "invalid_api_key")(w, r)
	case r.Method+r.URL.Path == "GET/domains":
		fmt.Fprint(w, s.domains)
	case r.Method+r.URL.Path == "POST/emails":
		s.send(w, r)
	default:
		says(http.StatusNotFound, "not_found")(w, r)
	}
}

// send takes a message under a key once, and answers the same ever after.
func (s *server) send(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var l letter
	key := r.Header.Get("Idempotency-Key")
	earlier, known := s.known[key]
	switch {
	case err != nil || json.Unmarshal(body, &l) != nil || len(l.To) != 1 || l.HTML == "" || l.Text == "":
		says(http.StatusUnprocessableEntity, "validation_error")(w, r)
		return
	case key == "" || len(key) > 256:
		says(http.StatusBadRequest, "invalid_idempotency_key")(w, r)
		return
	case known && earlier != string(body):
		says(http.StatusConflict, otherwise)(w, r)
		return
	case !known:
		s.known[key] = string(body)
		s.letters = append(s.letters, l)
	}
	fmt.Fprintf(w, `{"id":"re-%s"}`, key)
}

// planned is a delivery's id, of that long ago.
func planned(t *testing.T, ago time.Duration) string {
	t.Helper()
	id, err := uuid.NewV7AtTime(time.Now().Add(-ago))
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

func outgoing(id string) fanfare.Outgoing {
	return fanfare.Outgoing{
		ID: id, Channel: fanfare.Email, Recipient: recipient, UnsubscribeURL: "https://fanfare.example.com/u/abc",
		Content: fanfare.Content{Email: &fanfare.EmailContent{Subject: "Tea & 🎉", Preview: "What it is about", Body: "<p>Hello</p>"}},
	}
}

func TestConformance(t *testing.T) {
	for age, want := range map[time.Duration]fanfare.AnswerState{0: fanfare.AnswerRepeat, 24 * time.Hour: fanfare.AnswerUnknown} {
		t.Run(age.String(), func(t *testing.T) {
			conformance.Run(t, conformance.Case{
				New:           func(o connector.Outside) connector.Connector { return New(o) },
				Peer:          func(t *testing.T) conformance.Peer { return newServer(t) },
				Message:       outgoing(planned(t, age)),
				AnswerTaken:   want,
				AnswerNothing: want,
				OneRequest:    true,
				RetryAfter:    7 * time.Second,
			})
		})
	}
}

func (s *server) open(t *testing.T, changes ...string) fanfare.Connection {
	t.Helper()
	c := s.Credentials()
	for _, change := range changes {
		field, value, _ := strings.Cut(change, "=")
		c[field] = value
	}
	connection, err := New(s.Outside()).Open(c)
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
	m := outgoing(planned(t, 0))
	m.Test = true
	if id, err := s.open(t).Send(t.Context(), m); id != "re-"+m.ID || err != nil {
		t.Fatal(id, err)
	}
	got := s.letters[0]
	for _, part := range []string{got.HTML, got.Text} {
		if !strings.Contains(part, "Hello") || !strings.Contains(part, m.UnsubscribeURL) {
			t.Error(part)
		}
	}
	got.HTML, got.Text = "", ""
	want := letter{
		From: `"Straße" <me@example.com>`, To: []string{recipient}, Subject: "[Test] Tea & 🎉",
		Headers: map[string]string{
			"Auto-Submitted": "auto-generated", "Precedence": "bulk",
			"List-Unsubscribe": "<https://fanfare.example.com/u/abc>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A refusal is of one message, of the account and so of all, or of the moment.
func TestFate(t *testing.T) {
	for _, test := range []struct {
		status int
		code   string
		want   fanfare.Fate
	}{
		{400, "validation_error", fanfare.FateRefused}, {400, "invalid_idempotency_key", fanfare.FateRefused},
		{422, "missing_required_field", fanfare.FateRefused}, {451, "security_error", fanfare.FateRefused},
		{422, "invalid_from_address", fanfare.FateUnauthorized}, {401, "missing_api_key", fanfare.FateUnauthorized},
		{403, "invalid_api_key", fanfare.FateUnauthorized}, {403, "validation_error", fanfare.FateUnauthorized},
		{409, concurrent, fanfare.FateUnknown}, {409, otherwise, fanfare.FateUnknown},
		{429, "rate_limit_exceeded", fanfare.FateHalted}, {429, "daily_quota_exceeded", fanfare.FateHalted},
		{500, "application_error", fanfare.FateUnknown}, {200, "no id", fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{send: {Answer: says(test.status, test.code)}})
		id, err := s.open(t).Send(t.Context(), outgoing(planned(t, 0)))
		if fateOf(err) != test.want || id != "" {
			t.Errorf("%d %s: %v, want %s", test.status, test.code, err, test.want)
		}
		if strings.Contains(strings.ToLower(err.Error()), "canary") {
			t.Errorf("the recipient gets into the log: %v", err)
		}
	}
}

// Over a kept connection that breaks, net/http would send what has a key again.
// It is the launch that does, and minds who waits for it.
func TestSentOnce(t *testing.T) {
	s := newServer(t)
	c := s.open(t)
	if _, err := c.Send(t.Context(), outgoing(planned(t, 0))); err != nil {
		t.Fatal(err)
	}
	s.Set(map[string]conformance.Act{send: {Cut: true}})
	if _, err := c.Send(t.Context(), outgoing(planned(t, 0))); fateOf(err) != fanfare.FateUnknown || len(s.Steps()) != 2 {
		t.Errorf("%v after %v", err, s.Steps())
	}
}

// What Resend may have forgotten is not sent again, but for the first time it is.
func TestForgotten(t *testing.T) {
	for _, test := range []struct {
		age   time.Duration
		again bool
		want  fanfare.Fate
		taken int
		ask   fanfare.AnswerState
	}{
		{22 * time.Hour, false, "sent", 1, fanfare.AnswerRepeat}, {22 * time.Hour, true, "sent", 1, fanfare.AnswerRepeat},
		{24 * time.Hour, false, "sent", 1, fanfare.AnswerUnknown}, {24 * time.Hour, true, fanfare.FateUnknown, 0, fanfare.AnswerUnknown},
	} {
		s := newServer(t)
		c := s.open(t)
		m := outgoing(planned(t, test.age))
		m.Again = test.again
		if _, err := c.Send(t.Context(), m); fateOf(err) != test.want || s.Taken() != test.taken {
			t.Errorf("%+v: %v, %d taken", test, err, s.Taken())
		}
		if answer, err := c.Ask(t.Context(), m); err != nil || answer.State != test.ask {
			t.Errorf("%+v: %+v, %v", test, answer, err)
		}
	}
	m := outgoing("canary")
	if answer, err := newServer(t).open(t).Ask(t.Context(), m); err != nil || answer.State != fanfare.AnswerUnknown {
		t.Errorf("of whose age nobody knows: %+v, %v", answer, err)
	}
}

// A message that Resend knows in another form may have been sent so; to send it
// again would come to the same.
func TestChangedSince(t *testing.T) {
	s := newServer(t)
	m := outgoing(planned(t, 0))
	if _, err := s.open(t).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	m.UnsubscribeURL += "d"
	c := s.open(t)
	_, err := c.Send(t.Context(), m)
	answer, askErr := c.Ask(t.Context(), m)
	if fateOf(err) != fanfare.FateUnknown || askErr != nil || answer.State != fanfare.AnswerUnknown || s.Taken() != 1 {
		t.Errorf("%v; %+v, %v; %d taken", err, answer, askErr, s.Taken())
	}
}

func TestDomain(t *testing.T) {
	for _, test := range []struct {
		from, domains string
		answer        http.HandlerFunc
		want          fanfare.Fate
		says          string
	}{
		{from: "me@Example.COM", want: "sent"},
		{from: "me@example.org", want: fanfare.FateUnauthorized, says: "none of the Resend account"},
		{from: "me@mail.example.com", want: fanfare.FateUnauthorized, says: "none of the Resend account"},
		{from: "me@example.org", domains: `{"has_more":true,"data":[{"name":"example.com","status":"verified"}]}`, want: "sent"},
		{from: "me@example.com", domains: `{"data":[{"name":"example.com","status":"pending"}]}`, want: fanfare.FateUnauthorized, says: "pending"},
		{from: "me@example.com", answer: says(http.StatusUnauthorized, restricted), want: "sent"},
		{from: "me@example.com", answer: says(http.StatusUnauthorized, "missing_api_key"), want: fanfare.FateUnauthorized, says: "missing_api_key"},
		{from: "me@example.com", answer: says(http.StatusInternalServerError, restricted+"?"), want: fanfare.FateHalted, says: "500"},
	} {
		s := newServer(t)
		if test.domains != "" {
			s.domains = test.domains
		}
		if test.answer != nil {
			s.Set(map[string]conformance.Act{domains: {Answer: test.answer}})
		}
		err := s.open(t, "from="+test.from).Test(t.Context())
		if fateOf(err) != test.want || err != nil && !strings.Contains(err.Error()+nameOf(err), test.says) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestRate(t *testing.T) {
	s := newServer(t)
	for change, want := range map[string]float64{"ratePerSecond=": 2, "ratePerSecond=10": 10} {
		if got := s.open(t, change).Rate(); got != want {
			t.Errorf("%s: %v a second", change, got)
		}
	}
}

func TestCheck(t *testing.T) {
	for change, want := range map[string]string{"apiKey=canary": "credentials.apiKey", "from=canary": "credentials.from"} {
		c := fanfare.Credentials{"apiKey": key, "from": "me@example.com"}
		field, value, _ := strings.Cut(change, "=")
		c[field] = value
		refusal, ok := errors.AsType[*fanfare.Error](New(connector.Outside{}).Check(c))
		if !ok || refusal.Fields[0].Field != want {
			t.Errorf("%s: %v", change, refusal)
		}
	}
}
