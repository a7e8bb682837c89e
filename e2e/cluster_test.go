package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/lib/pq"

	"fanfare/internal/demomodel"
	"fanfare/internal/devservices"
	"fanfare/internal/testdb"
)

const password = "Quiet-harbour-77"

// cluster is a whole installation: servers, a model, and processes.
type cluster struct {
	t        testing.TB
	program  string // the path of what its processes run
	services *devservices.Services
	db       *sql.DB
	model    *model
	key      string
	apis     []string // base URLs
	client   *http.Client
	refused  atomic.Int64 // submissions that were answered by a 5xx, or not at all

	mu         sync.Mutex
	violations []string
	refusals   map[string]int // how often, by what came instead of a 202
}

// model is the stand-in, made slow so that jobs are under way when something
// breaks.
type model struct {
	*httptest.Server
	delay atomic.Int64 // nanoseconds a call
	calls atomic.Int64
	// acts answers a question in its own way, if it is set and says so.
	acts atomic.Pointer[func(w http.ResponseWriter, r *http.Request, question []byte) bool]
}

func newModel(t testing.TB, delay time.Duration) *model {
	m := &model{}
	m.delay.Store(int64(delay))
	answer := demomodel.New()
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.calls.Add(1)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if act := m.acts.Load(); act != nil && (*act)(w, r, body) {
			return
		}
		select {
		case <-time.After(time.Duration(m.delay.Load())):
			answer.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(m.Close)
	return m
}

// newCluster starts servers and a model, and makes a user with an API key. An
// API is needed for that; more processes are the test's to start.
func newCluster(t testing.TB, delay time.Duration) *cluster {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatalf("building the program: %v", err)
	}
	return clusterOf(t, path, delay)
}

// clusterOf is a cluster that runs the program at a path.
func clusterOf(t testing.TB, program string, delay time.Duration) *cluster {
	t.Helper()
	return clusterOn(t, program, testdb.OwnServers(t), delay)
}

func clusterOn(t testing.TB, program string, services *devservices.Services, delay time.Duration) *cluster {
	t.Helper()
	c := &cluster{t: t, program: program, services: services, model: newModel(t, delay)}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 64
	c.client = &http.Client{Transport: transport, Timeout: time.Minute}
	t.Cleanup(transport.CloseIdleConnections)
	db, err := sql.Open("postgres", c.services.DatabaseURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	c.db = db
	c.api()
	c.key = c.newUser("owner@fanfare.example")
	return c
}

// env is the processes' environment; extra settings come last and win.
func (c *cluster) env(extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"),
		"DATABASE_URL=" + c.services.DatabaseURL(),
		"REDIS_URL=" + c.services.RedisURL(),
		"AUTH_SECRET=a-secret-for-tests-that-is-long-enough",
		"ENCRYPTION_KEY=0123456789abcdef0123456789abcdef",
		"OPENAI_API_KEY=test", "OPENAI_BASE_URL=" + c.model.URL + "/v1",
		"RATE_LIMIT_API=100000/1m", "RATE_LIMIT_AI=100000/1m", "RATE_LIMIT_POLL=100000/1m",
		"WORKER_CONCURRENCY=32",
	}, extra...)
}

