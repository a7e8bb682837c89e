package bluesky

import (
	"encoding/json"
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

const delivery = "0192f0c0-1111-7222-8333-444455556666"

func message() fanfare.Outgoing {
	return fanfare.Outgoing{ID: delivery, Channel: fanfare.Social, Content: fanfare.Content{Social: &fanfare.SocialContent{
		Post: "Grüße 🎉! Look: https://shop.example/a?b=1#c.", Hashtags: []string{"#Tea", "green tea"},
	}}}
}

func posting(text string) fanfare.Content {
	return fanfare.Content{Social: &fanfare.SocialContent{Post: text}}
}

func TestConformance(t *testing.T) {
	tooMuch := posting(strings.Repeat("ö", maxCharacters+1))
	conformance.Run(t, conformance.Case{
		New:           func(o connector.Outside) connector.Connector { return New(o) },
		Peer:          func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:       message(),
		Canaries:      []string{token},
		AnswerTaken:   fanfare.AnswerTaken,
		AnswerNothing: fanfare.AnswerRepeat,
		TooMuch:       &tooMuch,
		RetryAfter:    7 * time.Second,
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

func TestWhatIsPosted(t *testing.T) {
	s := newServer(t)
	id, err := s.open(t).Send(t.Context(), message())
	key, _ := recordKey(delivery)
	if err != nil || id != address(key) {
		t.Fatal(id, err)
	}
	var got post
	if err := json.Unmarshal(s.records[key], &got); err != nil {
		t.Fatal(err)
	}
	got.CreatedAt = ""
	want := post{
		Type: collection, Text: "Grüße 🎉! Look: https://shop.example/a?b=1#c.\n\n#Tea #greentea",
		Facets: []facet{
			{slice{20, 48}, []feature{{Type: "app.bsky.richtext.facet#link", URI: "https://shop.example/a?b=1#c"}}},
			{slice{51, 55}, []feature{{Type: "app.bsky.richtext.facet#tag", Tag: "Tea"}}},
			{slice{56, 65}, []feature{{Type: "app.bsky.richtext.facet#tag", Tag: "greentea"}}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What may be said of a post, by where and how the server failed.
func TestFate(t *testing.T) {
	answer := problemOfStatus
	for _, test := range []struct {
		step string
		act  conformance.Act
		want fanfare.Fate
	}{
		{"createSession", conformance.Act{Answer: answer(500, "InternalServerError")}, fanfare.FateHalted},
		{"createSession", conformance.Act{Answer: answer(429, "RateLimitExceeded")}, fanfare.FateHalted},
		{"createSession", conformance.Act{Answer: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }}, fanfare.FateHalted},
		{"createRecord", conformance.Act{Answer: answer(401, "ExpiredToken")}, fanfare.FateUnauthorized},
		{"createRecord", conformance.Act{Answer: answer(500, "InternalServerError")}, fanfare.FateUnknown},
		{"createRecord", conformance.Act{Cut: true}, fanfare.FateUnknown},
		{"createRecord", conformance.Act{Answer: answer(400, "InvalidRequest")}, fanfare.FateRefused},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{test.step: test.act})
		if _, err := s.open(t).Send(t.Context(), message()); fateOf(err) != test.want {
			t.Errorf("%s: %v, want %s", test.step, err, test.want)
		}
	}
}

// A post that is there already is found, whether the server calls the second a
// bad request or fails.
func TestSecondOfTheSameKey(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusInternalServerError} {
		s := newServer(t)
		key, _ := recordKey(delivery)
		s.records[key] = json.RawMessage("{}")
		s.Set(map[string]conformance.Act{"createRecord": {Answer: problemOfStatus(status, "InvalidRequest")}})
		c := s.open(t)
		if id, err := c.Send(t.Context(), message()); err != nil || id != address(key) {
			t.Errorf("%d: %q, %v", status, id, err)
		}
		if answer, err := c.Ask(t.Context(), message()); err != nil || answer.State != fanfare.AnswerTaken {
			t.Errorf("%d: %+v, %v", status, answer, err)
		}
	}
}

// One that can't be asked says so: a later attempt asks again.
func TestAskInVain(t *testing.T) {
	for _, step := range []string{"createSession", "getRecord"} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{step: {Answer: problemOfStatus(http.StatusBadGateway, "UpstreamFailure")}})
		if answer, err := s.open(t).Ask(t.Context(), message()); fateOf(err) != fanfare.FateHalted {
			t.Errorf("%s: %+v, %v", step, answer, err)
		}
	}
}

func TestSignsInOnce(t *testing.T) {
	s := newServer(t)
	c := s.open(t)
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(t.Context(), message()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"createSession", "createRecord"}, s.Steps()); diff != "" {
		t.Error(diff)
	}
}

func TestLimits(t *testing.T) {
	family := "👨‍👩‍👧‍👦" // one to who reads, 25 bytes
	for text, want := range map[string]fanfare.Fate{
		strings.Repeat("é", maxCharacters): "sent", strings.Repeat("e\u0301", maxCharacters): "sent", strings.Repeat(family, 100): "sent",
		strings.Repeat("a", maxCharacters+1): fanfare.FateRefused, strings.Repeat(family, 130): fanfare.FateRefused,
		"": fanfare.FateRefused, " ": fanfare.FateRefused,
	} {
		if _, err := compose(posting(text)); fateOf(err) != want {
			t.Errorf("%d characters, %d bytes: %v", len([]rune(text)), len(text), err)
		}
	}
	_, err := compose(posting(strings.Repeat("a", 301)))
	if want := "Bluesky takes posts of at most 300 characters, and this one has 301 with its hashtags."; !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}

// A key is of the delivery alone, and of the kind that posts have.
func TestRecordKey(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{delivery, delivery + "-1", "0192f0c0-1111-7222-8333-444455556667", "ffffffff-ffff-7fff-bfff-ffffffffffff", "00000000-0000-7000-8000-000000000000"} {
		key, err := recordKey(id)
		again, _ := recordKey(id)
		if err != nil || key != again || seen[key] != "" || len(key) != 13 || !strings.Contains("234567abcdefghij", key[:1]) {
			t.Errorf("%s: %q, %q, %v", id, key, again, err)
		}
		seen[key] = id
	}
	for _, id := range []string{"", "canary", "xxxxxxxx-xxxx-7222-8333-444455556666"} {
		if key, err := recordKey(id); err == nil {
			t.Errorf("%q: %s", id, key)
		}
	}
	// The milliseconds of 2024-11-03 make the key's beginning.
	if key, _ := recordKey(delivery); key[:8] != tid(0x0192f0c01111*1000, 0)[:8] {
		t.Error(key)
	}
}

func TestService(t *testing.T) {
	for service, want := range map[string]bool{
		"": true, "https://pds.example.com": true, "https://pds.example.com/": true, "http://pds.example.com": false, "pds.example.com": false,
		"https://a:b@pds.example.com": false, "https://pds.example.com?x=1": false, "https://pds.example.com#x": false, "ftp://pds.example.com": false,
	} {
		c := fanfare.Credentials{"service": service, "identifier": handle, "appPassword": password}
		if err := New(connector.Outside{}).Check(c); (err == nil) != want {
			t.Errorf("%q: %v", service, err)
		}
	}
}
