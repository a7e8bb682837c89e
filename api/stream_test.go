package api_test

import (
	"bufio"
	"context"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/apitest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// stream opens a stream and returns how it was answered, and a channel of its
// lines that is closed when it ends.
func stream(t *testing.T, a *apitest.App, client *apitest.Client, path, lastID string) (status int, header http.Header, read <-chan string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range client.Header {
		request.Header.Set(name, value)
	}
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request) //nolint:bodyclose // by the goroutine that reads it
	if err != nil {
		t.Fatal(err)
	}
	apitest.HoldStream(t, response)
	events := apitest.Events{T: t, Path: request.URL.Path}
	lines, ended := make(chan string, 10_000), make(chan struct{})
	go func() {
		defer close(ended)
		defer close(lines)
		defer func() { _ = response.Body.Close() }()
		for scanner := bufio.NewScanner(response.Body); scanner.Scan(); {
			if response.StatusCode == http.StatusOK {
				events.Line(scanner.Text())
			}
			lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return response.StatusCode, response.Header, lines
}

// readUntil reads lines until one contains text, and returns them.
func readUntil(t *testing.T, lines <-chan string, text string) (read []string) {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case line, open := <-lines:
			if !open {
				t.Fatalf("the stream ended before %q:\n%s", text, strings.Join(read, "\n"))
			}
			read = append(read, line)
			if strings.Contains(line, text) {
				return read
			}
		case <-limit:
			t.Fatalf("waited for %q, read:\n%s", text, strings.Join(read, "\n"))
		}
	}
}

var changing = []struct {
	pattern *regexp.Regexp
	as      string
}{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`), "ID"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]+Z`), "TIME"},
}