// api starts an API on a free port and waits until it answers.
func (c *cluster) api(extra ...string) *process {
	c.t.Helper()
	addr := freeAddr(c.t)
	p := c.start(fmt.Sprintf("api%d", len(c.apis)+1), c.env(append(extra, "HTTP_ADDR="+addr)...), "api")
	c.apis = append(c.apis, "http://"+addr)
	eventually(c.t, 20*time.Second, "the API to be ready", func() bool {
		response, err := http.Get("http://" + addr + "/health/ready")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	return p
}

// freeAddr is where a process can listen.
func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func (c *cluster) worker(name string, extra ...string) *process {
	c.t.Helper()
	return c.start(name, c.env(extra...), "worker")
}

func (c *cluster) scheduler(name string) *process {
	c.t.Helper()
	return c.start(name, c.env(), "scheduler")
}

// awaitWorkers waits until n workers have been heard of.
func (c *cluster) awaitWorkers(n int) {
	c.t.Helper()
	eventually(c.t, 20*time.Second, fmt.Sprintf("%d workers", n), func() bool {
		return c.count(`SELECT count(*) FROM workers WHERE seen_at > now() - interval '10 seconds'`) >= n
	})
}

// newUser makes an account with the command line, and an API key by HTTP.
func (c *cluster) newUser(email string) string {
	c.t.Helper()
	cmd := newCommand(c.program, c.env(), "user", "create", "--email", email, "--name", "Owner")
	cmd.Stdin = strings.NewReader(password + "\n")
	if output, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("creating a user: %v: %s", err, output)
	}
	response := c.post(c.apis[0], "/api/auth/login", nil, map[string]string{"email": email, "password": password}, nil)
	if len(response.Cookies()) == 0 {
		c.t.Fatalf("signing in: %s", response.Status)
	}
	var key struct{ Key string }
	c.post(c.apis[0], "/api/keys", http.Header{"Cookie": {response.Header.Get("Set-Cookie")}}, map[string]string{"name": "e2e"}, &key)
	if key.Key == "" {
		c.t.Fatal("no API key was made")
	}
	return key.Key
}

func (c *cluster) get(base, path string) (*http.Response, string) {
	c.t.Helper()
	response, err := http.Get(base + path)
	if err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatalf("GET %s: %v", path, err)
	}
	return response, string(body)
}

// post sends JSON and decodes the answer of a success into out.
func (c *cluster) post(base, path string, header http.Header, in, out any) *http.Response {
	c.t.Helper()
	response, err := c.tryPost(c.t.Context(), base, path, header, in, out)
	if err != nil {
		c.t.Fatalf("POST %s: %v", path, err)
	}
	return response
}

func (c *cluster) tryPost(ctx context.Context, base, path string, header http.Header, in, out any) (*http.Response, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if out != nil && response.StatusCode < 300 {
		return response, json.NewDecoder(response.Body).Decode(out)
	}
	return response, nil
}

// submit sends a brief, again with the same key until it is accepted, and
// returns the job's id.
func (c *cluster) submit(n int) string {
	header := http.Header{
		"Authorization":   {"Bearer " + c.key},
		"Idempotency-Key": {fmt.Sprintf("%s-%d", c.t.Name(), n)},
	}
	brief := map[string]any{
		"prompt": fmt.Sprintf("Tell our customers about summer sale number %d", n), "channels": []string{"sms"},
	}
	for try := range 200 {
		var accepted struct{ Job struct{ ID string } }
		response, err := c.tryPost(c.t.Context(), c.apis[(n+try)%len(c.apis)], "/api/campaign", header, brief, &accepted)
		if err == nil && response.StatusCode == http.StatusAccepted {
			return accepted.Job.ID
		}
		if err == nil && response.StatusCode < 500 && response.StatusCode != http.StatusConflict {
			c.violated("brief %d was refused: %s", n, response.Status)
			return ""
		}
		if err != nil || response.StatusCode != http.StatusConflict {
			c.refuse(response, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-c.t.Context().Done():
			return ""
		}
	}
	c.violated("brief %d was never accepted", n)
	return ""
}

// refuse counts a submission that has to be repeated.
func (c *cluster) refuse(response *http.Response, err error) {
	c.refused.Add(1)
	what := fmt.Sprint(err)
	if err == nil {
		what = response.Status
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refusals == nil {
		c.refusals = map[string]int{}
	}
	c.refusals[what]++
}

// submitAll submits briefs from..to-1, eight at a time, and returns the jobs' ids.
func (c *cluster) submitAll(from, to int) []string {
	ids := make([]string, to-from)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range ids {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ids[i] = c.submit(from + i)
		})
	}
	wg.Wait()
	return ids
}

func encoded(t testing.TB, body any) string {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func read(t testing.TB, body io.Reader) string {
	t.Helper()
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// jobIn is the id of the job that an answer tells of, "" if there is none.
func jobIn(answer string) string {
	var body struct{ Job struct{ ID string } }
	_ = json.Unmarshal([]byte(answer), &body) // an answer without a job is one
	return body.Job.ID
}
