package x

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"path"
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
	delivery = "0192f0c0-1111-7222-8333-444455556666" // of 2024-11-03
)

type posted struct {
	text string
	at   time.Time
}

// server is X as its documentation has it. Steps are named by method and the
// path's last part.
type server struct {
	*conformance.Standin
	mu    sync.Mutex
	posts []posted // the oldest first
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method + " " + path.Base(r.URL.Path) }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "/2") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{
		"clientId": "app", "clientSecret": "canary-secret", "refreshToken": "canary-refresh", "accessToken": token,
	}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posts)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(http.StatusUnauthorized, "Unauthorized")}
	duplicate := says(http.StatusForbidden, "You are not allowed to create a Tweet with duplicate content.")
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"POST tweets": {Answer: duplicate}},
		conformance.RateLimits:         {"POST tweets": {Answer: says(http.StatusTooManyRequests, "Too Many Requests")}},
		conformance.RejectsCredentials: {"POST tweets": wrong, "GET me": wrong},
		conformance.StallsBefore:       {"POST tweets": {Stall: true}},
		conformance.StallsAfter:        {"POST tweets": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"POST tweets": {Cut: true}},
		conformance.BreaksAfter:        {"POST tweets": {Obey: true, Cut: true}},
	}[b])
}

// says quotes what it was shown.
func says(status int, problem string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Rate-Limit-Reset", fmt.Sprint(time.Now().Add(7*time.Second).Unix()))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"title": "Problem", "status": status, "detail": problem + "\n" + r.Header.Get("Authorization") + " canary-secret canary-refresh",
		})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch route := r.Method + " " + r.URL.Path; {
	case r.Header.Get("Authorization") != "Bearer "+token:
		says(http.StatusUnauthorized, "Unauthorized")(w, r)
	case route == "GET /2/users/me":
		fmt.Fprint(w, `{"data":{"id":"2244994945","name":"Shop","username":"shop"}}`)
	case route == "GET /2/users/2244994945/tweets":
		s.list(w, r)
	case route == "POST /2/tweets":
		s.post(w, r)
	default:
		says(http.StatusNotFound, "Not Found")(w, r)
	}
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var in struct{ Text string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Text == "" {
		says(http.StatusBadRequest, "One or more parameters to your request was invalid.")(w, r)
		return
	}
	s.posts = append(s.posts, posted{in.Text, time.Now()})
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]string{"id": fmt.Sprint(100 + len(s.posts)), "text": in.Text}})
}

// list gives links back shortened, and text escaped.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	since, err := time.Parse(time.RFC3339, r.FormValue("start_time"))
	if err != nil || r.FormValue("max_results") != "100" {
		says(http.StatusBadRequest, "One or more parameters to your request was invalid.")(w, r)
		return
	}
	data := []map[string]any{}
	for i, p := range s.posts {
		if p.at.Before(since) {
			continue
		}
		text, urls := p.text, []map[string]string{}
		for _, at := range links(p.text) {
			link, short := p.text[at[0]:at[1]], fmt.Sprintf("https://t.co/%d%d", i, len(urls))
			text = strings.Replace(text, link, short, 1)
			if !strings.HasPrefix(link, "http") {
				link = "http://" + link
			}
			urls = append(urls, map[string]string{"url": short, "expanded_url": link})
		}
		one := map[string]any{"id": fmt.Sprint(101 + i), "text": html.EscapeString(text)}
		if r.FormValue("tweet.fields") == "entities" {
			one["entities"] = map[string]any{"urls": urls}
		}
		data = append([]map[string]any{one}, data...)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": data})
}

func posting(text string) fanfare.Outgoing {
	return fanfare.Outgoing{ID: delivery, Channel: fanfare.Social, Content: fanfare.Content{Social: &fanfare.SocialContent{
		Post: text, Hashtags: []string{"tea"},
	}}}
}

func TestConformance(t *testing.T) {
	tooMuch := posting(strings.Repeat("a", 275)).Content // and a hashtag of six
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     posting("Tea & <cake> 🎉 https://shop.example/a?b=c&d=e. https://shop.example/2"),
		AnswerTaken: fanfare.AnswerTaken,
		TooMuch:     &tooMuch,
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

func fateOf(err error) fanfare.Fate {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e.Fate
	}
	return "sent"
}