// TestGoldenTranscript fixes a job's stream to the byte: its frames, their
// order, their ids and fields, and the new snapshot where a text is asked for
// again.
func TestGoldenTranscript(t *testing.T) {
	a := apitest.New(t)
	client := a.User(t, "watcher@fanfare.test")
	jobID := client.Do(t, "POST /api/campaign", `{"prompt": "Spring sale", "channels": ["sms"]}`).Want(t, http.StatusAccepted).Text("job.id")
	_, header, lines := stream(t, a, client, "/api/jobs/"+jobID+"/events", "")
	transcript := readUntil(t, lines, `"sequence":1`)

	claimed := a.Claim(t, jobID)
	a.Hub.Publish(t.Context(), claimed.Job)
	transcript = append(transcript, readUntil(t, lines, `"sequence":2`)...)
	texts, closeTexts := a.Texts.Open(jobID)
	for _, step := range []struct {
		do   func()
		want string
	}{
		{func() { texts.Restart(fanfare.SMS); texts.Append(fanfare.SMS, "text", "Too lo") }, `"text":"Too lo"`},
		{func() { texts.Append(fanfare.SMS, "text", "ng") }, `"text":"ng"`},
		{func() { texts.Restart(fanfare.SMS) }, `job.snapshot","jobId`},
		{func() { texts.Append(fanfare.SMS, "text", "-20% & <more>") }, `"text":"-20%`},
	} {
		step.do()
		transcript = append(transcript, readUntil(t, lines, step.want)...)
	}
	closeTexts()
	a.Finish(t, claimed, fanfare.JobSucceeded)
	for line := range lines {
		transcript = append(transcript, line)
	}

	got := strings.Join(transcript, "\n") + "\n"
	for _, c := range changing {
		got = c.pattern.ReplaceAllString(got, c.as)
	}
	golden := filepath.Join("testdata", "stream.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the transcript has changed (-want +got; run with -update if that is right):\n%s", diff)
	}
	for name, value := range map[string]string{
		"Content-Type": "text/event-stream", "Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no",
	} {
		if got := header.Get(name); got != value {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

func TestResuming(t *testing.T) {
	a := apitest.New(t)
	client := a.User(t, "watcher@fanfare.test")
	submit := func() string {
		return client.Do(t, "POST /api/campaign", `{"prompt": "Spring sale", "channels": ["sms"]}`).Want(t, http.StatusAccepted).Text("job.id")
	}
	over, live := submit(), submit()
	a.End(t, over, fanfare.JobSucceeded) // three events
	for _, test := range []struct {
		path, lastID string
		status       int
		first        string // the first id, "" for none
	}{
		{"/api/jobs/" + over + "/events", "", 200, "id: 1"},
		{"/api/jobs/" + over + "/events", "1", 200, "id: 2"},
		{"/api/jobs/" + over + "/events?after=2", "", 200, "id: 3"},
		{"/api/jobs/" + over + "/events?after=1", "2", 200, "id: 3"},
		{"/api/jobs/" + over + "/events", "3", 204, ""},
		{"/api/jobs/" + over + "/events", "99", 204, ""},
		{"/api/jobs/" + live + "/events", "99", 200, "id: 1"}, // of a database that has gone back
		{"/api/jobs/" + over + "/events", "-1", 400, ""},
		{"/api/jobs/" + over + "/events?after=x", "", 400, ""},
		{"/api/events", "x", 400, ""},
		// a cursor of another database: the stream begins anew, now
		{"/api/events", "eyJvIjoieCIsInAiOiI5OTk5OTk5OTkiLCJqIjoiIiwicyI6MH0", 200, "id: eyJ"},
	} {
		status, _, lines := stream(t, a, client, test.path, test.lastID)
		if status != test.status {
			t.Errorf("%s after %q: %d, want %d", test.path, test.lastID, status, test.status)
		}
		if test.first != "" {
			read := readUntil(t, lines, "id: ")
			if got := read[len(read)-1]; !strings.HasPrefix(got, test.first) {
				t.Errorf("%s after %q begins with %q, want %q", test.path, test.lastID, got, test.first)
			}
		}
	}
}

// Guard: the warden.
func TestStreamsEndWithTheirSession(t *testing.T) {
	a := apitest.New(t)
	owner := a.User(t, "watcher@fanfare.test")
	for name, end := range map[string]func(c *apitest.Client){
		"signed out": func(c *apitest.Client) { c.Do(t, "POST /api/auth/logout", nil).Want(t, http.StatusNoContent) },
		"expired":    func(*apitest.Client) { a.Exec(t, `UPDATE sessions SET expires_at = now()`) },
		"disabled":   func(*apitest.Client) { a.Exec(t, `UPDATE users SET disabled_at = now()`) },
	} {
		client := a.SignedIn(t, owner)
		_, _, lines := stream(t, a, client, "/api/events", "")
		readUntil(t, lines, "jobs.snapshot")
		end(client)
		limit := time.After(10 * time.Second)
		for open := true; open; {
			select {
			case _, open = <-lines:
			case <-limit:
				t.Fatalf("ten seconds after its session was %s a stream is still open", name)
			}
		}
		a.Exec(t, `UPDATE users SET disabled_at = NULL`)
	}
}

// Guard: the poll of the table; no hint is published.
func TestStreamsNeedNoHints(t *testing.T) {
	a := apitest.New(t)
	client := a.User(t, "watcher@fanfare.test")
	jobID := client.Do(t, "POST /api/campaign", `{"prompt": "Spring sale"}`).Want(t, http.StatusAccepted).Text("job.id")
	_, _, job := stream(t, a, client, "/api/jobs/"+jobID+"/events", "")
	_, _, all := stream(t, a, client, "/api/events", "")
	readUntil(t, job, `"sequence":1`)
	readUntil(t, all, "jobs.snapshot")
	claimed := a.Claim(t, jobID)
	outcome := fanfare.Outcome{Lease: claimed.Lease, Status: fanfare.JobSucceeded, Result: a.Result(t, claimed.Job)}
	if _, err := a.Store.Finish(t.Context(), []fanfare.Outcome{outcome}); err != nil {
		t.Fatal(err)
	}
	readUntil(t, job, "job.succeeded")
	readUntil(t, all, "job.succeeded")
}

// Guard: lastWords. What the model has written reaches Redis before the job's
// end is in the table, but here none of it is told of.
func TestLastWordsComeBeforeTheEnd(t *testing.T) {
	a := apitest.New(t)
	client := a.User(t, "watcher@fanfare.test")
	jobID := client.Do(t, "POST /api/campaign", `{"prompt": "Spring sale", "channels": ["sms"]}`).Want(t, http.StatusAccepted).Text("job.id")
	_, _, lines := stream(t, a, client, "/api/jobs/"+jobID+"/events", "")
	readUntil(t, lines, `"sequence":1`)
	claimed := a.Claim(t, jobID)
	if err := a.Redis.HSet(t.Context(), "fanfare:text:"+jobID, "n", 7, "sms.text", "20 % off").Err(); err != nil {
		t.Fatal(err)
	}
	a.Finish(t, claimed, fanfare.JobSucceeded)
	if told := strings.Join(readUntil(t, lines, `"type":"job.succeeded"`), "\n"); !strings.Contains(told, `"partial":{"sms":{"text":"20 % off"}}`) {
		t.Errorf("the last words are not in\n%s", told)
	}
}
