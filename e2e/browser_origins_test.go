//go:build browser

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// Pages of origins that are not allowed change nothing and read nothing, in a
// browser whose user is signed in. A page of an allowed origin does all of it
// with the same script.
//
// Cookies know no ports, so that a page on another port of our host is of the
// same site and the browser sends the session along, SameSite=Lax or not: only
// our own refusal is left. To a page on localhost, 127.0.0.1 is another site,
// and the browser sends no cookie to begin with.
//
// Guards: sameOrigin and the list of origins (api/access.go).
func TestBrowserForeignPages(t *testing.T) {
	t.Parallel()
	allowed, neighbour := newPage(t, originsHTML), newPage(t, originsHTML)
	c := newCluster(t, 0)
	c.api("ALLOWED_ORIGINS=" + allowed.URL)
	job := c.submitAll(0, 1)[0] // which no worker starts
	var seen exchanges
	api := newProxy(t, c.apis[1], seen.add).URL
	b := openBrowser(t, allowed.URL)
	if status := do[int](b, fmt.Sprintf("signIn(%q, %q, %q)", api, "owner@fanfare.example", password)); status != http.StatusOK {
		t.Fatalf("signing in: %d", status)
	}
	before := c.stateOf(job)
	refused := map[string]string{
		"JSON": "TypeError", "text": "opaque", "untyped": "opaque", "bodiless": "opaque", "logout": "opaque",
		"read": "TypeError", "blind read": "opaque", "image": "error", "stream": "error",
		"text form": "unreadable", "form": "unreadable",
	}
	changes := []string{
		"POST /api/auth/logout 403", "POST /api/jobs/" + job + "/cancel 403", "POST /api/jobs/" + job + "/cancel 403",
		"POST /api/keys 403", "POST /api/keys 403", "POST /api/keys 403",
	}
	for _, foreign := range []struct {
		name, address string
		cookie        string // of what the browser asks
		read          int
	}{
		{"same site", neighbour.URL, "with a cookie", http.StatusOK},
		{"other site", strings.Replace(neighbour.URL, "127.0.0.1", "localhost", 1), "without a cookie", http.StatusUnauthorized},
	} {
		seen.take()
		b.open(foreign.address)
		got := do[map[string]string](b, fmt.Sprintf("ways(%q, %q)", api, job))
		if diff := cmp.Diff(refused, got); diff != "" {
			t.Errorf("%s: what the page was told (-want +got):\n%s", foreign.name, diff)
		}
		if diff := cmp.Diff(before, c.stateOf(job)); diff != "" {
			t.Errorf("%s: the page has changed something (-before +after):\n%s", foreign.name, diff)
		}
		want := []string{"OPTIONS /api/keys 204 without a cookie"} // no POST follows
		for _, change := range changes {
			want = append(want, change+" "+foreign.cookie)
		}
		for _, path := range []string{"/api/events", "/api/keys", "/api/keys", "/api/keys"} {
			want = append(want, fmt.Sprintf("GET %s %d %s", path, foreign.read, foreign.cookie))
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(seen.take()))); diff != "" {
			t.Errorf("%s: what the API was asked (-want +got):\n%s", foreign.name, diff)
		}
	}

	b.open(allowed.URL)
	want := map[string]string{
		"JSON": "201", "text": "opaque", "untyped": "opaque", "bodiless": "opaque", "logout": "opaque",
		"read": "200", "blind read": "opaque", "image": "error", "stream": "jobs.snapshot",
		"text form": "unreadable", "form": "unreadable",
	}
	if diff := cmp.Diff(want, do[map[string]string](b, fmt.Sprintf("ways(%q, %q)", api, job))); diff != "" {
		t.Errorf("what an allowed page was told (-want +got):\n%s", diff)
	}
	after := state{Keys: before.Keys + 2, Sessions: before.Sessions - 1, Job: "canceled"}
	if diff := cmp.Diff(after, c.stateOf(job)); diff != "" {
		t.Errorf("what an allowed page has changed (-want +got):\n%s", diff)
	}
}