// Lengths are those of https://docs.x.com/fundamentals/counting-characters.
func TestLength(t *testing.T) {
	for text, want := range map[string]int{
		"":                  0,
		"Tea é ü ß ñ":       11,
		"cafe\u0301":        4,
		"茶とケーキ":             10,
		"차":                 2,
		"“Tea” – it’s":      12,
		"… €":               5,
		"🎉":                 2,
		"👨‍👩‍👧‍👦":           2,
		"👍🏽":                2,
		"🇩🇪":                2,
		"☕️":                2,
		"https://x.example": 23,
		"a https://x.example/" + strings.Repeat("b", 300) + ". c": 28,
		"https://a.example https://b.example":                     47,
		"shop.com":                                                23,
		"(Shop.co.uk/tea?a=b).":                                   26,
		"at shop.github.io, e.g. node.js":                         40,
		"tea.shop@shop.com, me@shop.com/x":                        32,
		"https://shop.com/a shop.com":                             47,
		"HTTPS://shop.com/" + strings.Repeat("a", 30):             23,
		"https://shop.exampleをご覧ください":                             37,
		"shop.com/saleをご覧":                                        29,
		"shop.com:8080/tea?x=1&y=2.":                              24,
		"shop.com?x=1":                                            23,
		"#tea.com $tea.com":                                       17,
		"Look...shop.com":                                         15,
	} {
		if got := length(text); got != want {
			t.Errorf("%q has %d, want %d", text, got, want)
		}
	}
}

func TestFits(t *testing.T) {
	for text, want := range map[string]fanfare.Fate{
		strings.Repeat("a", 274): "sent", strings.Repeat("a", 275): fanfare.FateRefused,
		strings.Repeat("茶", 137): "sent", strings.Repeat("茶", 138): fanfare.FateRefused,
	} {
		s := newServer(t)
		fitter, ok := s.open(t).(fanfare.Fitter)
		if !ok {
			t.Fatal("a launch can't find out what fits")
		}
		if err := fitter.Fits(t.Context(), posting(text).Content); fateOf(err) != want || len(s.Steps()) != 0 {
			t.Errorf("%d of %.3q: %v", len(text), text, err)
		}
	}
}

func TestFate(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   fanfare.Fate
	}{
		"duplicate":   {says(403, "You are not allowed to create a Tweet with duplicate content."), fanfare.FateRefused},
		"no scope":    {says(403, "You are not permitted to perform this action."), fanfare.FateUnauthorized},
		"invalid":     {says(400, "Invalid"), fanfare.FateRefused},
		"unavailable": {says(503, "Service Unavailable"), fanfare.FateUnknown},
		"nonsense":    {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }, fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"POST tweets": {Answer: test.answer}})
		if _, err := s.open(t).Send(t.Context(), posting("Tea")); fateOf(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// A post is the message's if it has its text and came after it.
func TestAsk(t *testing.T) {
	began, _ := connector.Began(delivery)
	text := "Tea & https://a.example, or tea.com\n\n#tea"
	for name, test := range map[string]struct {
		post posted
		act  http.HandlerFunc
		want fanfare.AnswerState
		fate fanfare.Fate
	}{
		"there":         {post: posted{text, began.Add(time.Hour)}, want: fanfare.AnswerTaken, fate: "sent"},
		"of before":     {post: posted{text, began.Add(-time.Hour)}, want: fanfare.AnswerUnknown, fate: "sent"},
		"another link":  {post: posted{strings.Replace(text, "a.ex", "b.ex", 1), began.Add(time.Hour)}, want: fanfare.AnswerUnknown, fate: "sent"},
		"another text":  {post: posted{text + "!", began.Add(time.Hour)}, want: fanfare.AnswerUnknown, fate: "sent"},
		"may not read":  {act: says(403, "not permitted"), want: fanfare.AnswerUnknown, fate: "sent"},
		"can't be told": {act: says(503, ""), want: fanfare.AnswerUnknown, fate: fanfare.FateHalted},
	} {
		s := newServer(t)
		s.posts = []posted{test.post}
		if test.act != nil {
			s.Set(map[string]conformance.Act{"GET tweets": {Answer: test.act}})
		}
		answer, err := s.open(t).Ask(t.Context(), posting("Tea & https://a.example, or tea.com"))
		if answer.State != test.want || fateOf(err) != test.fate {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}

// The connector renews its tokens as X asks for it: by the app's secret in the
// header.
func TestRenew(t *testing.T) {
	s := newServer(t)
	s.Set(map[string]conformance.Act{"POST token": {Answer: func(w http.ResponseWriter, r *http.Request) {
		user, secret, ok := r.BasicAuth()
		if !ok || user != "app" || secret != "canary-secret" || r.URL.Path != "/2/oauth2/token" || r.PostFormValue("refresh_token") != "canary-refresh" {
			says(http.StatusUnauthorized, "invalid_client")(w, r)
			return
		}
		fmt.Fprint(w, `{"token_type":"bearer","expires_in":7200,"access_token":"new","refresh_token":"next"}`)
	}}})
	var renewer connector.Renewer = New(s.Outside())
	got, lasts, err := renewer.Renew(t.Context(), s.Credentials())
	if err != nil || got["accessToken"] != "new" || got["refreshToken"] != "next" || lasts != 2*time.Hour {
		t.Error(lasts, err)
	}
	if err := New(s.Outside()).Check(got); err != nil || !renewer.Renews(got) {
		t.Errorf("what was renewed can't be used: %v", err)
	}
}
