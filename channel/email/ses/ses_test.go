package ses

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"
)

const (
	keyID     = "AKIA0123456789ABCDEF"
	secret    = "canary/0123456789+canary0123456789"
	recipient = "Canary.Recipient@example.org"
	send      = "POST /v2/email/outbound-emails"
	account   = "GET /v2/email/account"
)

// sent is what SES is told.
type sent struct {
	FromEmailAddress     string
	ConfigurationSetName string
	Destination          struct{ ToAddresses []string }
	Content              struct {
		Simple struct {
			Subject content
			Body    struct{ HTML, Text content }
			Headers []struct{ Name, Value string }
		}
	}
}

type content struct{ Data, Charset string }

// server is SES as its documentation has it. Steps are methods and paths.
type server struct {
	*conformance.Standin
	mu       sync.Mutex
	sent     []sent
	account  string
	verified []string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{account: `{"SendingEnabled":true,"ProductionAccessEnabled":true}`, verified: []string{"example.com"}}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method + " " + r.URL.Path }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{
		"region": "eu-central-1", "accessKeyId": keyID, "secretAccessKey": secret, "from": "Straße <me@mail.example.com>",
	}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sent)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(http.StatusForbidden, "SignatureDoesNotMatch", "")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {send: {Answer: says(http.StatusBadRequest, "MessageRejected", "")}},
		conformance.RateLimits:         {send: {Answer: says(http.StatusTooManyRequests, "TooManyRequestsException", "Maximum sending rate exceeded")}},
		conformance.RejectsCredentials: {send: wrong, account: wrong},
		conformance.StallsBefore:       {send: {Stall: true}},
		conformance.StallsAfter:        {send: {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {send: {Cut: true}},
		conformance.BreaksAfter:        {send: {Obey: true, Cut: true}},
	}[b])
}

// says quotes all that it was shown, and what it would not have been.
func says(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var shown sent
		_ = json.NewDecoder(r.Body).Decode(&shown)
		w.Header().Set("X-Amzn-ErrorType", code)
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"message": fmt.Sprint(message, " no\n", secret, shown.Destination.ToAddresses, r.Header.Get("Authorization")),
		})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	signed := strings.HasPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 Credential="+keyID+"/") &&
		strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/ses/aws4_request")
	identity, isIdentity := strings.CutPrefix(r.URL.Path, "/v2/email/identities/")
	switch step := r.Method + " " + r.URL.Path; {
	case !signed:
		says(http.StatusForbidden, "UnrecognizedClientException", "")(w, r)
	case step == account:
		fmt.Fprint(w, s.account)
	case isIdentity && slices.Contains(s.verified, identity):
		fmt.Fprint(w, `{"IdentityType":"DOMAIN","VerifiedForSendingStatus":true}`)
	case isIdentity && identity == "pending.example":
		fmt.Fprint(w, `{"IdentityType":"DOMAIN","VerifiedForSendingStatus":false,"VerificationStatus":"PENDING"}`)
	case step == send:
		s.take(w, r)
	default:
		says(http.StatusNotFound, "NotFoundException", "")(w, r)
	}
}

func (s *server) take(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m sent
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil || len(m.Destination.ToAddresses) != 1 || m.Content.Simple.Subject.Data == "" {
		says(http.StatusBadRequest, "BadRequestException", "")(w, r)
		return
	}
	s.sent = append(s.sent, m)
	fmt.Fprintf(w, `{"MessageId":"ses-%d"}`, len(s.sent))
}

func outgoing() fanfare.Outgoing {
	return fanfare.Outgoing{
		ID: "0192f0c0-1111-7222-8333-444455556666", Channel: fanfare.Email, Recipient: recipient, UnsubscribeURL: "https://fanfare.example.com/u/abc",
		Content: fanfare.Content{Email: &fanfare.EmailContent{Subject: "Tea & 🎉", Preview: "What it is about", Body: "<p>Hello</p>"}},
	}
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     outgoing(),
		AnswerTaken: fanfare.AnswerUnknown,
		OneRequest:  true,
		RetryAfter:  time.Second,
	})
}

