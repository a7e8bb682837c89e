package discord

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	webhookID = "223704706495545344"
	token     = "canary-3d89bb7572e0fb30d8128367b3b1b44fecd1726de135cbe28a41f8b2f777"
)

// server is Discord as its documentation has it. Steps are methods.
type server struct {
	*conformance.Standin
	mu    sync.Mutex
	taken []map[string]any
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "/api/v10") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"webhookUrl": "https://discord.com/api/webhooks/" + webhookID + "/" + token}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.taken)
}

func (s *server) Behave(b conformance.Behaviour) {
	gone := conformance.Act{Answer: says(http.StatusNotFound, 10015, "Unknown Webhook")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"POST": {Answer: says(http.StatusBadRequest, 50035, "Invalid Form Body")}},
		conformance.RateLimits:         {"POST": {Answer: says(http.StatusTooManyRequests, 0, "You are being rate limited.")}},
		conformance.RejectsCredentials: {"POST": gone, "GET": gone},
		conformance.StallsBefore:       {"POST": {Stall: true}},
		conformance.StallsAfter:        {"POST": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"POST": {Cut: true}},
		conformance.BreaksAfter:        {"POST": {Obey: true, Cut: true}},
	}[b])
}

// says quotes what it was shown.
func says(status, code int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message + "\nhttps://discord.com" + r.URL.String(), "retry_after": 6.43})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path != "/api/v10/webhooks/"+webhookID+"/"+token {
		says(http.StatusUnauthorized, 50027, "Invalid Webhook Token")(w, r)
		return
	}
	if r.Method == http.MethodGet {
		fmt.Fprintf(w, `{"id":%q,"token":%q,"channel_id":"1"}`, webhookID, token)
		return
	}
	var in map[string]any
	err := json.NewDecoder(r.Body).Decode(&in)
	if content, _ := in["content"].(string); err != nil || content == "" || utf8.RuneCountInString(content) > 2000 || r.URL.Query().Get("wait") != "true" {
		says(http.StatusBadRequest, 50035, "Invalid Form Body")(w, r)
		return
	}
	s.taken = append(s.taken, in)
	fmt.Fprintf(w, `{"id":"%d","channel_id":"1"}`, 1000+len(s.taken))
}

func posting(text string) fanfare.Outgoing {
	return fanfare.Outgoing{ID: "0192f0c0-1111-7222-8333-444455556666", Channel: fanfare.Social, Content: fanfare.Content{
		Social: &fanfare.SocialContent{Post: text, Hashtags: []string{"tea"}},
	}}
}

func TestConformance(t *testing.T) {
	tooMuch := posting(strings.Repeat("a", 1995)).Content // and a hashtag
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     posting("Tea & cake 🎉"),
		Canaries:    []string{token},
		AnswerTaken: fanfare.AnswerUnknown,
		TooMuch:     &tooMuch,
		OneRequest:  true,
		RetryAfter:  7 * time.Second,
	})
}

func TestWhatIsPosted(t *testing.T) {
	s := newServer(t)
	connection, err := New(s.Outside()).Open(s.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	if id, err := connection.Send(t.Context(), posting("@everyone: <@1> tea")); id != "1001" || err != nil {
		t.Fatal(id, err)
	}
	want := map[string]any{"content": "@everyone: <@1> tea\n\n#tea", "allowed_mentions": map[string]any{"parse": []any{}}}
	if diff := cmp.Diff(want, s.taken[0]); diff != "" {
		t.Error(diff)
	}
	s.Set(map[string]conformance.Act{"POST": {Answer: says(http.StatusInternalServerError, 0, "")}})
	_, err = connection.Send(t.Context(), posting("Tea"))
	if e, ok := errors.AsType[*fanfare.SendError](err); !ok || e.Fate != fanfare.FateUnknown {
		t.Error(err)
	}
}

// The URL leads to Discord and nowhere else.
func TestWebhook(t *testing.T) {
	for value, want := range map[string]bool{
		"https://discord.com/api/webhooks/1/" + token:              true,
		"https://discord.com/api/v10/webhooks/1/" + token:          true,
		"https://discordapp.com/api/webhooks/1/" + token:           true,
		"https://ptb.discord.com/api/webhooks/1/" + token:          true,
		"https://canary.discord.com/api/webhooks/1/" + token:       true,
		"http://discord.com/api/webhooks/1/" + token:               false,
		"https://discord.com:8443/api/webhooks/1/" + token:         false,
		"https://discord.com.evil.example/api/webhooks/1/" + token: false,
		"https://evildiscord.com/api/webhooks/1/" + token:          false,
		"https://discord.com@evil.example/api/webhooks/1/" + token: false,
		"https://discord.com/api/webhooks/1/" + token + "/slack":   false,
		"https://discord.com/api/webhooks/1/../../" + token:        false,
		"https://discord.com/api/webhooks/x/" + token:              false,
		"https://discord.com/api/webhooks/1/" + token + "?a=b":     false,
		"https://discord.com/api/webhooks/1/short":                 false,
		"discord": false,
	} {
		err := New(connector.Outside{}).Check(fanfare.Credentials{"webhookUrl": value})
		if (err == nil) != want || err != nil && strings.Contains(fmt.Sprintf("%+v", err), token) {
			t.Errorf("%s: %v", value, err)
		}
	}
}
