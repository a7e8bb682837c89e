//go:build browser

package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// readyStateClosed is EventSource.CLOSED (HTML Living Standard, 9.2).
const readyStateClosed = 2

// A real EventSource, on a page of another origin that signs in with a cookie,
// is cut off in the middle and left alone.
//
// Guards: id and Last-Event-ID (api/job_stream.go), 204 at the end, the headers
// for other origins (api/access.go).
func TestBrowserReconnects(t *testing.T) {
	t.Parallel()
	page := newPage(t, pageHTML)
	c := newCluster(t, time.Second)
	c.api("ALLOWED_ORIGINS=" + page.URL)
	c.scheduler("scheduler")
	c.worker("worker")
	c.awaitWorkers(1)
	proxy := newOnlooker(t, c.apis[1])
	b := openBrowser(t, page.URL)

	id := c.submitAll(0, 1)[0]
	b.run(fmt.Sprintf("watch(%q, %q, %q, %q)", proxy.URL, "owner@fanfare.example", password, id))
	b.await(patience, "the job to start", func(w watched) bool { return len(w.Seen) >= 2 })
	proxy.CloseClientConnections()
	got := b.await(patience, "the EventSource to close", func(w watched) bool { return w.State == readyStateClosed })

	var sequences []int64
	for _, event := range got.Seen {
		sequences = append(sequences, event.Sequence)
	}
	c.wantSequence(t, "the page", id, sequences)
	requests := proxy.requests()
	if len(requests) != 3 {
		t.Fatalf("the browser asked %d times: %v", len(requests), requests)
	}
	want := []asked{
		{"", http.StatusOK},
		{requests[1].LastEventID, http.StatusOK}, // wherever it was cut
		{fmt.Sprint(len(sequences)), http.StatusNoContent},
	}
	if diff := cmp.Diff(want, requests); diff != "" || requests[1].LastEventID == "" {
		t.Errorf("what the browser asked for (-want +got):\n%s", diff)
	}
	if last := got.Seen[len(got.Seen)-1]; last.Type != "job.succeeded" {
		t.Errorf("the last event is %s", last.Type)
	}
}

// pageHTML follows a job as a user's page would. Errors stand in watched.error.
const pageHTML = `<!doctype html><title>Fanfare</title><script>
const watched = {seen: [], state: 0, error: ""}
async function watch(api, email, password, job) {
	try {
		const answer = await fetch(api + "/api/auth/login", {
			method: "POST", credentials: "include", headers: {"Content-Type": "application/json"},
			body: JSON.stringify({email, password}),
		})
		if (!answer.ok) throw new Error("signing in: " + answer.status)
		const source = new EventSource(api + "/api/jobs/" + job + "/events", {withCredentials: true})
		source.onerror = () => { watched.state = source.readyState }
		source.onopen = source.onerror
		for (const type of ["queued", "started", "progress", "retrying", "succeeded", "failed", "canceled", "expired"])
			source.addEventListener("job." + type, (e) => {
				watched.seen.push({type: e.type, id: e.lastEventId, sequence: JSON.parse(e.data).sequence})
			})
	} catch (e) { watched.error = String(e) }
}
</script>`

// watched is what the page has seen.
type watched struct {
	Seen []struct {
		Type     string `json:"type"`
		ID       string `json:"id"`
		Sequence int64  `json:"sequence"`
	} `json:"seen"`
	State int    `json:"state"`
	Error string `json:"error"`
}

func newPage(t *testing.T, html string) *httptest.Server {
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(html))
	}))
	t.Cleanup(page.Close)
	return page
}

// onlooker stands before an API, cuts connections, and remembers how streams
// were asked for.
type onlooker struct {
	*httptest.Server
	mu      sync.Mutex
	streams []asked
}

type asked struct {
	LastEventID string
	Status      int
}

func newOnlooker(t *testing.T, base string) *onlooker {
	t.Helper()
	o := &onlooker{}
	o.Server = newProxy(t, base, func(response *http.Response) {
		if r := response.Request; r.Method == http.MethodGet {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.streams = append(o.streams, asked{r.Header.Get("Last-Event-ID"), response.StatusCode})
		}
	})
	return o
}

func (o *onlooker) requests() []asked {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]asked(nil), o.streams...)
}

// newProxy hands requests on to an API, and tells note of the answers.
func newProxy(t *testing.T, base string, note func(*http.Response)) *httptest.Server {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ModifyResponse = func(response *http.Response) error { note(response); return nil }
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server
}

// browser is a tab of a headless Chromium with a new profile.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func openBrowser(t *testing.T, address string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // root can have none
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	allocator, cancelAllocator := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancelAllocator)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("opening a page in Chromium (make test-browser installs one): %v", err)
	}
	return &browser{t: t, ctx: ctx}
}

func (b *browser) run(script string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](script)); err != nil {
		b.t.Fatalf("running a script in Chromium: %v", err)
	}
}

// await waits until what the page has seen satisfies a condition, and returns it.
func (b *browser) await(within time.Duration, what string, condition func(watched) bool) (w watched) {
	b.t.Helper()
	eventually(b.t, within, what, func() bool {
		var err error
		w, err = chromedp.Run(b.ctx, chromedp.Evaluate[watched]("watched"))
		if err != nil || w.Error != "" {
			b.t.Fatalf("asking the page: %v, %s", err, w.Error)
		}
		return condition(w)
	})
	return w
}
