//go:build faults

package e2e

import (
	"database/sql"
	"errors"
	"net/http"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"

	"fanfare/worker"
)

// answersWithin is how soon a request must be refused that can't be served.
const answersWithin = 2 * time.Second

// Others have all of PostgreSQL's connections, ours included.
func TestConnectionsExhausted(t *testing.T) { holds(t, connectionsExhausted) }

func connectionsExhausted(t testing.TB, program string) []string {
	c := clusterOf(t, program, time.Second)
	c.scheduler("scheduler")
	c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 30)
	eventually(t, patience, "jobs to run", func() bool { return c.running() > 0 })
	free := c.exhaust()
	asked := 0
	for begun := time.Now(); time.Since(begun) < worker.DefaultLease; asked++ {
		c.wantRefusal("/api/campaign", http.StatusServiceUnavailable)
		c.wantAnswer("/health/ready", http.StatusServiceUnavailable)
		c.wantAnswer("/health/live", http.StatusOK)
		<-time.After(200 * time.Millisecond)
	}
	t.Logf("asked %d times while there was no connection", asked)
	free()
	ids = append(ids, c.submitAll(30, 40)...)
	c.awaitEnded(ids)
	if n := c.abandoned(); n != 0 {
		c.violated("%d attempts were taken from workers that live", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// exhaust takes every connection that PostgreSQL has, and takes those that
// others hold from them. Calling free gives them all back.
func (c *cluster) exhaust() (free func()) {
	c.t.Helper()
	hoard, err := sql.Open("postgres", c.services.DatabaseURL())
	if err != nil {
		c.t.Fatal(err)
	}
	var taken []*sql.Conn
	take := func() (n int) {
		for conn := c.take(hoard); conn != nil; conn = c.take(hoard) {
			taken = append(taken, conn)
			n++
		}
		return n
	}
	free = sync.OnceFunc(func() {
		for _, conn := range taken {
			_ = conn.Close()
		}
		_ = hoard.Close()
	})
	c.t.Cleanup(free)
	take()
	// Each that is cut off from the others is taken before they come back.
	deadline := time.Now().Add(30 * time.Second)
	for quiet := 0; quiet < 20; quiet++ {
		var cut int
		err := taken[0].QueryRowContext(c.t.Context(), `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE application_name = 'fanfare'`).Scan(&cut)
		if err != nil {
			c.t.Fatal(err)
		}
		if cut+take() > 0 {
			quiet = 0
		}
		if time.Now().After(deadline) {
			c.t.Fatal("PostgreSQL's connections could not be exhausted")
		}
	}
	return free
}

// take opens one more connection, nil if there is none.
func (c *cluster) take(hoard *sql.DB) *sql.Conn {
	c.t.Helper()
	conn, err := hoard.Conn(c.t.Context())
	if e, ok := errors.AsType[*pq.Error](err); ok && e.Code == "53300" {
		return nil
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return conn
}

// wantRefusal asks for a job, which must be refused in time.
func (c *cluster) wantRefusal(path string, status int) {
	c.t.Helper()
	begun := time.Now()
	response, err := c.tryPost(c.t.Context(), c.apis[0], path, c.authorized(),
		map[string]any{"prompt": "Sell tea", "channels": []string{"sms"}}, nil)
	if err != nil {
		c.violated("POST %s was not answered: %v", path, err)
		return
	}
	if took := time.Since(begun); response.StatusCode != status || took > answersWithin {
		c.violated("POST %s was answered %s after %s, want %d within %s", path, response.Status, took, status, answersWithin)
	}
}

// wantAnswer asks for a page, likewise.
func (c *cluster) wantAnswer(path string, status int) {
	c.t.Helper()
	begun := time.Now()
	response, err := http.Get(c.apis[0] + path)
	if err != nil {
		c.violated("GET %s was not answered: %v", path, err)
		return
	}
	_ = response.Body.Close()
	if took := time.Since(begun); response.StatusCode != status || took > answersWithin {
		c.violated("GET %s was answered %s after %s, want %d within %s", path, response.Status, took, status, answersWithin)
	}
}

// PostgreSQL hangs for longer than a lease lasts.
func TestPostgresFrozen(t *testing.T) { holds(t, postgresFrozen) }

func postgresFrozen(t testing.TB, program string) []string {
	c := clusterOf(t, program, 2*time.Second)
	c.scheduler("scheduler")
	c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 30)
	eventually(t, patience, "jobs to run", func() bool { return c.running() >= 20 })
	if err := c.services.Postgres.Pause(); err != nil {
		t.Fatal(err)
	}
	frozen := time.After(worker.DefaultLease + 5*time.Second)
	submitted := make(chan []string)
	go func() { submitted <- c.submitAll(30, 34) }()
	c.wantAnswer("/health/live", http.StatusOK)
	c.wantAnswer("/health/ready", http.StatusServiceUnavailable)
	<-frozen
	if err := c.services.Postgres.Resume(); err != nil {
		t.Fatal(err)
	}
	ids = append(ids, <-submitted...)
	c.awaitEnded(ids)
	if n := c.abandoned(); n != 0 {
		c.violated("%d attempts were taken from workers that live", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// A worker hears nothing of its claims until the reaper would have given them
// away.
func TestClaimsUnheard(t *testing.T) { holds(t, claimsUnheard) }

func claimsUnheard(t testing.TB, program string) []string {
	c := clusterOf(t, program, 50*time.Millisecond)
	c.scheduler("scheduler")
	answers, url := newGate(t, c.services.DatabaseURL())
	deaf := c.worker("deaf", "DATABASE_URL="+url)
	c.awaitWorkers(1)
	answers.stall()
	ids := c.submitAll(0, 20)
	// A claim made in a transaction is not made at all then: its beginning has no
	// answer. One that is made is given away while the worker stands still.
	claimed := soon(8*time.Second, func() bool { return c.running() > 0 })
	deaf.signal(syscall.SIGSTOP)
	<-time.After(worker.DefaultLease)
	if claimed {
		eventually(t, patience, "the claims to be given away", func() bool { return c.abandoned() > 0 && c.running() == 0 })
	}
	answers.flow()
	deaf.signal(syscall.SIGCONT)
	c.awaitEnded(ids)
	c.checkSucceeded(ids)
	return c.broken()
}
