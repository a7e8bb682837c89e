package twilio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
	sid       = "AC0123456789abcdef0123456789abcdef"
	service   = "MG0123456789abcdef0123456789abcdef"
	token     = "canary0123456789canary0123456789"
	recipient = "+4915112345678"
)

// server is Twilio as its documentation has it. The steps are "send" and
// "account".
type server struct {
	*conformance.Standin
	mu     sync.Mutex
	taken  []url.Values
	status string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{status: "active"}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string {
		if strings.HasSuffix(r.URL.Path, "/Messages.json") {
			return "send"
		}
		return "account"
	}, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"accountSid": sid, "authToken": token, "from": "+15005550006"}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.taken)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(http.StatusUnauthorized, 20003)}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"send": {Answer: says(http.StatusBadRequest, 21610)}},
		conformance.RateLimits:         {"send": {Answer: says(http.StatusTooManyRequests, 20429)}},
		conformance.RejectsCredentials: {"send": wrong, "account": wrong},
		conformance.StallsBefore:       {"send": {Stall: true}},
		conformance.StallsAfter:        {"send": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"send": {Cut: true}},
		conformance.BreaksAfter:        {"send": {Obey: true, Cut: true}},
	}[b])
}

// says quotes all that it was shown.
func says(status, code int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, shown, _ := r.BasicAuth()
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"code": code, "message": "no\n" + shown + r.Header.Get("Authorization") + r.FormValue("To"), "more_info": "https://www.twilio.com/docs/errors", "status": status,
		})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	user, password, _ := r.BasicAuth()
	switch {
	case user != sid || password != token:
		says(http.StatusUnauthorized, 20003)(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/2010-04-01/Accounts/"+sid+".json":
		fmt.Fprintf(w, `{"sid":%q,"status":%q}`, sid, s.status)
	case r.Method == http.MethodPost && r.URL.Path == "/2010-04-01/Accounts/"+sid+"/Messages.json":
		s.send(w, r)
	default:
		says(http.StatusNotFound, 20404)(w, r)
	}
}

func (s *server) send(w http.ResponseWriter, r *http.Request) {
	f := r.PostFormValue
	switch {
	case r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		says(http.StatusUnsupportedMediaType, 20000)(w, r)
	case f("To") == "":
		says(http.StatusBadRequest, 21604)(w, r)
	case !strings.HasPrefix(f("To"), "+"):
		says(http.StatusBadRequest, 21211)(w, r)
	case f("From") == "" && f("MessagingServiceSid") == "":
		says(http.StatusBadRequest, 21603)(w, r)
	case f("Body") == "":
		says(http.StatusBadRequest, 21602)(w, r)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken = append(s.taken, r.PostForm)
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"sid":"SM%032d","status":"queued","error_code":null}`, len(s.taken))
	}
}

func text(text string) fanfare.Outgoing {
	return fanfare.Outgoing{
		ID: "0192f0c0-1111-7222-8333-444455556666", Channel: fanfare.SMS, Recipient: recipient,
		Content: fanfare.Content{SMS: &fanfare.SMSContent{Text: text}},
	}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     text("Tea & cake 🎉"),
		AnswerTaken: fanfare.AnswerUnknown,
		OneRequest:  true,
		RetryAfter:  7 * time.Second,
	})
}

func (s *server) open(t *testing.T, changes ...string) fanfare.Connection {
	t.Helper()
	connection, err := New(s.Outside()).Open(s.with(changes...))
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func (s *server) with(changes ...string) fanfare.Credentials {
	c := s.Credentials()
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
	}
	return c
}

func fateOf(err error) fanfare.Fate {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e.Fate
	}
	return "sent"
}

func TestWhatIsSent(t *testing.T) {
	for _, test := range []struct {
		changes []string
		want    url.Values
	}{
		{nil, url.Values{"From": {"+15005550006"}}},
		{[]string{"from=", "messagingServiceSid=" + service}, url.Values{"MessagingServiceSid": {service}}},
	} {
		s := newServer(t)
		if id, err := s.open(t, test.changes...).Send(t.Context(), text("Tea & cake 🎉")); id != "SM00000000000000000000000000000001" || err != nil {
			t.Fatal(id, err)
		}
		test.want.Set("To", recipient)
		test.want.Set("Body", "Tea & cake 🎉")
		if diff := cmp.Diff(test.want, s.taken[0]); diff != "" {
			t.Error(diff)
		}
	}
}

// A refusal is of one recipient, of the sender and so of all, or of the moment.
func TestFate(t *testing.T) {
	for _, test := range []struct {
		status, code int
		want         fanfare.Fate
	}{
		{400, 21211, fanfare.FateRefused}, {400, 21610, fanfare.FateRefused}, {400, 21408, fanfare.FateRefused},
		{400, 21606, fanfare.FateUnauthorized}, {400, 21703, fanfare.FateUnauthorized}, {400, 21212, fanfare.FateUnauthorized},
		{400, 21611, fanfare.FateHalted}, {429, 20429, fanfare.FateHalted}, {401, 20003, fanfare.FateUnauthorized},
		{403, 20403, fanfare.FateUnauthorized}, {500, 20500, fanfare.FateUnknown}, {503, 20503, fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"send": {Answer: says(test.status, test.code)}})
		_, err := s.open(t).Send(t.Context(), text("Tea"))
		if fateOf(err) != test.want || !strings.Contains(err.Error(), fmt.Sprint(test.code)) && test.want != fanfare.FateUnknown {
			t.Errorf("%d: %v, want %s", test.code, err, test.want)
		}
		if strings.Contains(err.Error(), recipient) {
			t.Errorf("the recipient gets into the log: %v", err)
		}
	}
}

func TestSuspendedAccount(t *testing.T) {
	s := newServer(t)
	s.status = "suspended"
	if err := s.open(t).Test(t.Context()); fateOf(err) != fanfare.FateUnauthorized || !strings.Contains(err.Error(), "suspended") {
		t.Error(err)
	}
}

func TestCheck(t *testing.T) {
	s := newServer(t)
	for changes, want := range map[string]string{
		"accountSid=AC123":                               "credentials.accountSid",
		"accountSid=" + service:                          "credentials.accountSid",
		"accountSid=AC../../../../../../../../xxxxx/../": "credentials.accountSid",
		"messagingServiceSid=" + sid:                     "credentials.messagingServiceSid",
		"messagingServiceSid=" + service:                 "credentials.from",
		"from=":                                          "credentials.from",
	} {
		refusal, ok := errors.AsType[*fanfare.Error](New(s.Outside()).Check(s.with(changes)))
		if !ok || refusal.Fields[0].Field != want {
			t.Errorf("%s: %v", changes, refusal)
		}
	}
	if err := New(s.Outside()).Check(s.with("from=", "messagingServiceSid="+service)); err != nil {
		t.Error(err)
	}
}
