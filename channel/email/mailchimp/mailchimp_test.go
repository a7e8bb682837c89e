package mailchimp

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

func broadcast() fanfare.Outgoing {
	return fanfare.Outgoing{
		ID: "0192f0c0-1111-7222-8333-444455556666", Channel: fanfare.Email,
		Content: fanfare.Content{Email: &fanfare.EmailContent{Subject: "Hello", Preview: "What it is about", Body: "<h1>Hello</h1><p>you</p>"}},
	}
}

type peer struct{ *server }

func (p peer) Outside() connector.Outside       { return p.outside() }
func (p peer) Credentials() fanfare.Credentials { return credentials() }
func (p peer) Stalled() <-chan struct{}         { return p.stalled }

func (p peer) Taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

func (p peer) Behave(b conformance.Behaviour) {
	p.set(map[conformance.Behaviour]map[string]act{
		conformance.Refuses:    {"POST campaigns": {status: http.StatusBadRequest}},
		conformance.RateLimits: {"PUT content": {status: http.StatusTooManyRequests}},
		conformance.RejectsCredentials: {
			"GET ping": {status: http.StatusUnauthorized}, "GET campaigns": {status: http.StatusForbidden},
		},
		conformance.StallsBefore: {"POST campaigns": {stall: true}},
		conformance.StallsAfter:  {"POST send": {obey: true, stall: true}},
		conformance.BreaksBefore: {"PUT content": {obey: true, cut: true}},
		conformance.BreaksAfter:  {"POST send": {obey: true, cut: true}},
	}[b])
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return peer{newServer(t)} },
		Message:     broadcast(),
		AnswerTaken: fanfare.AnswerTaken,
		RetryAfter:  7 * time.Second,
	})
}

func (s *server) open(t *testing.T) fanfare.Connection {
	t.Helper()
	outside := s.outside()
	outside.Patience = 20 * time.Second
	connection, err := New(outside).Open(credentials())
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

// What may be said of a broadcast, by where and how Mailchimp failed.
func TestFate(t *testing.T) {
	const sent = fanfare.Fate("sent")
	for _, test := range []struct {
		step  string
		act   act
		want  fanfare.Fate
		taken int
	}{
		{"GET campaigns", act{status: 500}, fanfare.FateHalted, 0},
		{"GET campaigns", act{cut: true}, fanfare.FateDeferred, 0},
		{"POST campaigns", act{status: 503}, fanfare.FateHalted, 0},
		{"POST campaigns", act{obey: true, cut: true}, fanfare.FateDeferred, 0},
		{"POST campaigns", act{status: 302}, fanfare.FateHalted, 0},
		{"PUT content", act{status: 400}, fanfare.FateRefused, 0},
		{"GET send-checklist", act{status: 403}, fanfare.FateUnauthorized, 0},
		{"POST send", act{status: 400}, fanfare.FateRefused, 0},
		{"POST send", act{status: 401}, fanfare.FateUnauthorized, 0},
		{"POST send", act{status: 429}, fanfare.FateHalted, 0},
		{"POST send", act{status: 500}, fanfare.FateUnknown, 0},
		{"POST send", act{status: 302}, fanfare.FateUnknown, 0},
		{"POST send", act{cut: true}, fanfare.FateUnknown, 0},
		{"POST send", act{obey: true, cut: true}, sent, 1},
	} {
		s := newServer(t)
		s.set(map[string]act{test.step: test.act})
		id, err := s.open(t).Send(t.Context(), broadcast())
		if got := fateOf(err); got != test.want || s.sent != test.taken || (id != "") != (err == nil) {
			t.Errorf("%s %+v: %q, %v, sent %d; want %s", test.step, test.act, id, err, s.sent, test.want)
		}
	}
}

func TestSendingCutOffAndNothingToBeSeen(t *testing.T) {
	for name, answer := range map[string]act{"refused": {status: 400}, "cut": {obey: true, cut: true}} {
		s := newServer(t)
		s.set(map[string]act{"POST send": answer, "GET /": {status: 500}})
		if _, err := s.open(t).Send(t.Context(), broadcast()); fateOf(err) != fanfare.FateUnknown {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A campaign of an earlier attempt is gone on with, whatever that came to.
func TestEarlierAttempts(t *testing.T) {
	title := broadcast().ID
	for _, test := range []struct {
		name     string
		statuses []string
		want     fanfare.Fate
		id       string
		sent     int
		ask      fanfare.Answer
	}{
		{"none", nil, "sent", "c1", 1, fanfare.Answer{State: fanfare.AnswerUnknown}},
		{"draft", []string{"save"}, "sent", "c1", 1, fanfare.Answer{State: fanfare.AnswerRepeat}},
		{"drafts", []string{"save", "save"}, "sent", "c1", 1, fanfare.Answer{State: fanfare.AnswerUnknown}},
		{"sent", []string{"sent"}, "sent", "c1", 0, fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: "c1"}},
		{"sending", []string{"sending"}, "sent", "c1", 0, fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: "c1"}},
		{"scheduled", []string{"schedule"}, "sent", "c1", 0, fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: "c1"}},
		{"draft and sent", []string{"save", "sent"}, "sent", "c2", 0, fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: "c2"}},
		{"canceled and sent", []string{"canceled", "sent"}, "sent", "c2", 0, fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: "c2"}},
		{"canceled", []string{"save", "canceled"}, fanfare.FateUnknown, "", 0, fanfare.Answer{State: fanfare.AnswerUnknown}},
		{"paused", []string{"paused"}, fanfare.FateUnknown, "", 0, fanfare.Answer{State: fanfare.AnswerUnknown}},
	} {
		s := newServer(t)
		for i, status := range test.statuses {
			s.campaigns = append(s.campaigns, &stored{ID: "c" + string(rune('1'+i)), Status: status, Settings: map[string]any{"title": title}})
		}
		s.campaigns = append(s.campaigns, &stored{ID: "other", Status: "sent", Settings: map[string]any{"title": title + "x"}})
		if test.statuses == nil {
			s.campaigns = nil
		}
		c := s.open(t)
		answer, err := c.Ask(t.Context(), broadcast())
		if diff := cmp.Diff(test.ask, answer); diff != "" || err != nil {
			t.Errorf("%s: asked: %v\n%s", test.name, err, diff)
		}
		id, err := c.Send(t.Context(), broadcast())
		if id != test.id || fateOf(err) != test.want || s.sent != test.sent {
			t.Errorf("%s: %q, %v, sent %d", test.name, id, err, s.sent)
		}
	}
}

