package mailchimp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
)

const (
	key  = "canary0123456789abcdef-us21"
	list = "a1b2c3d4e5"
)

// stored is a campaign as the server keeps it.
type stored struct {
	ID       string         `json:"id"`
	Status   string         `json:"status"`
	Settings map[string]any `json:"settings"`
	Content  map[string]any `json:"-"`
}

// act is what the server does at a request in place of obeying, or, with obey,
// in place of answering.
type act struct {
	status           int
	obey, stall, cut bool
	late             bool // obey after release
}

// server is Mailchimp as its documentation has it.
type server struct {
	*httptest.Server
	mu        sync.Mutex
	campaigns []*stored
	acts      map[string]act // by method and the path's last part
	notReady  bool
	sent      int
	tests     []string
	seen      []string
	stalled   chan struct{}
	release   chan struct{}
	end       chan struct{}
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{stalled: make(chan struct{}, 100), release: make(chan struct{}), end: make(chan struct{})}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		close(s.end)
		s.Close()
	})
	return s
}

func (s *server) outside() connector.Outside {
	return connector.Outside{
		HTTP: egress.NewClient(egress.NewDialer(true, nil).DialContext, nil), BaseURLs: map[string]string{name: s.URL + "/3.0"},
	}
}

func (s *server) set(acts map[string]act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = acts
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/3.0/"), "/")
	step := r.Method + " " + parts[len(parts)-1]
	if len(parts) == 2 {
		step = r.Method + " /" // a single campaign or list
	}
	_, shown, _ := r.BasicAuth()
	s.mu.Lock()
	a := s.acts[step]
	s.seen = append(s.seen, step)
	s.mu.Unlock()
	switch {
	case shown != key:
		problem(w, http.StatusUnauthorized, shown)
	case a.status != 0:
		w.Header().Set("Retry-After", "7")
		problem(w, a.status, shown)
	case a == act{}:
		s.obey(w, r, parts)
	case a.late:
		s.stalled <- struct{}{}
		<-s.release
		s.obey(w, r, parts)
	default:
		if a.obey {
			s.obey(httptest.NewRecorder(), r, parts)
		}
		s.breakOff(w, r, a)
	}
}

func (s *server) breakOff(w http.ResponseWriter, r *http.Request, a act) {
	if a.cut {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
		return
	}
	s.stalled <- struct{}{}
	select {
	case <-r.Context().Done():
	case <-s.end:
	}
}

func problem(w http.ResponseWriter, status int, key string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"about:blank","title":"Invalid\nResource","status":%d,"detail":"the key %s %s","errors":[{"field":"settings","message":"no"}]}`,
		status, key, strings.Repeat("x", 300))
}

func (s *server) obey(w http.ResponseWriter, r *http.Request, parts []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var body map[string]any
	if r.ContentLength > 0 && json.NewDecoder(r.Body).Decode(&body) != nil {
		problem(w, http.StatusBadRequest, "")
		return
	}
	switch r.Method + " " + strings.Join(parts[:1], "") + fmt.Sprint(len(parts)) {
	case "GET ping1":
		fmt.Fprint(w, `{"health_status":"Everything's Chimpy!"}`)
	case "GET lists2":
		if parts[1] != list {
			problem(w, http.StatusNotFound, "")
		}
	case "GET campaigns1":
		s.list(w, r)
	case "POST campaigns1":
		s.create(w, body)
	default:
		s.obeyOne(w, r, parts, body)
	}
}

// list is sorted by what the client asks for, newest first, and cut.
func (s *server) list(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("list_id") != list || q.Get("sort_field") != "create_time" || q.Get("sort_dir") != "DESC" {
		problem(w, http.StatusBadRequest, "")
		return
	}
	page := []*stored{}
	for _, c := range s.campaigns {
		page = append([]*stored{c}, page...)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"campaigns": page})
}

func (s *server) create(w http.ResponseWriter, body map[string]any) {
	settings, _ := body["settings"].(map[string]any)
	recipients, _ := body["recipients"].(map[string]any)
	if body["type"] != "regular" || recipients["list_id"] != list || settings["subject_line"] == "" || settings["reply_to"] == "" {
		problem(w, http.StatusBadRequest, "")
		return
	}
	created := &stored{ID: fmt.Sprintf("c%d", len(s.campaigns)+1), Status: "save", Settings: settings}
	s.campaigns = append(s.campaigns, created)
	_ = json.NewEncoder(w).Encode(created)
}

func (s *server) obeyOne(w http.ResponseWriter, r *http.Request, parts []string, body map[string]any) {
	for i, c := range s.campaigns {
		if len(parts) < 2 || c.ID != parts[1] {
			continue
		}
		switch r.Method + " " + strings.Join(parts[2:], "/") {
		case "GET ":
			_ = json.NewEncoder(w).Encode(c)
		case "DELETE ":
			s.campaigns = append(s.campaigns[:i:i], s.campaigns[i+1:]...)
			w.WriteHeader(http.StatusNoContent)
		case "PUT content":
			s.change(w, c, func() { c.Content = body })
		case "GET send-checklist":
			fmt.Fprintf(w, `{"is_ready":%v,"items":[{"type":"error","heading":"Audience","details":"is empty"},{"type":"success","heading":"fine"}]}`, !s.notReady)
		case "POST actions/send":
			s.change(w, c, func() { c.Status = "sending"; s.sent++ })
		case "POST actions/test":
			s.tests = append(s.tests, fmt.Sprint(body["test_emails"], body["send_type"]))
		}
		return
	}
	problem(w, http.StatusNotFound, "")
}

// change does what may be done to a draft with content only.
func (s *server) change(w http.ResponseWriter, c *stored, do func()) {
	if c.Status != "save" {
		problem(w, http.StatusBadRequest, "")
		return
	}
	do()
	w.WriteHeader(http.StatusNoContent)
}

func credentials() fanfare.Credentials {
	return fanfare.Credentials{"apiKey": key, "listId": list, "from": "The Shop <shop@example.com>"}
}
