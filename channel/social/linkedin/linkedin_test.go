package linkedin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
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
	token    = "canary-0123456789"
	author   = "urn:li:organization:5515715"
	delivery = "0192f0c0-1111-7222-8333-444455556666" // of 2024-11-03
)

type posted struct {
	ID         string `json:"id"`
	Commentary string `json:"commentary"`
	CreatedAt  int64  `json:"createdAt"`
}

// server is LinkedIn as its documentation has it. Steps are methods.
type server struct {
	*conformance.Standin
	mu    sync.Mutex
	posts []posted // the newest first
	scope string   // of the token
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{scope: "r_organization_social,w_organization_social"}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{
		"author": author, "accessToken": token, "clientId": "app", "clientSecret": "canary-secret", "refreshToken": "canary-refresh",
	}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posts)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(http.StatusUnauthorized, "INVALID_ACCESS_TOKEN")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"POST": {Answer: says(http.StatusUnprocessableEntity, "DUPLICATE_POST")}},
		conformance.RateLimits:         {"POST": {Answer: says(http.StatusTooManyRequests, "TOO_MANY_REQUESTS")}},
		conformance.RejectsCredentials: {"POST": wrong, "GET": wrong},
		conformance.StallsBefore:       {"POST": {Stall: true}},
		conformance.StallsAfter:        {"POST": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"POST": {Cut: true}},
		conformance.BreaksAfter:        {"POST": {Obey: true, Cut: true}},
	}[b])
}

// says quotes what it was shown.
func says(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"status": status, "code": code, "message": "was shown\n" + r.Header.Get("Authorization") + " canary-secret canary-refresh",
		})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch route := r.Method + " " + r.URL.Path; {
	case route == "POST /oauth/v2/introspectToken":
		s.inspect(w, r)
	case r.Header.Get("Authorization") != "Bearer "+token:
		says(http.StatusUnauthorized, "INVALID_ACCESS_TOKEN")(w, r)
	case r.Header.Get("LinkedIn-Version") != version || r.Header.Get("X-Restli-Protocol-Version") != "2.0.0":
		says(http.StatusUpgradeRequired, "NONEXISTENT_VERSION")(w, r)
	case route == "GET /rest/posts":
		s.list(w, r)
	case route == "POST /rest/posts":
		s.post(w, r)
	default:
		says(http.StatusNotFound, "RESOURCE_NOT_FOUND")(w, r)
	}
}

func (s *server) inspect(w http.ResponseWriter, r *http.Request) {
	if r.PostFormValue("client_id") != "app" || r.PostFormValue("client_secret") != "canary-secret" || r.Header.Get("Authorization") != "" {
		says(http.StatusUnauthorized, "invalid_client")(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"active": r.PostFormValue("token") == token, "scope": s.scope})
}

var unescaped = regexp.MustCompile(`(^|[^\\])[|{}@\[\]()<>*_~]`)

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Author, Commentary, Visibility, LifecycleState string
		Distribution                                   struct{ FeedDistribution string }
	}
	err := json.NewDecoder(r.Body).Decode(&in)
	if err != nil || in.Author != author || in.Visibility != "PUBLIC" || in.LifecycleState != "PUBLISHED" || in.Distribution.FeedDistribution != "MAIN_FEED" || unescaped.MatchString(in.Commentary) {
		says(http.StatusBadRequest, "MISSING_REQUIRED_FIELD_ERROR")(w, r)
		return
	}
	id := fmt.Sprintf("urn:li:share:%d", 100+len(s.posts))
	kept := regexp.MustCompile(`#(\w+)`).ReplaceAllString(in.Commentary, `{hashtag|\#|$1}`) // as it is given back
	s.posts = slices.Insert(s.posts, 0, posted{id, kept, time.Now().UnixMilli()})
	w.Header().Set("X-Restli-Id", id)
	w.WriteHeader(http.StatusCreated)
}

func (s *server) list(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("q") != "author" || r.FormValue("author") != author || r.Header.Get("X-Restli-Method") != "FINDER" {
		says(http.StatusBadRequest, "ILLEGAL_ARGUMENT")(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"elements": s.posts})
}

func posting(text string) fanfare.Outgoing {
	return fanfare.Outgoing{ID: delivery, Channel: fanfare.Social, Content: fanfare.Content{Social: &fanfare.SocialContent{
		Post: text, Hashtags: []string{"tea"},
	}}}
}

