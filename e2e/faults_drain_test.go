//go:build faults

package e2e

import (
	"testing"
	"time"

	"fanfare/internal/devservices"
)

// A worker is told to stop while it has 200 jobs in flight.
func TestTerminatedWith200InFlight(t *testing.T) { holds(t, terminatedWith200InFlight) }

func terminatedWith200InFlight(t testing.TB, program string) []string {
	const jobs = 200
	c := clusterOf(t, program, time.Hour)
	c.scheduler("scheduler")
	slow := []string{"WORKER_CONCURRENCY=256", "AI_TIMEOUT=10m", "JOB_TIMEOUT=10m", "SHUTDOWN_TIMEOUT=" + drainLimit.String()}
	worker := c.worker("worker1", slow...)
	c.awaitWorkers(1)
	ids := c.submitAll(0, jobs)
	eventually(t, patience, "all to run", func() bool { return c.runningOn(worker) == jobs })
	begun := time.Now()
	c.stops(worker, drainLimit+20*time.Second)
	t.Logf("it stopped after %s", time.Since(begun))
	if n := c.running(); n != 0 {
		c.violated("%d jobs are still leased to a worker that has stopped", n)
	}
	if n := c.count(`SELECT count(*) FROM audit_logs WHERE metadata->>'outcome' = 'released'`); n != jobs {
		c.violated("%d attempts were given back, want %d", n, jobs)
	}
	c.model.delay.Store(0)
	c.worker("worker2", slow...)
	c.awaitEnded(ids)
	if n := c.count(`SELECT count(*) FROM jobs WHERE attempt <> 1`); n != 0 {
		c.violated("%d jobs paid an attempt for the shutdown", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// Everything is told to stop while Redis hangs: nothing that Redis would be
// asked for is worth waiting for.
func TestTerminatedWhileRedisHangs(t *testing.T) { holds(t, terminatedWhileRedisHangs) }

func terminatedWhileRedisHangs(t testing.TB, program string) []string {
	redis := func(c *cluster) *devservices.Server { return c.services.Redis }
	c := terminatedWithout(t, program, redis, (*devservices.Server).Pause, (*devservices.Server).Resume, 14*time.Second)
	if n := c.abandoned(); n != 0 {
		c.violated("%d attempts were abandoned by a worker that could stop in good order", n)
	}
	return c.broken()
}

// lastWrites is what a worker takes for what is to be written while PostgreSQL
// is away, and what it takes anyway.
const lastWrites = (12 + 10) * time.Second

func thePostgres(c *cluster) *devservices.Server { return c.services.Postgres }

// Everything is told to stop while PostgreSQL is away: what can't be written is
// another worker's later.
func TestTerminatedWhilePostgresIsAway(t *testing.T) {
	holds(t, func(t testing.TB, program string) []string {
		start := func(s *devservices.Server) error { return s.Start(t.Context()) }
		return terminatedWithout(t, program, thePostgres, (*devservices.Server).Kill, start, lastWrites).broken()
	})
}

// Likewise while it hangs.
func TestTerminatedWhilePostgresHangs(t *testing.T) { holds(t, terminatedWhilePostgresHangs) }

func terminatedWhilePostgresHangs(t testing.TB, program string) []string {
	return terminatedWithout(t, program, thePostgres, (*devservices.Server).Pause, (*devservices.Server).Resume, lastWrites).broken()
}

func terminatedWithout(t testing.TB, program string, server func(*cluster) *devservices.Server, away, back func(*devservices.Server) error, within time.Duration) *cluster {
	c := clusterOf(t, program, time.Hour)
	timeout := "SHUTDOWN_TIMEOUT=" + drainLimit.String()
	api := c.api(timeout)
	scheduler := c.scheduler("scheduler")
	worker := c.worker("worker1", "AI_TIMEOUT=10m", "JOB_TIMEOUT=10m", timeout)
	c.awaitWorkers(1)
	ids := c.submitAll(0, 20)
	eventually(t, patience, "all to run", func() bool { return c.runningOn(worker) == len(ids) })
	if err := away(server(c)); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*process{worker, scheduler, api} {
		c.stopsWithin(p, drainLimit+within)
	}
	if err := back(server(c)); err != nil {
		t.Fatal(err)
	}
	c.apis = c.apis[:1]
	c.model.delay.Store(0)
	c.scheduler("scheduler2")
	c.worker("worker2")
	c.awaitEnded(ids)
	c.checkSucceeded(ids)
	return c
}

const drainLimit = 3 * time.Second // SHUTDOWN_TIMEOUT

// stopsWithin tells a process to stop, which must be soon after SHUTDOWN_TIMEOUT,
// whatever it can't reach: process managers leave thirty seconds, as a rule.
func (c *cluster) stopsWithin(p *process, within time.Duration) {
	c.t.Helper()
	begun := time.Now()
	c.stops(p, 2*time.Minute)
	took := time.Since(begun)
	if took > within {
		c.violated("%s took %s to stop, and had %s", p.name, took, drainLimit)
	}
	c.t.Logf("%s stopped after %s", p.name, took)
}
