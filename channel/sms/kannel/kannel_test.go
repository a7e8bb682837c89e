package kannel

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	username  = "Canary.tester"
	password  = "canary&pass word"
	recipient = "+4915112345678"
	delivery  = "0192f0c0-1111-7222-8333-444455556666"
)

// gateway is Kannel as its guide has it. A request without a receiver is the
// step "test", any other "send".
type gateway struct {
	*conformance.Standin
	mu    sync.Mutex
	taken []url.Values
}

func newGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{}
	g.Standin = conformance.NewStandin(t, func(r *http.Request) string {
		if r.URL.Query().Get("to") == "" {
			return "test"
		}
		return "send"
	}, g.obey)
	return g
}

func (g *gateway) Outside() connector.Outside { return g.Standin.Outside(name, "") }

func (g *gateway) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"url": g.URL + "/cgi-bin/sendsms", "username": username, "password": password, "from": "Shop"}
}

func (g *gateway) Taken() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.taken)
}

func (g *gateway) Behave(b conformance.Behaviour) {
	g.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:    {"send": {Answer: says(http.StatusForbidden, "Not routable. Do not try again.")}},
		conformance.RateLimits: {"send": {Answer: says(http.StatusServiceUnavailable, "Temporal failure, try again later.")}},
		conformance.RejectsCredentials: {
			"test": {Answer: says(http.StatusForbidden, "Authorization failed for sendsms")},
			"send": {Answer: says(http.StatusForbidden, "Authorization failed for sendsms")},
		},
		conformance.StallsBefore: {"send": {Stall: true}},
		conformance.StallsAfter:  {"send": {Obey: true, Stall: true}},
		conformance.BreaksBefore: {"send": {Cut: true}},
		conformance.BreaksAfter:  {"send": {Obey: true, Cut: true}},
	}[b])
}

// says answers with a line, and all that was shown.
func says(status int, line string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		fmt.Fprintln(w, line, r.URL.Query().Get("to"), r.URL.RawQuery, r.URL.Query())
	}
}

func (g *gateway) obey(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	switch {
	case r.URL.Path != "/cgi-bin/sendsms" || r.Method != http.MethodGet:
		says(http.StatusNotFound, "Unknown request.")(w, r)
	case q.Get("username") != username || q.Get("password") != password:
		says(http.StatusForbidden, "Authorization failed for sendsms")(w, r)
	case q.Get("to") == "":
		says(http.StatusBadRequest, "Missing receiver number, rejected")(w, r)
	case q.Get("from") == "":
		says(http.StatusBadRequest, "Sender missing and no global set, rejected")(w, r)
	case strings.Trim(q.Get("to"), "+0123456789") != "", q.Get("charset") != "UTF-8", q.Get("coding") != "0" && q.Get("coding") != "2", len(q.Get("account")) > 64:
		says(http.StatusBadRequest, "rejected")(w, r)
	default:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.taken = append(g.taken, q)
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprint(w, "0: Accepted for delivery")
	}
}

func text(text string) fanfare.Outgoing {
	return fanfare.Outgoing{
		ID: delivery, Channel: fanfare.SMS, Recipient: recipient, Content: fanfare.Content{SMS: &fanfare.SMSContent{Text: text}},
	}
}

func TestConformance(t *testing.T) {
	tooMuch := text(strings.Repeat("ж", 71)).Content
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newGateway(t) },
		Message:     text("Tea & cake: 20 % off"),
		Canaries:    []string{username, url.QueryEscape(password)},
		AnswerTaken: fanfare.AnswerUnknown,
		TooMuch:     &tooMuch,
		OneRequest:  true,
	})
}

func (g *gateway) open(t *testing.T, changes ...string) fanfare.Connection {
	t.Helper()
	c := g.Credentials()
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
	}
	connection, err := New(g.Outside()).Open(c)
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

func TestWhatIsAsked(t *testing.T) {
	for said, coding := range map[string]string{"Tea & cake: 20 % off, 5 €": "0", "Чай 🎉": "2"} {
		g := newGateway(t)
		if id, err := g.open(t).Send(t.Context(), text(said)); id != delivery || err != nil {
			t.Fatal(id, err)
		}
		want := url.Values{
			"username": {username}, "password": {password}, "from": {"Shop"}, "to": {recipient}, "text": {said},
			"charset": {"UTF-8"}, "coding": {coding}, "account": {delivery},
		}
		if diff := cmp.Diff(want, g.taken[0]); diff != "" {
			t.Error(diff)
		}
	}
}

