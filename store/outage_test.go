package store_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
	"fanfare/internal/teststore"
	"fanfare/store"
)

// TestAFrozenDatabaseIsUnavailable: its connections stay open and never answer.
func TestAFrozenDatabaseIsUnavailable(t *testing.T) {
	t.Parallel()
	servers := testdb.OwnServers(t)
	db := teststore.Open(t, servers.DatabaseURL())
	limited, err := store.OpenLimited(t.Context(), servers.DatabaseURL(), 500*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer limited.Close()
	defer func() { _ = servers.Postgres.Resume() }() // else closing would hang with what the test found
	job := db.Queued()
	calls := map[string]func() error{
		"Ping":      func() error { return db.Ping(t.Context()) },
		"WorkersUp": func() error { _, err := db.WorkersUp(t.Context(), time.Minute); return err },
		"Job":       func() error { _, err := limited.Job(t.Context(), job.UserID, job.ID); return err },
		"Jobs": func() error {
			_, err := limited.Jobs(t.Context(), job.UserID, fanfare.JobFilter{}, fanfare.Page{Limit: 1})
			return err
		},
		"Heartbeat": func() error { _, err := limited.Heartbeat(t.Context(), "w1", nil, time.Minute); return err },
		"Submit":    func() error { _, err := limited.Submit(t.Context(), db.NewJob()); return err },
		"Atomic":    func() error { return limited.Atomic(t.Context(), func(context.Context) error { return nil }) },
	}
	for _, want := range []string{"", fanfare.CodeUnavailable, ""} {
		switch want {
		case "":
			await.True(t, "the database answers", func() bool { return limited.Ping(t.Context()) == nil })
		default:
			if err := servers.Postgres.Pause(); err != nil {
				t.Fatal(err)
			}
		}
		for name, call := range calls {
			answer := make(chan error, 1)
			go func() { answer <- call() }()
			wantCode(t, name, await.Value(t, name+" on a frozen database", answer), want)
		}
		if want != "" {
			if err := servers.Postgres.Resume(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestADatabaseThatIsAwayIsUnavailable(t *testing.T) {
	t.Parallel()
	servers := testdb.OwnServers(t)
	db := teststore.Open(t, servers.DatabaseURL())
	job := db.Queued()
	if err := servers.Postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	_, err := db.Job(t.Context(), job.UserID, job.ID)
	wantCode(t, "Job", err, fanfare.CodeUnavailable)
	wantCode(t, "Ping", db.Ping(t.Context()), fanfare.CodeUnavailable)
	_, err = store.Open(t.Context(), servers.DatabaseURL(), 2)
	wantCode(t, "Open", err, fanfare.CodeUnavailable)
	if err := servers.Postgres.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if again := db.Now(job); again.ID != job.ID {
		t.Errorf("the job is %v", again)
	}
}

func TestOpenRefusesADatabaseWithoutTheSchema(t *testing.T) {
	url := testdb.New(t)
	pool, err := store.Connect(url, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.ExecContext(t.Context(), `DROP TABLE jobs CASCADE`); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), url, 2)
	if err == nil {
		_ = s.Close()
		t.Fatal("a database without jobs was opened")
	}
	if !strings.Contains(err.Error(), "run `fanfare migrate up`") {
		t.Errorf("it is not said what to do: %v", err)
	}
}

// cutter passes connections on to a database. Once told a text, it cuts the
// first connection that sends it, after the database has answered and before
// the answer arrives.
type cutter struct {
	url  string
	text atomic.Pointer[[]byte]
}

func newCutter(t *testing.T, databaseURL string) *cutter {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	c := &cutter{}
	target := u.Host
	u.Host = listener.Addr().String()
	c.url = u.String()
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", target)
			if err != nil {
				_ = client.Close()
				continue
			}
			go c.pass(client, server)
		}
	}()
	return c
}

func (c *cutter) pass(client, server net.Conn) {
	defer client.Close()
	defer server.Close()
	cut := make(chan struct{})
	go func() {
		defer client.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := server.Read(buffer)
			select {
			case <-cut:
				return
			default:
			}
			if _, writeErr := client.Write(buffer[:n]); err != nil || writeErr != nil {
				return
			}
		}
	}()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if text := c.text.Load(); text != nil && bytes.Contains(buffer[:n], *text) && c.text.CompareAndSwap(text, nil) {
			close(cut)
		}
		if _, writeErr := io.Copy(server, bytes.NewReader(buffer[:n])); err != nil || writeErr != nil {
			return
		}
	}
}

func (c *cutter) cutAfter(text string) { raw := []byte(text); c.text.Store(&raw) }

// TestALostReplyToCommitIsToldAndNotRepeated: nobody can know that the change
// was made, and a client that asks again with its key gets what was stored.
func TestALostReplyToCommitIsToldAndNotRepeated(t *testing.T) {
	url := testdb.New(t)
	proxy := newCutter(t, url)
	db := teststore.Open(t, proxy.url)
	calls := 0
	submit := func(ctx context.Context) error {
		calls++
		replayed, err := db.Replay(ctx, keyOf(db))
		if err != nil || replayed != nil {
			return err
		}
		if _, err := db.Submit(ctx, db.NewJob()); err != nil {
			return err
		}
		return db.SaveResponse(ctx, keyOf(db), accepted)
	}
	proxy.cutAfter("COMMIT\x00")
	wantCode(t, "the commit", db.Atomic(t.Context(), submit), fanfare.CodeUnavailable)
	if calls != 1 {
		t.Errorf("the transaction was tried %d times by itself", calls)
	}
	await.True(t, "the first connection has ended", func() bool { return db.Atomic(t.Context(), submit) == nil })
	if stored := db.Query(`SELECT id FROM jobs`); len(stored) != 1 {
		t.Errorf("%d jobs are stored, want 1", len(stored))
	}
}

// TestALostReplyToAClaimStartsOneAttempt, which is found by its lease.
func TestALostReplyToAClaimStartsOneAttempt(t *testing.T) {
	proxy := newCutter(t, testdb.New(t))
	db := teststore.Open(t, proxy.url)
	lease := teststore.NewLease(db.Queued())
	proxy.cutAfter("COMMIT\x00")
	_, err := db.Claim(t.Context(), "w1", []fanfare.Lease{lease}, time.Minute)
	wantCode(t, "the claim", err, fanfare.CodeUnavailable)
	var held *fanfare.Claimed
	await.True(t, "the attempt is found", func() bool {
		held, err = db.Held(t.Context(), lease)
		return err == nil && held != nil
	})
	if held.Job.Attempt != 1 || held.Lease != lease {
		t.Errorf("holds %+v, want attempt 1", held)
	}
}