// Two attempts at one message, the first of which is held up just before it
// sends: both know that it is sent, and it is sent once.
func TestTwoAttempts(t *testing.T) {
	for _, at := range []string{"PUT content", "GET send-checklist", "POST send"} {
		s := newServer(t)
		s.set(map[string]act{at: {late: true}})
		first := make(chan string, 1)
		go func() {
			id, err := s.open(t).Send(t.Context(), broadcast())
			if err != nil {
				t.Error(err)
			}
			first <- id
		}()
		<-s.stalled
		s.set(nil)
		if id, err := s.open(t).Send(t.Context(), broadcast()); err != nil || id != "c1" {
			t.Errorf("%s: %q, %v", at, id, err)
		}
		s.release <- struct{}{}
		if id := <-first; id != "c1" || len(s.campaigns) != 1 || s.sent != 1 {
			t.Errorf("%s: %q, %d campaigns, sent %d", at, id, len(s.campaigns), s.sent)
		}
	}
}

// The first attempt creates its campaign late, when the second has one already:
// both choose the same.
func TestTwoCampaignsOfOneMessage(t *testing.T) {
	s := newServer(t)
	s.set(map[string]act{"POST campaigns": {late: true}})
	first := make(chan string, 1)
	go func() {
		id, err := s.open(t).Send(t.Context(), broadcast())
		if err != nil {
			t.Error(err)
		}
		first <- id
	}()
	<-s.stalled
	s.set(nil)
	if id, err := s.open(t).Send(t.Context(), broadcast()); err != nil || id != "c1" {
		t.Errorf("%q, %v", id, err)
	}
	s.release <- struct{}{}
	if id := <-first; id != "c1" || len(s.campaigns) != 2 || s.sent != 1 {
		t.Errorf("%q, %d campaigns, sent %d", id, len(s.campaigns), s.sent)
	}
}

