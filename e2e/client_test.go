//go:build client

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const clientFolder = "../clients/typescript"

// The client's types are those of the committed document, it compiles under
// tsc's strict rules, and its example sees each event once: it leaves a stream
// and goes on, and loses the next connection in the middle of a frame.
//
// Guards: lastEventId in clients/typescript/src/stream.ts, Last-Event-ID in
// api/job_stream.go.
func TestClient(t *testing.T) {
	npm(t, "ci", "--no-audit", "--no-fund")
	npm(t, "run", "generate", "--", "--check")
	npm(t, "run", "check")
	npm(t, "run", "build")

	c := newCluster(t, 700*time.Millisecond)
	c.scheduler("scheduler")
	c.worker("worker")
	c.awaitWorkers(1)
	cutter := newCutter(t, c.apis[0], "job.progress")
	example := exec.CommandContext(t.Context(), "node", "dist/examples/campaign.js", "Sell tea to everyone in Bremen by e-mail")
	example.Dir = clientFolder
	example.Env = []string{"PATH=" + os.Getenv("PATH"), "FANFARE_URL=" + cutter.URL}
	output, err := example.CombinedOutput()
	if err != nil {
		t.Fatalf("the example: %v\n%s", err, output)
	}

	job := find(t, output, `(?m)^job ([0-9a-f-]{36}), and the same when asked again$`)
	var sequences []int64
	if err := json.Unmarshal([]byte(find(t, output, `(?m)^events (\[.*\])$`)), &sequences); err != nil {
		t.Fatal(err)
	}
	c.wantSequence(t, "the example", job, sequences)
	find(t, output, `"subject": ".+(")`)
	asked := cutter.asked()
	if len(asked) != 3 || asked[0] != "" || asked[1] != "2" || asked[2] == "" {
		t.Errorf("it asked for the stream after %q; want three times, the last two after an event", asked)
	}
	if diff := cmp.Diff(1, cutter.cuts); diff != "" {
		t.Errorf("connections that were cut (-want +got):\n%s", diff)
	}
	if jobs := c.count(`SELECT count(*) FROM jobs`); jobs != 1 {
		t.Errorf("one brief, asked for twice with a key, made %d jobs", jobs)
	}
}

// A refusal is an error with what a program needs of it, and no reason to
// connect again.
func TestClientRefused(t *testing.T) {
	npm(t, "ci", "--no-audit", "--no-fund")
	npm(t, "run", "build")
	c := newCluster(t, 0)
	script := `
		import {createClient, FanfareError} from "./dist/src/index.js"
		const fanfare = createClient({baseUrl: process.env.FANFARE_URL, apiKey: process.env.FANFARE_API_KEY})
		const seen = []
		for (const call of [
			() => fanfare.GET("/api/jobs/{id}", {params: {path: {id: "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"}}}),
			() => fanfare.followJob("01a204f5-ed6d-77fe-bfbc-ed33a961c0ee").next(),
			() => fanfare.POST("/api/campaign", {body: {prompt: ""}}),
		]) await call().then(() => seen.push("no error"), (e) =>
			seen.push([e instanceof FanfareError, e.status, e.code, typeof e.requestId, e.details?.fields?.[0]?.field ?? null]))
		const stop = new AbortController()
		for await (const {data} of fanfare.followJobs({signal: stop.signal})) { seen.push(data.type); break }
		stop.abort(new Error("enough"))
		await fanfare.followJobs({signal: stop.signal}).next().catch((e) => seen.push(e.message))
		console.log(JSON.stringify(seen))`
	run := exec.CommandContext(t.Context(), "node", "--input-type=module", "--eval", script)
	run.Dir = clientFolder
	run.Env = []string{"PATH=" + os.Getenv("PATH"), "FANFARE_URL=" + c.apis[0], "FANFARE_API_KEY=" + c.key}
	output, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	want := `[[true,404,"not_found","string",null],[true,404,"not_found","string",null],` +
		`[true,400,"invalid_request","string","prompt"],"jobs.snapshot","enough"]`
	if diff := cmp.Diff(want, strings.TrimSpace(string(output))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func npm(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "npm", args...)
	cmd.Dir = clientFolder
	if output, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm %s (make test-client installs it): %v\n%s", strings.Join(args, " "), err, output)
	}
}

// find returns what the only group of an expression matches.
func find(t *testing.T, output []byte, expression string) string {
	t.Helper()
	match := regexp.MustCompile(expression).FindSubmatch(output)
	if match == nil {
		t.Fatalf("%s is not in what the example printed:\n%s", expression, output)
	}
	return string(match[1])
}

// cutter stands before an API, and cuts one stream that goes on after an event:
// in the middle of the first frame that has a text.
type cutter struct {
	*httptest.Server
	text []byte

	mu      sync.Mutex
	streams []string // the Last-Event-ID of each
	cuts    int
}

func newCutter(t *testing.T, base, text string) *cutter {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{text: []byte(text)}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ModifyResponse = c.watch
	c.Server = httptest.NewServer(proxy)
	t.Cleanup(c.Close)
	return c
}

func (c *cutter) watch(response *http.Response) error {
	if response.Header.Get("Content-Type") != "text/event-stream" {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	last := response.Request.Header.Get("Last-Event-ID")
	c.streams = append(c.streams, last)
	if last != "" && c.cuts == 0 {
		response.Body = &cut{ReadCloser: response.Body, cutter: c}
	}
	return nil
}

func (c *cutter) asked() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.streams)
}

// cut is a body that breaks off.
type cut struct {
	io.ReadCloser
	cutter *cutter
	broken bool
}

var errCut = errors.New("cut on purpose")

func (b *cut) Read(p []byte) (int, error) {
	if b.broken {
		return 0, errCut
	}
	n, err := b.ReadCloser.Read(p)
	if at := bytes.Index(p[:n], b.cutter.text); at >= 0 {
		b.cutter.mu.Lock()
		defer b.cutter.mu.Unlock()
		b.broken, b.cutter.cuts = true, b.cutter.cuts+1
		return at + len(b.cutter.text), nil
	}
	return n, err
}