func TestConformance(t *testing.T) {
	tooMuch := posting(strings.Repeat("a", 2995)).Content // and a hashtag of six
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     posting(`Tea & <cake> (50% off) @home | *new* #cake_1 \o/ 🎉`),
		AnswerTaken: fanfare.AnswerTaken,
		TooMuch:     &tooMuch,
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

func TestLittle(t *testing.T) {
	for text, want := range map[string]string{
		"Tea.":                       "Tea.",
		"a|b{c}@d[e](f)<g>*h_i~j\\k": `a\|b\{c\}\@d\[e\]\(f\)\<g\>\*h\_i\~j\\k`,
		"#tea and #1, a#b #two_2":    `#tea and \#1, a\#b #two\_2`,
		"https://x.example/_a#b":     `https://x.example/\_a\#b`,
	} {
		if diff := cmp.Diff(want, little(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		if got := read(little(text)); got != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
	for given, want := range map[string]string{
		`Tea {hashtag|\#|tea}`: "Tea #tea", `{hashtag|#|two\_2} \(x\)`: "#two_2 (x)", `{hashtag\|\#\|tea}`: "#tea",
	} {
		if got := read(given); got != want {
			t.Errorf("%q is read as %q", given, got)
		}
	}
}

func TestFate(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   fanfare.Fate
	}{
		"no scope":    {says(403, "ACCESS_DENIED"), fanfare.FateUnauthorized},
		"old version": {says(426, "NONEXISTENT_VERSION"), fanfare.FateUnauthorized},
		"invalid":     {says(400, "ILLEGAL_ARGUMENT"), fanfare.FateRefused},
		"unavailable": {says(503, "SERVICE_UNAVAILABLE"), fanfare.FateUnknown},
		"without id":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(201) }, fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"POST": {Answer: test.answer}})
		if _, err := s.open(t).Send(t.Context(), posting("Tea")); fateOf(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

// A token is good if it may write, whether it may read or not.
func TestOfTheScope(t *testing.T) {
	for scope, want := range map[string]fanfare.Fate{
		"r_basicprofile,w_organization_social": "sent",
		"w_organization_social r_basicprofile": "sent",
		"r_basicprofile,w_member_social":       fanfare.FateUnauthorized,
		"":                                     fanfare.FateUnauthorized,
	} {
		s := newServer(t)
		s.scope = scope
		reads := s.open(t).Test(t.Context())
		s.Set(map[string]conformance.Act{"GET": {Answer: says(403, "ACCESS_DENIED")}})
		if err := s.open(t).Test(t.Context()); fateOf(err) != want || fateOf(reads) != want {
			t.Errorf("%s: %v and %v, want %s", scope, reads, err, want)
		}
	}
}

// A post is the message's if it has its text and came after it.
func TestAsk(t *testing.T) {
	began, _ := connector.Began(delivery)
	text := `Tea \(new\)` + "\n\n" + `{hashtag|\#|tea}`
	for name, test := range map[string]struct {
		post posted
		act  http.HandlerFunc
		want fanfare.AnswerState
		fate fanfare.Fate
	}{
		"there":         {post: posted{"1", text, began.Add(time.Hour).UnixMilli()}, want: fanfare.AnswerTaken, fate: "sent"},
		"of before":     {post: posted{"1", text, began.Add(-time.Hour).UnixMilli()}, want: fanfare.AnswerUnknown, fate: "sent"},
		"another text":  {post: posted{"1", text + "!", began.Add(time.Hour).UnixMilli()}, want: fanfare.AnswerUnknown, fate: "sent"},
		"may not read":  {act: says(403, "ACCESS_DENIED"), want: fanfare.AnswerUnknown, fate: "sent"},
		"can't be told": {act: says(503, ""), want: fanfare.AnswerUnknown, fate: fanfare.FateHalted},
	} {
		s := newServer(t)
		s.posts = []posted{test.post}
		if test.act != nil {
			s.Set(map[string]conformance.Act{"GET": {Answer: test.act}})
		}
		answer, err := s.open(t).Ask(t.Context(), posting("Tea (new)"))
		if answer.State != test.want || fateOf(err) != test.fate {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}

func TestCheck(t *testing.T) {
	for change, want := range map[string]string{
		"author=me": "credentials.author", "author=urn:li:share:1": "credentials.author", "version=2026-10": "credentials.version",
		"version=202613": "credentials.version", "clientSecret=": "credentials.clientSecret", "clientId=": "credentials.clientId",
	} {
		c := (&server{}).Credentials()
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
		refusal, ok := errors.AsType[*fanfare.Error](New(connector.Outside{}).Check(c))
		if !ok || refusal.Fields[0].Field != want {
			t.Errorf("%s: %v", change, refusal)
		}
	}
	check := New(connector.Outside{}).Check
	if err := check(fanfare.Credentials{"author": author, "accessToken": token}); err != nil {
		t.Error(err)
	}
	if err := check(fanfare.Credentials{"author": author}); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
		t.Error(err)
	}
}
