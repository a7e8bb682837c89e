package mastodon

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
	"fanfare/channel/social"
)

const (
	token    = "canary-0123456789"
	delivery = "0192f0c0-1111-7222-8333-444455556666" // of 2024-11-03
)

// posted is a post as the server keeps it.
type posted struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
	text, key string
}

// server is Mastodon as its documentation has it. Steps are named by method and
// the path's last part.
type server struct {
	*conformance.Standin
	mu     sync.Mutex
	posts  []posted // the newest first
	limits string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{limits: `{"configuration":{"statuses":{"max_characters":100,"characters_reserved_per_url":23}}}`}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string { return r.Method + " " + path.Base(r.URL.Path) }, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"server": s.URL, "accessToken": token}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.posts)
}

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(http.StatusUnauthorized, "The access token is invalid")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"POST statuses": {Answer: says(http.StatusUnprocessableEntity, "Validation failed")}},
		conformance.RateLimits:         {"POST statuses": {Answer: says(http.StatusTooManyRequests, "Too many requests")}},
		conformance.RejectsCredentials: {"POST statuses": wrong, "GET verify_credentials": wrong},
		conformance.StallsBefore:       {"POST statuses": {Stall: true}},
		conformance.StallsAfter:        {"POST statuses": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"POST statuses": {Cut: true}},
		conformance.BreaksAfter:        {"POST statuses": {Obey: true, Cut: true}},
	}[b])
}

// says quotes what it was shown.
func says(status int, problem string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-Reset", time.Now().Add(7*time.Second).UTC().Format("2006-01-02T15:04:05.000000Z"))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": problem + "\n" + r.Header.Get("Authorization")})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch route := r.Method + " " + r.URL.Path; {
	case route == "GET /api/v2/instance":
		fmt.Fprint(w, s.limits)
	case r.Header.Get("Authorization") != "Bearer "+token:
		says(http.StatusUnauthorized, "The access token is invalid")(w, r)
	case route == "GET /api/v1/accounts/verify_credentials":
		fmt.Fprint(w, `{"id":"14715","username":"shop"}`)
	case route == "GET /api/v1/accounts/14715/statuses":
		_ = json.NewEncoder(w).Encode(s.posts)
	case strings.HasSuffix(r.URL.Path, "/source") && r.Method == http.MethodGet:
		s.source(w, r)
	case route == "POST /api/v1/statuses":
		s.post(w, r)
	default:
		says(http.StatusNotFound, "Record not found")(w, r)
	}
}

func (s *server) source(w http.ResponseWriter, r *http.Request) {
	at := slices.IndexFunc(s.posts, func(p posted) bool { return r.URL.Path == "/api/v1/statuses/"+p.ID+"/source" })
	if at < 0 {
		says(http.StatusNotFound, "Record not found")(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]string{"id": s.posts[at].ID, "text": s.posts[at].text})
}

