//go:build browser

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// An admin looks at the dashboard in a real browser, dark and light: nothing of
// it comes from elsewhere or is blocked, and a button shows what it did, or why
// it was refused. DASHBOARD_SCREENSHOTS names a directory for what it looks like.
//
// Guards: the page's policy and what is left out of it (queue/dashboard.go), the
// script beside it (queue/answers.js).
func TestBrowserDashboard(t *testing.T) {
	t.Parallel()
	c := newCluster(t, time.Second)
	c.admin("root@fanfare.example")
	c.submitAll(0, 1)
	for _, scheme := range []string{"dark", "light"} {
		b := openBrowser(t, c.apis[0]+"/api/docs")
		trouble := b.watch()
		call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		b.signIn()
		for path, text := range map[string]string{"": "Queue Size", "/queues/ai?status=pending": "campaign.generate", "/redis": "Redis Info", "/settings": "Dark Theme"} {
			b.open(c.apis[0] + "/admin/queues" + path)
			b.awaitTrue("the page "+path, fmt.Sprintf(`document.body.innerText.includes(%q)`, text))
			background := b.text(`getComputedStyle(document.querySelector("main")).backgroundColor`)
			if dark := background != "rgb(255, 255, 255)"; dark != (scheme == "dark") {
				t.Errorf("%s on %s: the background is %s", scheme, path, background)
			}
			b.shot(scheme + strings.NewReplacer("/", "-", "?", "-", "=", "-").Replace(path))
		}
		if found := trouble(); len(found) > 0 {
			t.Errorf("%s: the browser complains:\n%s", scheme, strings.Join(found, "\n"))
		}
		b.open(c.apis[0] + "/admin/queues/queues/ai?status=pending")
		b.pressFirst("Archive")
		b.awaitTrue("the refusal", `document.querySelector("#fanfare-answer[role=alert]")?.innerText.includes("Nothing is archived by hand")`)
		b.shot(scheme + "-refused")
	}
	b := openBrowser(t, c.apis[0]+"/api/docs")
	b.signIn()
	b.open(c.apis[0] + "/admin/queues/queues/ai?status=pending")
	b.pressFirst("Delete")
	b.awaitTrue("what was done", `document.querySelector("#fanfare-answer[role=status]")?.innerText.includes("is canceled")`)
	b.shot("deleted")
	if n := c.count(`SELECT count(*) FROM jobs WHERE status = 'canceled'`); n != 1 {
		t.Errorf("%d jobs are canceled", n)
	}
}

// admin makes an account with the command line.
func (c *cluster) admin(email string) {
	c.t.Helper()
	path, err := program()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(path, "user", "create", "--email", email, "--name", "Root", "--role", "admin")
	cmd.Env, cmd.Stdin = c.env(), bytes.NewBufferString(password+"\n")
	if output, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("making an admin: %v: %s", err, output)
	}
}

// watch returns what the browser complains about from now on: errors on its
// console, and requests that failed or were blocked.
func (b *browser) watch() func() []string {
	b.t.Helper()
	var mu sync.Mutex
	var found []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		found = append(found, fmt.Sprintf(format, args...))
	}
	err := chromedp.Listen(b.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventConsoleAPICalled:
			if e.Type == runtime.ConsoleAPICalledTypeError {
				note("console: %s", e.Args[0].Value)
			}
		case *runtime.EventExceptionThrown:
			note("exception: %s", e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError {
				note("log: %s %s", e.Entry.Text, e.Entry.URL)
			}
		case *network.EventLoadingFailed:
			if !e.Canceled {
				note("request: %s %s", e.ErrorText, e.BlockedReason)
			}
		case *network.EventResponseReceived:
			if e.Response.Status >= 400 {
				note("answer: %d %s", e.Response.Status, e.Response.URL)
			}
		}
	})
	if err != nil {
		b.t.Fatalf("listening to Chromium: %v", err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return found
	}
}

// signIn signs the admin in, on a page of the API's own.
func (b *browser) signIn() {
	b.t.Helper()
	script := `fetch("/api/auth/login", {method: "POST", headers: {"Content-Type": "application/json"},
		body: JSON.stringify({email: "root@fanfare.example", password: %q})}).then((answer) => answer.ok)`
	if !do[bool](b, fmt.Sprintf(script, password)) {
		b.t.Fatal("the admin could not sign in")
	}
}

func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatalf("driving Chromium: %v", err)
	}
}

func (b *browser) text(script string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](script))
	if err != nil {
		b.t.Fatalf("asking the page: %v", err)
	}
	return text
}

func (b *browser) awaitTrue(what, script string) {
	b.t.Helper()
	eventually(b.t, patience, what, func() bool { return b.text(`String(!!(`+script+`))`) == "true" })
}

// pressFirst presses a button of the first task. They appear as its last cell is
// pointed at.
func (b *browser) pressFirst(label string) {
	b.t.Helper()
	b.awaitTrue("a task", `document.querySelector("tbody tr td:last-child")`)
	b.run(`document.querySelector("tbody tr td:last-child").dispatchEvent(new MouseEvent("mouseover", {bubbles: true}))`)
	button := fmt.Sprintf(`document.querySelector("tbody tr td:last-child button[title='%s'], tbody tr td:last-child button[aria-label='%s']")`, label, label)
	b.awaitTrue("the button "+label, button)
	b.run(button + `.click()`)
}

// shot keeps a picture of the page, where one is wanted.
func (b *browser) shot(name string) {
	b.t.Helper()
	dir := os.Getenv("DASHBOARD_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600)
	}
	if err != nil {
		b.t.Errorf("keeping a picture: %v", err)
	}
}