// What may be said of a message, by what the gateway answers.
func TestFate(t *testing.T) {
	for _, test := range []struct {
		status int
		line   string
		want   fanfare.Fate
	}{
		{200, "Sent.", "sent"},
		{200, "0: Accepted for delivery", "sent"},
		{200, "<html>Welcome", fanfare.FateUnknown}, // any web server's word
		{202, "3: Queued for later delivery", "sent"},
		{400, "Sender missing and no global set, rejected", fanfare.FateRefused},
		{403, "Authorization failed for sendsms", fanfare.FateUnauthorized},
		{403, "Not routable. Do not try again.", fanfare.FateRefused},
		{404, "Unknown request.", fanfare.FateUnauthorized},
		{429, "", fanfare.FateHalted},
		{500, "", fanfare.FateUnknown},
		{503, "Temporal failure, try again later.", fanfare.FateHalted},
		{503, "upstream went away", fanfare.FateUnknown}, // a proxy's word, not Kannel's
	} {
		g := newGateway(t)
		g.Set(map[string]conformance.Act{"send": {Answer: says(test.status, test.line)}})
		_, err := g.open(t).Send(t.Context(), text("Tea"))
		if fateOf(err) != test.want || err != nil && strings.Contains(err.Error(), recipient) {
			t.Errorf("%d %s: %v, want %s", test.status, test.line, err, test.want)
		}
	}
}

func TestTestTellsWrongAddresses(t *testing.T) {
	g := newGateway(t)
	for change, want := range map[string]fanfare.Fate{
		"from=Shop":                   "sent",
		"password=wrong":              fanfare.FateUnauthorized,
		"url=" + g.URL + "/elsewhere": fanfare.FateUnauthorized,
		"url=http://127.0.0.1:1/":     fanfare.FateHalted,
	} {
		if err := g.open(t, change).Test(t.Context()); fateOf(err) != want {
			t.Errorf("%s: %v, want %s", change, err, want)
		}
	}
}

func TestTestTellsWebServers(t *testing.T) {
	g := newGateway(t)
	g.Set(map[string]conformance.Act{"test": {Answer: says(http.StatusOK, "<html>Welcome")}})
	if err := g.open(t).Test(t.Context()); fateOf(err) != fanfare.FateUnauthorized {
		t.Error(err)
	}
}

func TestTextsOfSeveralMessages(t *testing.T) {
	for _, test := range []struct {
		text, most string
		want       fanfare.Fate
	}{
		{strings.Repeat("a", 160), "", "sent"},
		{strings.Repeat("€", 81), "", fanfare.FateRefused},
		{strings.Repeat("€", 81), "2", "sent"},
		{strings.Repeat("ж", 160), "2", fanfare.FateRefused},
		{strings.Repeat("ж", 160), "3", "sent"},
	} {
		g := newGateway(t)
		if _, err := g.open(t, "maxMessages="+test.most).Send(t.Context(), text(test.text)); fateOf(err) != test.want {
			t.Errorf("%.4q, at most %q: %v", test.text, test.most, err)
		}
	}
}

func TestCheck(t *testing.T) {
	g := newGateway(t)
	for change, want := range map[string]string{
		"maxMessages=0": "credentials.maxMessages", "maxMessages=11": "credentials.maxMessages", "maxMessages=x": "credentials.maxMessages",
		"url=gateway.example.com": "credentials.url", "url=https://u:p@gateway.example.com": "credentials.url",
		"url=https://gateway.example.com/?username=x": "credentials.url",
	} {
		c := g.Credentials()
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
		refusal, ok := errors.AsType[*fanfare.Error](New(g.Outside()).Check(c))
		if !ok || refusal.Fields[0].Field != want {
			t.Errorf("%s: %v", change, refusal)
		}
	}
	if err := New(connector.Outside{}).Check(g.Credentials()); err == nil {
		t.Error("a password goes out without TLS")
	}
}
