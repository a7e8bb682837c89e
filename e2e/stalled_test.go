package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"fanfare"
	"fanfare/events"
	"fanfare/store"
	"fanfare/telemetry"
)

const (
	stalledReaders = 50
	eventsBefore   = 120 // the readers stall
	eventsAfter    = 120
	// The deltas are together more than the sockets of both sides hold, which
	// is 4 MB where Linux may decide (tcp_wmem), and fewer than a listener's
	// buffer, so that none is left out.
	deltas = 24
	delta  = 256 << 10 // bytes
	// boundedMemory is what the API may take. All that the readers were to get
	// is 300 MB.
	boundedMemory = 200 << 20
	// droppedWithin is writeLimit, and time for the sockets to fill.
	droppedWithin = 20 * time.Second
)

// Guards: the deadline of a stream's writes (api/sse.go), and that nothing is
// made for a reader before it has taken what came earlier (api/job_stream.go).
func TestStalledReaders(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	api := c.api("GOMEMLIMIT=128MiB") // so that what is garbage already does not count on a busy machine
	job := c.runByHand()
	job.steps(eventsBefore)
	readers := make([]*stalledReader, stalledReaders)
	for i := range readers {
		readers[i] = c.stall(job.lease.JobID)
	}
	job.write()
	job.steps(eventsAfter)
	job.finish()

	most := 0
	eventually(t, droppedWithin, "the stalled readers to be dropped", func() bool {
		most = max(most, residentMemory(t, api))
		return logCount(api, `/events"`) == stalledReaders // requests that are over
	})
	if most > boundedMemory {
		t.Errorf("%d stalled readers made the API take %d MiB", stalledReaders, most>>20)
	}
	want := c.count(`SELECT sequence FROM jobs WHERE id = $1`, job.lease.JobID)
	for _, r := range readers {
		r.resume(t, c.apis[1], want)
	}
}

// byHand is a job whose worker is the test.
type byHand struct {
	t     testing.TB
	store *store.Store
	hub   *events.Hub
	texts *events.Texts
	lease fanfare.Lease
	made  int
}

func (c *cluster) runByHand() *byHand {
	c.t.Helper()
	ctx := c.t.Context()
	db, err := store.Open(ctx, c.services.DatabaseURL(), 2)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = db.Close() })
	var owner string
	if err := c.db.QueryRow(`SELECT id FROM users`).Scan(&owner); err != nil {
		c.t.Fatal(err)
	}
	job, err := db.Submit(ctx, fanfare.NewJob{
		UserID: owner, Kind: "campaign.generate", Queue: "by-hand", MaxAttempts: 1, Expiry: time.Hour, Payload: json.RawMessage(`{}`),
	})
	if err != nil {
		c.t.Fatal(err)
	}
	lease := fanfare.Lease{JobID: job.ID, Token: store.NewID()}
	if claimed, err := db.Claim(ctx, "by hand", []fanfare.Lease{lease}, time.Hour); err != nil || len(claimed) != 1 {
		c.t.Fatalf("claiming the job: %v", err)
	}
	logger := telemetry.NewLogger(os.Stderr, slog.LevelError)
	return &byHand{t: c.t, store: db, hub: events.NewHub(c.redis(), logger), texts: events.NewTexts(c.redis(), logger), lease: lease}
}

// steps makes so many events.
func (j *byHand) steps(n int) {
	j.t.Helper()
	for range n {
		j.made++
		jobs, err := j.store.RecordSteps(j.t.Context(), []fanfare.StepDone{{
			Lease: j.lease, Name: strconv.Itoa(j.made), Output: json.RawMessage(`{}`),
			Progress: fanfare.Progress{Step: "by hand", Completed: j.made, Total: eventsBefore + eventsAfter},
		}})
		if err != nil || len(jobs) != 1 {
			j.t.Fatalf("recording a step: %v", err)
		}
		j.hub.Publish(j.t.Context(), jobs...)
	}
}

