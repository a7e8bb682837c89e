package facebook

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	token    = "canary-0123456789"
	page     = "1234567890"
	delivery = "0192f0c0-1111-7222-8333-444455556666" // of 2024-11-03
)

type posted struct {
	ID      string `json:"id"`
	Message string `json:"message"`
	at      time.Time
}

// server is the Graph API as its documentation has it. Steps are named by method
// and the path's last part.
type server struct {
	*conformance.Standin
	mu    sync.Mutex
	posts []posted // the newest first
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method + " " + path.Base(r.URL.Path) }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "/v24.0") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"pageId": page, "accessToken": token}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posts)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(400, 190, "Error validating access token")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"POST feed": {Answer: says(400, 506, "Duplicate status message")}},
		conformance.RateLimits:         {"POST feed": {Answer: says(400, 32, "Page request limit reached")}},
		conformance.RejectsCredentials: {"POST feed": wrong, "GET me": wrong},
		conformance.StallsBefore:       {"POST feed": {Stall: true}},
		conformance.StallsAfter:        {"POST feed": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"POST feed": {Cut: true}},
		conformance.BreaksAfter:        {"POST feed": {Obey: true, Cut: true}},
	}[b])
}

// says quotes what it was shown.
func says(status, code int, problem string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"message": problem + "\n" + r.Header.Get("Authorization"), "type": "OAuthException", "code": code,
		}})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch route := r.Method + " " + r.URL.Path; {
	case r.Header.Get("Authorization") != "Bearer "+token:
		says(401, 190, "Error validating access token")(w, r)
	case route == "GET /v24.0/me":
		fmt.Fprintf(w, `{"id":%q}`, page)
	case route == "GET /v24.0/"+page+"/published_posts":
		s.list(w, r)
	case route == "POST /v24.0/"+page+"/feed":
		s.post(w, r)
	default:
		says(400, 100, "Unsupported request")(w, r)
	}
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var in struct{ Message string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Message == "" {
		says(400, 100, "Invalid parameter")(w, r)
		return
	}
	p := posted{fmt.Sprintf("%s_%d", page, 100+len(s.posts)), in.Message, time.Now()}
	s.posts = slices.Insert(s.posts, 0, p)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": p.ID})
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	since, err := strconv.ParseInt(r.FormValue("since"), 10, 64)
	if err != nil || r.FormValue("fields") != "id,message" {
		says(400, 100, "Invalid parameter")(w, r)
		return
	}
	found := []posted{}
	for _, p := range s.posts {
		if p.at.Unix() >= since {
			found = append(found, p)
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": found})
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
		Message:     posting("Tea & <cake> 🎉 https://shop.example/"),
		AnswerTaken: fanfare.AnswerTaken,
		OneRequest:  true,
	})
}

func (s *server) open(t *testing.T, changes ...string) fanfare.Connection {
	t.Helper()
	c := s.Credentials()
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
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

func TestFate(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   fanfare.Fate
	}{
		"no permission": {says(403, 200, "Permissions error"), fanfare.FateUnauthorized},
		"session ended": {says(400, 190, "expired"), fanfare.FateUnauthorized},
		"app's limit":   {says(400, 4, "Application request limit reached"), fanfare.FateHalted},
		"business":      {says(400, 80001, "too many calls"), fanfare.FateHalted},
		"invalid":       {says(400, 100, "Invalid parameter"), fanfare.FateRefused},
		"unknown":       {says(400, 1, "An unknown error occurred"), fanfare.FateUnknown},
		"unavailable":   {says(503, 2, "Service temporarily unavailable"), fanfare.FateUnknown},
		"its own fault": {says(500, 960, "Request aborted"), fanfare.FateUnknown},
		"nonsense":      {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, fanfare.FateUnknown},
		"gateway":       {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"POST feed": {Answer: test.answer}})
		if _, err := s.open(t).Send(t.Context(), posting("Tea")); fateOf(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// A user's token reads, and does not post as the page.
func TestTestWantsThePagesToken(t *testing.T) {
	s := newServer(t)
	if err := s.open(t, "pageId=42").Test(t.Context()); fateOf(err) != fanfare.FateUnauthorized {
		t.Error(err)
	}
}

// A post is the message's if it has its text and came after it.
func TestAsk(t *testing.T) {
	began, _ := connector.Began(delivery)
	text := "Tea\n\n#tea"
	for name, test := range map[string]struct {
		post posted
		act  http.HandlerFunc
		want fanfare.AnswerState
		fate fanfare.Fate
	}{
		"there":         {post: posted{"1", text, began.Add(time.Hour)}, want: fanfare.AnswerTaken, fate: "sent"},
		"of before":     {post: posted{"1", text, began.Add(-time.Hour)}, want: fanfare.AnswerUnknown, fate: "sent"},
		"another text":  {post: posted{"1", text + "!", began.Add(time.Hour)}, want: fanfare.AnswerUnknown, fate: "sent"},
		"may not read":  {act: says(403, 10, "pages_read_engagement"), want: fanfare.AnswerUnknown, fate: "sent"},
		"can't be told": {act: says(400, 32, "limit"), want: fanfare.AnswerUnknown, fate: fanfare.FateHalted},
	} {
		s := newServer(t)
		s.posts = []posted{test.post}
		if test.act != nil {
			s.Set(map[string]conformance.Act{"GET published_posts": {Answer: test.act}})
		}
		answer, err := s.open(t).Ask(t.Context(), posting("Tea"))
		if answer.State != test.want || fateOf(err) != test.fate {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, id := range []string{"shop", "12/feed", strings.Repeat("1", 21)} {
		refusal, ok := errors.AsType[*fanfare.Error](New(connector.Outside{}).Check(fanfare.Credentials{"pageId": id, "accessToken": token}))
		if !ok || refusal.Fields[0].Field != "credentials.pageId" {
			t.Errorf("%s: %v", id, refusal)
		}
	}
}
