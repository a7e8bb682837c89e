package queue

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for answersJS
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
)

// answersJS lets asynqmon's page show what a button did, or why it was refused:
// by itself it drops the text of every error that a button gets.
//
//go:embed answers.js
var answersJS string

// Dashboard is asynqmon below one path. As a handler it only shows: it takes
// GET alone, and what is to come of a button is told by Pressed. Who may see it
// is for the caller to say.
type Dashboard struct {
	*Queue
	root    string
	asynq   http.Handler
	index   []byte
	policy  string
	statics map[string]bool
}

// NewDashboard makes the pages that are served below root, such as
// /admin/queues, of a queue.
func NewDashboard(q *Queue, root string) (*Dashboard, error) {
	d := &Dashboard{Queue: q, root: root, statics: map[string]bool{}}
	d.asynq = asynqmon.New(asynqmon.Options{
		RootPath:         root,
		RedisConnOpt:     connected{q.rdb},
		PayloadFormatter: asynqmon.PayloadFormatterFunc(onlyID),
		ResultFormatter:  asynqmon.ResultFormatterFunc(func(string, []byte) string { return "" }),
	})
	page := &memory{header: http.Header{}}
	request, err := http.NewRequest(http.MethodGet, root, http.NoBody) //nolint:noctx // answered in memory
	if err != nil {
		return nil, fmt.Errorf("asking asynqmon for its page: %w", err)
	}
	d.asynq.ServeHTTP(page, request)
	if d.index, err = d.withoutNetwork(page.body.Bytes()); err != nil {
		return nil, err
	}
	d.policy = policy(d.index)
	for _, address := range addresses.FindAllSubmatch(d.index, -1) {
		d.statics[strings.TrimPrefix(string(address[1]), root)] = true
	}
	return d, nil
}

// onlyID shows of a payload what a job's has: an id. Anything else is none of
// ours, and nothing to show.
func onlyID(_ string, payload []byte) string {
	if len(payload) == uuidLength && jobID.Match(payload) {
		return string(payload)
	}
	return "(not an id)"
}

// connected hands asynqmon a client that there is.
type connected struct{ rdb redis.UniversalClient }

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connected) MakeRedisClient() any { return c.rdb }

var (
	// foreign are the page's links to Google's fonts, and to a manifest that
	// browsers would ask for without credentials.
	foreign   = regexp.MustCompile(`<link rel="(?:stylesheet" href="https://fonts\.googleapis\.com/|manifest")[^>]*>`)
	addresses = regexp.MustCompile(`(?:href|src)="(/[^"]*)"`)
	inline    = regexp.MustCompile(`(?s)<script>(.*?)</script>`)
)

// answersPath is where answersJS lies, below the root.
const answersPath = "/answers.js"

// withoutNetwork makes asynqmon's page need nothing but this program.
func (d *Dashboard) withoutNetwork(page []byte) ([]byte, error) {
	page = foreign.ReplaceAll(page, nil)
	script := []byte(`<script src="` + d.root + answersPath + `"></script>`)
	changed := bytes.Replace(page, []byte("<script>"), append(script, "<script>"...), 1)
	if len(changed) == len(page) || bytes.Contains(changed, []byte("https://")) {
		return nil, errors.New("asynqmon's page is not as it was in version 0.7.2: see queue/dashboard.go")
	}
	return changed, nil
}

// policy lets the page run its own scripts, those in it by their digests, and
// style itself, which Material-UI does as it runs.
func policy(page []byte) string {
	scripts := "'self'"
	for _, script := range inline.FindAllSubmatch(page, -1) {
		digest := sha256.Sum256(script[1])
		scripts += " 'sha256-" + base64.StdEncoding.EncodeToString(digest[:]) + "'"
	}
	return "default-src 'none'; script-src " + scripts + "; style-src 'unsafe-inline'; img-src 'self' data:; " +
		"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// ServeHTTP shows a page, a part of one, or what asynqmon knows as JSON.
func (d *Dashboard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, d.root)
	switch {
	case r.Method != http.MethodGet:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case strings.HasPrefix(path, "/api/"):
		w.Header().Set("Content-Type", "application/json")
		d.asynq.ServeHTTP(w, r)
	case path == answersPath:
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write([]byte(answersJS)) // the reader is gone
	case d.statics[path]:
		d.asynq.ServeHTTP(w, r)
	default: // the page finds out itself what to show at its address
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", d.policy)
		_, _ = w.Write(d.index)
	}
}

// memory keeps an answer.
type memory struct {
	header http.Header
	body   bytes.Buffer
}

func (m *memory) Header() http.Header         { return m.header }
func (m *memory) Write(p []byte) (int, error) { return m.body.Write(p) }
func (m *memory) WriteHeader(int)             {}