func (s *server) open(t *testing.T, changes ...string) fanfare.Connection {
	t.Helper()
	connection, err := New(s.Outside()).Open(with(s.Credentials(), changes...))
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func with(c fanfare.Credentials, changes ...string) fanfare.Credentials {
	for _, change := range changes {
		field, value, _ := strings.Cut(change, "=")
		c[field] = value
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
	s := newServer(t)
	m := outgoing()
	m.Test = true
	if id, err := s.open(t, "configurationSet=news").Send(t.Context(), m); id != "ses-1" || err != nil {
		t.Fatal(id, err)
	}
	got := s.sent[0]
	simple := &got.Content.Simple
	for _, part := range []*content{&simple.Body.HTML, &simple.Body.Text} {
		if !strings.Contains(part.Data, "Hello") || !strings.Contains(part.Data, m.UnsubscribeURL) || part.Charset != "UTF-8" {
			t.Error(part)
		}
		part.Data = ""
	}
	var want sent
	want.FromEmailAddress, want.ConfigurationSetName = "=?utf-8?q?Stra=C3=9Fe?= <me@mail.example.com>", "news"
	want.Destination.ToAddresses = []string{recipient}
	want.Content.Simple.Subject = content{"[Test] Tea & 🎉", "UTF-8"}
	want.Content.Simple.Body = simple.Body
	want.Content.Simple.Headers = []struct{ Name, Value string }{
		{"Auto-Submitted", "auto-generated"}, {"List-Unsubscribe", "<https://fanfare.example.com/u/abc>"},
		{"List-Unsubscribe-Post", "List-Unsubscribe=One-Click"}, {"Precedence", "bulk"},
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A preview is the request itself, without what signs it.
func TestPreview(t *testing.T) {
	s := newServer(t)
	got, err := s.open(t).Preview(t.Context(), outgoing())
	if err != nil || len(got) != 1 || got[0].Method+" "+got[0].URL != "POST "+s.URL+"/v2/email/outbound-emails" {
		t.Fatalf("%+v, %v", got, err)
	}
	var m sent
	if err := json.Unmarshal([]byte(got[0].Body), &m); err != nil || m.Content.Simple.Subject.Data != "Tea & 🎉" {
		t.Errorf("%+v, %v", m, err)
	}
	if diff := gocmp.Diff(map[string]string{"Content-Type": "application/json"}, got[0].Headers); diff != "" {
		t.Error(diff)
	}
	if steps := s.Steps(); len(steps) > 0 {
		t.Errorf("it asked %v", steps)
	}
}

// A refusal is of one recipient, of the sender and so of all, or of the moment.
func TestFate(t *testing.T) {
	for _, test := range []struct {
		status        int
		code, message string
		want          fanfare.Fate
		wait          time.Duration
	}{
		{400, "MessageRejected", "Invalid content", fanfare.FateRefused, 0}, {400, "BadRequestException", "", fanfare.FateRefused, 0},
		{400, "MessageRejected", "Email address is not verified.", fanfare.FateUnauthorized, 0},
		{400, "MailFromDomainNotVerifiedException", "", fanfare.FateUnauthorized, 0}, {400, "AccountSuspendedException", "", fanfare.FateUnauthorized, 0},
		{400, "SendingPausedException", "", fanfare.FateUnauthorized, 0}, {404, "NotFoundException", "", fanfare.FateUnauthorized, 0},
		{403, "AccessDeniedException", "", fanfare.FateUnauthorized, 0}, {400, "ExpiredTokenException", "", fanfare.FateUnauthorized, 0},
		{429, "TooManyRequestsException", "Daily message quota exceeded", fanfare.FateHalted, time.Hour},
		{400, "LimitExceededException", "", fanfare.FateHalted, time.Second}, {400, "ThrottlingException", "", fanfare.FateHalted, time.Second},
		{500, "InternalServiceErrorException", "", fanfare.FateUnknown, 0}, {503, "ServiceUnavailable", "", fanfare.FateUnknown, 0},
		{302, "", "", fanfare.FateUnknown, 0},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{send: {Answer: says(test.status, test.code, test.message)}})
		id, err := s.open(t).Send(t.Context(), outgoing())
		if e, ok := errors.AsType[*fanfare.SendError](err); !ok || e.Fate != test.want || e.RetryAfter != test.wait || id != "" {
			t.Errorf("%+v: %v", test, err)
		}
		if text := fmt.Sprintf("%+v", err); strings.Contains(strings.ToLower(text), "canary") {
			t.Errorf("it says too much: %s", text)
		}
		if n := len(s.Steps()); n != 1 {
			t.Errorf("%+v: %d requests", test, n)
		}
	}
}

// What was taken without an id to show for it may not be sent again.
// What the client refuses was never sent, and the next message may be good.
func TestMessageThatTheClientRefuses(t *testing.T) {
	c := &connection{}
	_, err := sesv2.New(sesv2.Options{Region: "eu-west-1"}).SendEmail(t.Context(), &sesv2.SendEmailInput{})
	if e := c.judge(err, false, true); e.Fate != fanfare.FateRefused {
		t.Errorf("%v, want it refused", e)
	}
}

func TestAnswerThatCanNotBeRead(t *testing.T) {
	for _, answer := range []string{``, `{}`, `<html>`, `{"MessageId":7}`} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{send: {Answer: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }}})
		if id, err := s.open(t).Send(t.Context(), outgoing()); fateOf(err) != fanfare.FateUnknown || id != "" || strings.Contains(err.Error(), "refused") {
			t.Errorf("%s: %q, %v", answer, id, err)
		}
	}
}