// state is what the page's ways would change.
type state struct {
	Keys, Sessions int
	Job            string
}

func (c *cluster) stateOf(job string) (s state) {
	c.t.Helper()
	err := c.db.QueryRow(`SELECT (SELECT count(*) FROM api_keys), (SELECT count(*) FROM sessions), status FROM jobs WHERE id = $1`, job).
		Scan(&s.Keys, &s.Sessions, &s.Job)
	if err != nil {
		c.t.Fatal(err)
	}
	return s
}

// exchanges are the requests that reached an API, with how they were answered.
type exchanges struct {
	mu    sync.Mutex
	lines []string
}

func (e *exchanges) add(response *http.Response) {
	r, cookie := response.Request, "without a cookie"
	if r.Header.Get("Cookie") != "" {
		cookie = "with a cookie"
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, fmt.Sprintf("%s %s %d %s", r.Method, r.URL.Path, response.StatusCode, cookie))
}

func (e *exchanges) take() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	lines := e.lines
	e.lines = nil
	return lines
}

func (b *browser) open(address string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Navigate(address)); err != nil {
		b.t.Fatalf("opening %s: %v", address, err)
	}
}

// do runs a script and waits for what it promises.
func do[T any](b *browser, script string) T {
	b.t.Helper()
	result, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("running a script in Chromium: %v", err)
	}
	return result
}

// originsHTML tries all ways in which a page can ask another origin, and tells
// what it learns by each. An untyped or missing body needs no preflight, and is
// one that the API takes.
const originsHTML = `<!doctype html><title>A page</title><link rel="icon" href="data:,"><script>
const json = JSON.stringify({name: "made by a page"})
const include = {credentials: "include"}
async function signIn(api, email, password) {
	const answer = await fetch(api + "/api/auth/login", {...include, method: "POST",
		headers: {"Content-Type": "application/json"}, body: JSON.stringify({email, password})})
	return answer.status
}
function ask(url, options) {
	return fetch(url, {...include, ...options}).then((r) => r.type === "opaque" ? r.type : String(r.status), (e) => e.name)
}
function submit(url, enctype, fields) {
	return new Promise((resolve) => {
		const frame = document.createElement("iframe"), form = document.createElement("form")
		frame.name = form.target = "frame" + document.forms.length
		Object.assign(form, {method: "POST", action: url, enctype})
		for (const [name, value] of fields) {
			const input = document.createElement("input")
			form.append(Object.assign(input, {name, value}))
		}
		document.body.append(frame, form)
		frame.onload = () => resolve(frame.contentDocument ? "readable" : "unreadable")
		form.submit()
	})
}
async function ways(api, job) {
	const keys = api + "/api/keys", cancel = api + "/api/jobs/" + job + "/cancel"
	const blind = {mode: "no-cors", method: "POST"}
	const told = {}
	told["read"] = await ask(keys)
	told["blind read"] = await ask(keys, {mode: "no-cors"})
	told["image"] = await new Promise((resolve) => {
		const image = new Image()
		image.onload = () => resolve("load")
		image.onerror = () => resolve("error")
		image.src = keys
	})
	told["stream"] = await new Promise((resolve) => {
		const source = new EventSource(api + "/api/events", {withCredentials: true})
		const end = (e) => { source.close(); resolve(e.type) }
		source.addEventListener("jobs.snapshot", end)
		source.onerror = end
	})
	told["JSON"] = await ask(keys, {method: "POST", headers: {"Content-Type": "application/json"}, body: json})
	told["text"] = await ask(keys, {...blind, body: json})
	told["untyped"] = await ask(keys, {...blind, body: new Blob([json])})
	told["text form"] = await submit(keys, "text/plain", [['{"name": "made by a form", "x": "', '"}']])
	told["form"] = await submit(cancel, "application/x-www-form-urlencoded", [])
	told["bodiless"] = await ask(cancel, blind)
	told["logout"] = await ask(api + "/api/auth/logout", blind)
	return told
}
</script><body>`
