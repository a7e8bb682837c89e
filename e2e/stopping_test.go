package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// balancer sends requests to one API until that says that it is not ready, as
// seen by a look each 300 ms, and from then on to another.
type balancer struct {
	c       *cluster
	target  atomic.Pointer[string]
	moved   chan struct{} // closed when it has turned away
	aliveAt int           // what live said then
}

// watch ends when the first API is not ready any more.
func (b *balancer) watch(first, second string) {
	defer close(b.moved)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	defer b.target.Store(&second)
	for b.c.t.Context().Err() == nil {
		response, err := client.Get(first + "/health/ready")
		if err != nil {
			b.c.t.Errorf("the API stopped before it said that it would: %v", err)
			return
		}
		_ = response.Body.Close()
		if response.StatusCode == http.StatusServiceUnavailable {
			if response, err = client.Get(first + "/health/live"); err == nil {
				_ = response.Body.Close()
				b.aliveAt = response.StatusCode
			}
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// client sends briefs over a connection that it keeps, one after the other,
// until ctx ends. It counts those accepted and the answers that told it to
// leave the connection.
func (b *balancer) client(ctx context.Context, accepted, told *atomic.Int64) {
	client := &http.Client{Transport: &http.Transport{}}
	for ctx.Err() == nil {
		base := *b.target.Load()
		body := strings.NewReader(`{"prompt": "Sell tea", "channels": ["sms"]}`)
		request, err := http.NewRequest(http.MethodPost, base+"/api/campaign", body)
		if err != nil {
			b.c.t.Error(err)
			return
		}
		request.Header = http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + b.c.key}}
		response, err := client.Do(request)
		if err != nil {
			b.c.t.Errorf("a request was cut off: %v", err)
			return
		}
		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusAccepted {
			b.c.t.Errorf("%s, %v: %s", response.Status, err, answer)
			return
		}
		accepted.Add(1)
		if response.Close {
			told.Add(1)
		}
	}
}

// Guards: the pause between readiness and the listener (app/api.go), and that
// streams end after the listener.
func TestAPIStopsBehindABalancer(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	stopping := c.api()
	b := &balancer{c: c, moved: make(chan struct{})}
	b.target.Store(&c.apis[1])
	go b.watch(c.apis[1], c.apis[0])

	ctx, stop := context.WithCancel(t.Context())
	var accepted, told atomic.Int64
	var clients sync.WaitGroup
	for range 8 {
		clients.Go(func() { b.client(ctx, &accepted, &told) })
	}
	streaming, streamed := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := c.follow(t.Context(), c.apis[1], "/api/events", "", func(f frame) bool {
			if f.event == "jobs.snapshot" {
				close(streaming)
			}
			return true
		})
		streamed <- errors.Join(err, unreachable(c.apis[1]))
	}()
	<-streaming
	eventually(t, patience, "requests", func() bool { return accepted.Load() > 50 })
	stopping.signal(syscall.SIGTERM)
	<-b.moved
	if err := <-streamed; err != nil {
		t.Errorf("a stream and its client at SIGTERM: %v", err)
	}
	if code := stopping.ended(patience); code != 0 {
		t.Errorf("the API exited with %d", code)
	}
	stop()
	clients.Wait()
	if b.aliveAt != http.StatusOK {
		t.Errorf("live said %d while ready said 503", b.aliveAt)
	}
	if told.Load() == 0 {
		t.Error("nobody was told to leave a connection: nothing was tested")
	}
	if n := c.count(`SELECT count(*) FROM jobs`); int64(n) != accepted.Load() {
		t.Errorf("%d jobs for %d requests that were answered", n, accepted.Load())
	}
}

// unreachable fails if a client that comes back at once would get in.
func unreachable(base string) error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		return nil
	}
	_ = conn.Close()
	return fmt.Errorf("%s still takes connections", base)
}

// A second signal ends an API that waits for a request.
func TestSecondSignalStopsTheAPI(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	api := c.api("SHUTDOWN_TIMEOUT=10m")
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.apis[1], "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{")
	api.signal(syscall.SIGTERM)
	eventually(t, patience, "the API to drain", func() bool { return api.logged("draining") })
	api.signal(syscall.SIGTERM)
	if code := api.ended(5 * time.Second); code == 0 {
		t.Error("an API that was cut off says that it ended in good order")
	}
}

// A migration that waits for somebody's lock is interrupted, leaves nothing
// half-way, and can be run again.
func TestMigrationInterrupted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	if code, output := run(t, c.env(), "migrate", "down"); code != 0 {
		t.Fatal(output)
	}
	before := c.count(`SELECT count(*) FROM goose_db_version`)
	hold, err := c.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = hold.Rollback() }()
	if _, err := hold.Exec(`LOCK TABLE goose_db_version IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	up := c.start("migrate", c.env(), "migrate", "up")
	eventually(t, patience, "the migration to wait", func() bool {
		return c.count(`SELECT count(*) FROM pg_locks WHERE relation = 'goose_db_version'::regclass AND NOT granted`) == 1
	})
	if code := up.terminate(10 * time.Second); code != 0 {
		t.Errorf("an interrupted migration exited with %d", code)
	}
	if err := hold.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := c.count(`SELECT count(*) FROM goose_db_version`); n != before {
		t.Errorf("it left %d steps, before it there were %d", n, before)
	}
	if code, output := run(t, c.env(), "migrate", "up"); code != 0 {
		t.Errorf("again: %d, %s", code, output)
	}
	if _, output := run(t, c.env(), "migrate", "status"); strings.Contains(output, "pending") {
		t.Error(output)
	}
}