func TestWhatIsSent(t *testing.T) {
	s := newServer(t)
	if id, err := s.open(t).Send(t.Context(), broadcast()); id != "c1" || err != nil {
		t.Fatal(id, err)
	}
	want := map[string]any{"title": broadcast().ID, "subject_line": "Hello", "from_name": "The Shop", "reply_to": "shop@example.com"}
	if diff := cmp.Diff(want, s.campaigns[0].Settings); diff != "" {
		t.Error(diff)
	}
	html, text := s.campaigns[0].Content["html"].(string), s.campaigns[0].Content["plain_text"].(string)
	for _, part := range []string{`<h1>Hello</h1>`, `<a href="*|UNSUB|*">`, "*|LIST:ADDRESSLINE|*"} {
		if !strings.Contains(html, part) {
			t.Errorf("no %s in %s", part, html)
		}
	}
	if diff := cmp.Diff("Hello\n\nyou\n\n--\n*|LIST:ADDRESSLINE|*\nUnsubscribe: *|UNSUB|*\n", text); diff != "" {
		t.Error(diff)
	}
	steps := []string{"GET campaigns", "POST campaigns", "GET campaigns", "PUT content", "GET send-checklist", "POST send"}
	if diff := cmp.Diff(steps, s.seen); diff != "" {
		t.Error(diff)
	}
}

func TestNotReady(t *testing.T) {
	s := newServer(t)
	s.notReady = true
	_, err := s.open(t).Send(t.Context(), broadcast())
	if fateOf(err) != fanfare.FateRefused || !strings.Contains(err.Error(), "Audience is empty") || strings.Contains(err.Error(), "fine") || s.sent != 0 {
		t.Error(err)
	}
}

func TestTestMessage(t *testing.T) {
	for name, acts := range map[string]map[string]act{
		"":        nil,
		"content": {"PUT content": {status: 400}},
		"test":    {"POST test": {obey: true, cut: true}},
	} {
		s := newServer(t)
		s.set(acts)
		m := broadcast()
		m.Test, m.Recipient = true, "me@example.com"
		id, err := s.open(t).Send(t.Context(), m)
		want := map[string]fanfare.Fate{"": "sent", "content": fanfare.FateRefused, "test": fanfare.FateUnknown}[name]
		if fateOf(err) != want || (id != "") != (err == nil) || s.sent != 0 || len(s.campaigns) != 0 {
			t.Errorf("%s: %q, %v, sent %d, %d campaigns left", name, id, err, s.sent, len(s.campaigns))
		}
		if diff := cmp.Diff([]string{"[me@example.com]html"}, s.tests); diff != "" && name != "content" {
			t.Error(diff)
		}
	}
}

func TestTestAsksForTheAudience(t *testing.T) {
	s := newServer(t)
	c := credentials()
	c["listId"] = "nosuchlist"
	connection, err := New(s.outside()).Open(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := connection.Test(t.Context()); fateOf(err) != fanfare.FateRefused {
		t.Error(err)
	}
}

// The key's end becomes part of a host's name.
func TestDataCentre(t *testing.T) {
	for key, want := range map[string]string{
		"abc-us21":                "https://us21.api.mailchimp.com/3.0",
		"abc-def-us1":             "https://us1.api.mailchimp.com/3.0",
		"abc":                     "",
		"abc-":                    "",
		"us21":                    "",
		"abc-us":                  "",
		"abc-us1234":              "",
		"abc-usa1":                "",
		"abc-US1":                 "",
		"abc-21":                  "",
		"abc-us1x":                "",
		"abc-us1.evil.example":    "",
		"abc-us1/":                "",
		"abc-us1#":                "",
		"abc-us1@evil.example":    "",
		"abc-evil.example/?x=us1": "",
		"abc-us１":                 "",
		"abc-us1\n":               "",
	} {
		c := credentials()
		c["apiKey"] = key
		connector := New(connector.Outside{})
		err := connector.Check(c)
		if (err == nil) != (want != "") || err != nil && fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
			t.Errorf("%q: %v", key, err)
		}
		if got := connector.baseURL(key); err == nil && got != want {
			t.Errorf("%q leads to %s", key, got)
		}
	}
}

func TestListIsPartOfAPath(t *testing.T) {
	for _, id := range []string{"a/b", "../x", "a?b", "a b", "ä", strings.Repeat("a", 41)} {
		c := credentials()
		c["listId"] = id
		if err := New(connector.Outside{}).Check(c); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
			t.Errorf("%q: %v", id, err)
		}
	}
}