// Neither the client nor net/http sends a message again by itself, not even
// over a connection that was kept and breaks.
func TestSentOnce(t *testing.T) {
	s := newServer(t)
	c := s.open(t)
	if _, err := c.Send(t.Context(), outgoing()); err != nil {
		t.Fatal(err)
	}
	for _, act := range []conformance.Act{{Cut: true}, {Answer: says(500, "InternalServiceErrorException", "")}, {Answer: says(503, "", "")}} {
		before := len(s.Steps())
		s.Set(map[string]conformance.Act{send: act})
		if _, err := c.Send(t.Context(), outgoing()); fateOf(err) != fanfare.FateUnknown || len(s.Steps()) != before+1 {
			t.Errorf("%v after %d requests", err, len(s.Steps())-before)
		}
	}
}

func TestAccount(t *testing.T) {
	for _, test := range []struct {
		account, from string
		verified      []string
		want          fanfare.Fate
		says          string
	}{
		{from: "me@mail.example.com", verified: []string{"me@mail.example.com"}, want: "sent"},
		{from: "me@mail.example.com", verified: []string{"mail.example.com"}, want: "sent"},
		{from: "me@mail.example.com", verified: []string{"example.com"}, want: "sent"},
		{from: "me@mail.example.com", verified: []string{"com", "you@mail.example.com"}, want: fanfare.FateUnauthorized, says: "no verified identity"},
		{from: "me@pending.example", want: fanfare.FateUnauthorized, says: "no verified identity"},
		{account: `{"SendingEnabled":true,"ProductionAccessEnabled":false}`, want: fanfare.FateUnauthorized, says: "sandbox"},
		{account: `{"SendingEnabled":false,"ProductionAccessEnabled":true}`, want: fanfare.FateUnauthorized, says: "disabled"},
	} {
		s := newServer(t)
		s.verified, s.account = test.verified, cmp.Or(test.account, s.account)
		err := s.open(t, "from="+cmp.Or(test.from, "me@example.com")).Test(t.Context())
		if fateOf(err) != test.want || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestCheck(t *testing.T) {
	s := newServer(t)
	for change, want := range map[string]string{
		"region=eu": "credentials.region", "region=evil.example/eu-1": "credentials.region", "region=-eu-": "credentials.region",
		"accessKeyId=ASIA0123456789ABCDEF": "credentials.accessKeyId", "accessKeyId=AKIA": "credentials.accessKeyId", "from=canary": "credentials.from",
		"configurationSet=a b": "credentials.configurationSet",
	} {
		refusal, ok := errors.AsType[*fanfare.Error](New(s.Outside()).Check(with(s.Credentials(), change)))
		if !ok || refusal.Fields[0].Field != want {
			t.Errorf("%s: %v", change, refusal)
		}
	}
}

// Without a stand-in it is the region's server that is asked.
func TestAddress(t *testing.T) {
	c, err := New(connector.Outside{HTTP: http.DefaultClient}).Open(newServer(t).Credentials())
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Preview(t.Context(), outgoing()); err != nil || got[0].URL != "https://email.eu-central-1.amazonaws.com/v2/email/outbound-emails" {
		t.Errorf("%+v, %v", got, err)
	}
}