// write has a text of the job grow in large pieces.
func (j *byHand) write() {
	j.t.Helper()
	sink, closeTexts := j.texts.Open(j.lease.JobID)
	defer closeTexts()
	for n := range int64(deltas) {
		sink.Append(fanfare.Email, "body", strings.Repeat("y", delta))
		eventually(j.t, 10*time.Second, "a delta to be published", func() bool {
			partial, err := j.texts.Partial(j.t.Context(), j.lease.JobID)
			return err == nil && partial.N > n
		})
	}
}

func (j *byHand) finish() {
	j.t.Helper()
	jobs, err := j.store.Finish(j.t.Context(), []fanfare.Outcome{{Lease: j.lease, Status: fanfare.JobSucceeded, Result: json.RawMessage(`{}`)}})
	if err != nil || len(jobs) != 1 {
		j.t.Fatalf("finishing the job: %v", err)
	}
	j.hub.Publish(j.t.Context(), jobs...)
}

// stalledReader has asked for a stream and reads nothing of it.
type stalledReader struct {
	conn      net.Conn
	path, key string
	last      int // sequence of the last event that was read
}

func (c *cluster) stall(jobID string) *stalledReader {
	c.t.Helper()
	r := &stalledReader{path: "/api/jobs/" + jobID + "/events", key: c.key}
	r.ask(c.t, c.apis[1])
	c.t.Cleanup(func() { _ = r.conn.Close() })
	return r
}

func (r *stalledReader) ask(t testing.TB, base string) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	r.conn = conn
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: fanfare\r\nAuthorization: Bearer %s\r\nLast-Event-ID: %d\r\n\r\n", r.path, r.key, r.last)
	if err != nil {
		t.Fatal(err)
	}
}

// resume reads what the system still has of the stream, and then the rest.
func (r *stalledReader) resume(t testing.TB, base string, want int) {
	r.read(t)
	if _ = r.conn.Close(); r.last >= want {
		t.Errorf("a reader that stalled has had all %d events: nothing was tested", r.last)
		return
	}
	r.ask(t, base)
	r.read(t)
	if r.last != want {
		t.Errorf("a reader that stalled and resumed saw %d events, want %d", r.last, want)
	}
}

// read reads until the stream ends, or is cut off. An event counts once it is
// whole.
func (r *stalledReader) read(t testing.TB) {
	response, err := http.ReadResponse(bufio.NewReader(r.conn), nil)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("a stream did not begin: %v", err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	id := 0
	for lines.Scan() {
		line := lines.Text()
		if text, ok := strings.CutPrefix(line, "id: "); ok {
			id, _ = strconv.Atoi(text)
		}
		if line != "" || id == 0 {
			continue
		}
		if id != r.last+1 {
			t.Errorf("event %d came after %d", id, r.last)
			return
		}
		r.last, id = id, 0
	}
}

func logCount(p *process, text string) int {
	raw, _ := os.ReadFile(p.log)
	return strings.Count(string(raw), text)
}

// residentMemory is a process's memory in bytes, as ps(1) or proc(5) tell it.
func residentMemory(t testing.TB, p *process) int {
	t.Helper()
	pid := strconv.Itoa(p.cmd.Process.Pid)
	unit := os.Getpagesize()
	raw, err := os.ReadFile("/proc/" + pid + "/statm")
	fields := strings.Fields(string(raw))
	if err != nil {
		unit = 1024
		raw, err = exec.CommandContext(context.Background(), "ps", "-o", "rss=", "-p", pid).Output()
		fields = append([]string{""}, strings.Fields(string(raw))...)
	}
	if err != nil || len(fields) < 2 {
		t.Fatalf("asking for the API's memory: %v", err)
	}
	n, err := strconv.Atoi(fields[1])
	if err != nil {
		t.Fatalf("asking for the API's memory: %v", err)
	}
	return n * unit
}