func (s *server) post(w http.ResponseWriter, r *http.Request) {
	var in struct{ Status string }
	if json.NewDecoder(r.Body).Decode(&in) != nil || in.Status == "" || social.Length(in.Status) > 100 {
		says(http.StatusUnprocessableEntity, "Validation failed: Text character limit of 100 exceeded")(w, r)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	at := slices.IndexFunc(s.posts, func(p posted) bool { return p.key == key && key != "" })
	if at < 0 {
		s.posts = slices.Insert(s.posts, 0, posted{ID: fmt.Sprint(100 + len(s.posts)), CreatedAt: time.Now(), text: in.Status, key: key})
		at = 0
	}
	_ = json.NewEncoder(w).Encode(s.posts[at])
}

func posting(text string) fanfare.Outgoing {
	return fanfare.Outgoing{ID: delivery, Channel: fanfare.Social, Content: fanfare.Content{Social: &fanfare.SocialContent{
		Post: text, Hashtags: []string{"#tea"},
	}}}
}

func TestConformance(t *testing.T) {
	tooMuch := posting(strings.Repeat("a", 95)).Content // and a hashtag
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     posting("Tea & cake 🎉"),
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

func TestWhatIsPosted(t *testing.T) {
	s := newServer(t)
	id, err := s.open(t).Send(t.Context(), posting("Tea <b> & cake."))
	if id != "100" || err != nil || s.posts[0].text != "Tea <b> & cake.\n\n#tea" || s.posts[0].key != delivery {
		t.Errorf("%q, %v, %+v", id, err, s.posts)
	}
}

// A post is the message's if it has its text and came after it.
func TestAsk(t *testing.T) {
	began, _ := connector.Began(delivery)
	at := func(after time.Duration, text string) posted {
		return posted{ID: fmt.Sprint(int(after.Seconds()) + 10), CreatedAt: began.Add(after), text: text}
	}
	text := "Tea.\n\n#tea"
	for name, test := range map[string]struct {
		posts []posted
		acts  map[string]conformance.Act
		want  fanfare.AnswerState
		fate  fanfare.Fate
	}{
		"there":         {posts: []posted{at(2*time.Hour, text)}, want: fanfare.AnswerTaken, fate: "sent"},
		"below others":  {posts: []posted{at(3*time.Hour, "other"), at(time.Second, text+"\n")}, want: fanfare.AnswerTaken, fate: "sent"},
		"of before":     {posts: []posted{at(-time.Second, text)}, want: fanfare.AnswerUnknown, fate: "sent"},
		"another text":  {posts: []posted{at(time.Second, text+"!")}, want: fanfare.AnswerUnknown, fate: "sent"},
		"none":          {want: fanfare.AnswerUnknown, fate: "sent"},
		"may not read":  {acts: map[string]conformance.Act{"GET statuses": {Answer: says(403, "outside the scopes")}}, want: fanfare.AnswerUnknown, fate: "sent"},
		"can't be told": {acts: map[string]conformance.Act{"GET statuses": {Answer: says(503, "")}}, want: fanfare.AnswerUnknown, fate: fanfare.FateHalted},
		"no source": {
			posts: []posted{at(time.Second, text)}, acts: map[string]conformance.Act{"GET source": {Cut: true}},
			want: fanfare.AnswerUnknown, fate: fanfare.FateDeferred,
		},
	} {
		s := newServer(t)
		s.posts = test.posts
		s.Set(test.acts)
		answer, err := s.open(t).Ask(t.Context(), posting("Tea."))
		if answer.State != test.want || fateOf(err) != test.fate || (answer.ProviderID != "") != (test.want == fanfare.AnswerTaken) {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}

// How long a post may be the server says; what it does not say is as usual.
func TestFits(t *testing.T) {
	link := "https://shop.example/" + strings.Repeat("x", 200)
	for _, test := range []struct {
		limits, text string
		want         fanfare.Fate
	}{
		{"", strings.Repeat("é", 94), "sent"},
		{"", strings.Repeat("é", 95), fanfare.FateRefused},
		{"", link, "sent"},
		{"", strings.Repeat("é", 70) + " " + link, "sent"},
		{"", strings.Repeat("é", 71) + " " + link, fanfare.FateRefused},
		{"{}", strings.Repeat("é", 494), "sent"},
		{"{}", strings.Repeat("é", 495), fanfare.FateRefused},
		{`{"configuration":{"statuses":{"max_characters":30}}}`, link, "sent"},
		{"<html>", "Tea", fanfare.FateDeferred},
	} {
		s := newServer(t)
		if test.limits != "" {
			s.limits = test.limits
		}
		fitter, ok := s.open(t).(fanfare.Fitter)
		if !ok {
			t.Fatal("a launch can't find out what fits")
		}
		if err := fitter.Fits(t.Context(), posting(test.text).Content); fateOf(err) != test.want {
			t.Errorf("%s, %.10q: %v, want %s", test.limits, test.text, err, test.want)
		}
	}
	s := newServer(t)
	s.Set(map[string]conformance.Act{"GET instance": {Answer: says(http.StatusNotFound, "")}})
	if most, perLink, err := s.open(t).(*connection).limits(t.Context()); err != nil || most != 500 || perLink != 23 {
		t.Error(most, perLink, err)
	}
	if diff := cmp.Diff([]string{"GET instance"}, s.Steps()); diff != "" {
		t.Error(diff)
	}
}
