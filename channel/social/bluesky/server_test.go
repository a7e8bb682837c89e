package bluesky

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
	"fanfare/channel/social"
)

const (
	did      = "did:plc:abcdefghijklmnopqrstuvwx"
	handle   = "shop.bsky.social"
	password = "canary-abcd-efgh-ijkl"
	token    = "canary.header.payload"
)

// server is a server of the protocol as its documentation has it. Steps are
// named by the method that is called, such as createRecord.
type server struct {
	*conformance.Standin
	mu      sync.Mutex
	records map[string]json.RawMessage
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{records: map[string]json.RawMessage{}}
	s.Standin = conformance.NewStandin(t, func(r *http.Request) string {
		return r.URL.Path[strings.LastIndexByte(r.URL.Path, '.')+1:]
	}, s.obey)
	return s
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{"identifier": handle, "appPassword": password}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.records)
}

func (s *server) Behave(b conformance.Behaviour) {
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"createRecord": {Answer: problemOfStatus(http.StatusBadRequest, "InvalidRequest")}},
		conformance.RateLimits:         {"createRecord": {Answer: problemOfStatus(http.StatusTooManyRequests, "RateLimitExceeded")}},
		conformance.RejectsCredentials: {"createSession": {Answer: problemOfStatus(http.StatusUnauthorized, "AuthenticationRequired")}},
		conformance.StallsBefore:       {"createSession": {Stall: true}},
		conformance.StallsAfter:        {"createRecord": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"createSession": {Obey: true, Cut: true}},
		conformance.BreaksAfter:        {"createRecord": {Obey: true, Cut: true}},
	}[b])
}

// problemOfStatus quotes all that it was shown.
func problemOfStatus(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("RateLimit-Reset", fmt.Sprint(time.Now().Add(7*time.Second).Unix()))
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": code, "message": "no\n" + password + r.Header.Get("Authorization")})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method + " " + path.Base(r.URL.Path) {
	case "POST com.atproto.server.createSession":
		var in struct{ Identifier, Password string }
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.Identifier != handle || in.Password != password {
			problemOfStatus(http.StatusUnauthorized, "AuthenticationRequired")(w, r)
			return
		}
		fmt.Fprintf(w, `{"did":%q,"handle":%q,"accessJwt":%q,"refreshJwt":"canary","active":true}`, did, handle, token)
	case "POST com.atproto.repo.createRecord":
		s.create(w, r)
	case "GET com.atproto.repo.getRecord":
		q := r.URL.Query()
		record, ok := s.records[q.Get("rkey")]
		if q.Get("repo") != did || q.Get("collection") != collection || !ok {
			problemOfStatus(http.StatusBadRequest, "RecordNotFound")(w, r)
			return
		}
		fmt.Fprintf(w, `{"uri":%q,"cid":"bafy","value":%s}`, address(q.Get("rkey")), record)
	default:
		problemOfStatus(http.StatusNotImplemented, "MethodNotImplemented")(w, r)
	}
}

func address(key string) string { return "at://" + did + "/" + collection + "/" + key }

func (s *server) create(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Repo, Collection, Rkey string
		Record                 json.RawMessage
	}
	switch err := json.NewDecoder(r.Body).Decode(&in); {
	case r.Header.Get("Authorization") != "Bearer "+token:
		problemOfStatus(http.StatusUnauthorized, "AuthMissing")(w, r)
	case err != nil, in.Repo != did, in.Collection != collection, !valid(in.Rkey, in.Record):
		problemOfStatus(http.StatusBadRequest, "InvalidRequest")(w, r)
	case s.records[in.Rkey] != nil:
		problemOfStatus(http.StatusInternalServerError, "InternalServerError")(w, r) // as the server that others wrote does
	default:
		s.records[in.Rkey] = in.Record
		fmt.Fprintf(w, `{"uri":%q,"cid":"bafy","validationStatus":"valid"}`, address(in.Rkey))
	}
}

// valid is what the schemas ask of a post and its key.
func valid(key string, record json.RawMessage) bool {
	var p post
	if json.Unmarshal(record, &p) != nil || p.Type != collection || p.Text == "" || social.Length(p.Text) > 300 || len(p.Text) > 3000 {
		return false
	}
	if _, err := time.Parse(time.RFC3339, p.CreatedAt); err != nil {
		return false
	}
	for _, f := range p.Facets {
		if f.Index.Start < 0 || f.Index.End > len(p.Text) || f.Index.Start >= f.Index.End || len(f.Features) == 0 ||
			!utf8.ValidString(p.Text[f.Index.Start:f.Index.End]) {
			return false
		}
	}
	return regexp.MustCompile(`^[234567abcdefghij][234567a-z]{12}$`).MatchString(key)
}
