package e2e

import (
	"context"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare/worker"
)

const patience = 90 * time.Second

// What each scenario is for is the guard that mutants_test.go takes out to see
// that the scenario notices.

func TestWorkerKilled(t *testing.T) { holds(t, workerKilled) }

func workerKilled(t testing.TB, program string) []string {
	c := clusterOf(t, program, 500*time.Millisecond)
	c.scheduler("scheduler")
	victim := c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 60)
	eventually(t, patience, "the victim to have work", func() bool { return c.runningOn(victim) > 0 })
	victim.kill()
	c.awaitEnded(ids)
	if c.abandoned() < 1 {
		c.violated("no attempt was lost with its worker: nothing was tested")
	}
	c.checkSucceeded(ids)
	return c.broken()
}

func TestWorkerPausedPastItsLease(t *testing.T) { holds(t, workerPausedPastItsLease) }

func workerPausedPastItsLease(t testing.TB, program string) []string {
	c := clusterOf(t, program, time.Second)
	c.scheduler("scheduler")
	// Its time must not run out too: it shall come back with a success to write.
	paused := c.worker("worker1", "AI_TIMEOUT=5m", "JOB_TIMEOUT=10m")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 40)
	eventually(t, patience, "the worker to have work", func() bool { return c.runningOn(paused) > 0 })
	paused.signal(syscall.SIGSTOP)
	c.awaitEnded(ids)
	if c.abandoned() < 1 {
		c.violated("the paused worker lost no lease: nothing was tested")
	}
	before := c.count(`SELECT count(*) FROM job_events`)
	paused.signal(syscall.SIGCONT)
	c.awaitHeartbeat(paused)
	c.stops(paused, 30*time.Second)
	if after := c.count(`SELECT count(*) FROM job_events`); after != before {
		c.violated("the worker that came back wrote %d events for jobs that were over", after-before)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

func TestRedisEmptiedUnderLoad(t *testing.T) { holds(t, redisEmptiedUnderLoad) }

func redisEmptiedUnderLoad(t testing.TB, program string) []string {
	c := clusterOf(t, program, 200*time.Millisecond)
	c.scheduler("scheduler1")
	c.scheduler("scheduler2")
	c.api()
	c.worker("worker1", "WORKER_CONCURRENCY=4")
	c.worker("worker2", "WORKER_CONCURRENCY=4")
	c.awaitWorkers(2)
	rdb := c.redis()
	ids := c.submitAll(0, 60)
	for range 3 {
		if err := rdb.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, c.submitAll(len(ids), len(ids)+10)...)
	}
	if err := rdb.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if c.unfinished() < 1 {
		c.violated("everything was done before Redis was emptied: nothing was tested")
	}
	c.awaitEnded(ids)
	c.checkSucceeded(ids)
	if queues, err := rdb.SMembers(t.Context(), "asynq:queues").Result(); err != nil || !slices.Contains(queues, "ai") {
		c.violated("the dashboard's queues are %v (%v), want ai among them", queues, err)
	}
	return c.broken()
}

func TestRedisGoneWhileAccepting(t *testing.T) { holds(t, redisGoneWhileAccepting) }

func redisGoneWhileAccepting(t testing.TB, program string) []string {
	c := clusterOf(t, program, 50*time.Millisecond)
	c.scheduler("scheduler")
	c.worker("worker")
	c.awaitWorkers(1)
	if err := c.services.Redis.Kill(); err != nil {
		t.Fatal(err)
	}
	ids := c.submitAll(0, 20)
	if n := c.unfinished(); n != len(ids) {
		c.violated("%d of %d jobs are waiting", n, len(ids))
	}
	if n := c.refused.Load(); n > 0 {
		c.violated("%d submissions were refused", n)
	}
	if err := c.services.Redis.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.awaitEnded(ids)
	c.checkSucceeded(ids)
	return c.broken()
}

func TestPostgresRestarted(t *testing.T) { holds(t, postgresRestarted) }

func postgresRestarted(t testing.TB, program string) []string {
	c := clusterOf(t, program, 2*time.Second)
	c.scheduler("scheduler")
	c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 30)
	eventually(t, patience, "jobs to run", func() bool { return c.running() >= 20 })
	if err := c.services.Postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	<-time.After(worker.DefaultLease + time.Second) // every lease runs out meanwhile
	if err := c.services.Postgres.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.awaitEnded(ids)
	if n := c.abandoned(); n != 0 {
		c.violated("%d attempts were taken from workers that live", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

func TestRepliesOfPostgresLost(t *testing.T) { holds(t, repliesOfPostgresLost) }

func repliesOfPostgresLost(t testing.TB, program string) []string {
	c := clusterOf(t, program, 50*time.Millisecond)
	proxy, url := newLossyProxy(t, c.services.DatabaseURL(), 30)
	lossy := "DATABASE_URL=" + url
	c.apis = nil // only those behind the proxy count
	c.api(lossy)
	c.api(lossy)
	c.start("scheduler", c.env(lossy), "scheduler")
	c.worker("worker1", lossy)
	c.worker("worker2", lossy)
	c.awaitWorkers(2)
	ids := c.submitAll(0, 150)
	c.awaitEnded(ids)
	if proxy.lost.Load() < 20 {
		c.violated("only %d replies were lost: too little was tested", proxy.lost.Load())
	}
	c.checkSucceeded(ids)
	return c.broken()
}

func TestTerminatedUnderLoad(t *testing.T) { holds(t, terminatedUnderLoad) }

func terminatedUnderLoad(t testing.TB, program string) []string {
	c := clusterOf(t, program, 1500*time.Millisecond)
	scheduler := c.scheduler("scheduler")
	quick := c.worker("worker1", "SHUTDOWN_TIMEOUT=200ms") // must give its attempts back
	patient := c.worker("worker2")                         // may finish them
	c.awaitWorkers(2)
	ids := c.submitAll(0, 60)
	eventually(t, patience, "both workers to have work", func() bool {
		return c.runningOn(quick) > 0 && c.runningOn(patient) > 0
	})
	for _, p := range []*process{quick, patient, scheduler} {
		c.stops(p, 20*time.Second)
	}
	if n := c.running(); n != 0 {
		c.violated("%d jobs are still leased to workers that have stopped", n)
	}
	if c.count(`SELECT count(*) FROM audit_logs WHERE metadata->>'outcome' = 'released'`) < 1 {
		c.violated("no attempt was given back: nothing was tested")
	}
	c.scheduler("scheduler2")
	c.worker("worker3")
	c.awaitEnded(ids)
	if n := c.abandoned(); n != 0 {
		c.violated("%d attempts were abandoned by workers that could stop in good order", n)
	}
	if n := c.count(`SELECT count(*) FROM jobs WHERE attempt <> 1`); n != 0 {
		c.violated("%d jobs paid an attempt for the shutdown", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// stops tells a process to stop, which it has to do in good order.
func (c *cluster) stops(p *process, within time.Duration) {
	c.t.Helper()
	if code := p.terminate(within); code != 0 {
		c.violated("%s exited with %d, want 0", p.name, code)
	}
}

func (c *cluster) redis() *redis.Client {
	options, err := redis.ParseURL(c.services.RedisURL())
	if err != nil {
		c.t.Fatal(err)
	}
	rdb := redis.NewClient(options)
	c.t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

func (c *cluster) unfinished() int {
	return c.count(`SELECT count(*) FROM jobs WHERE finished_at IS NULL`)
}

// runningOn counts the jobs that run on one worker, which its audit records
// name by host, process and a random part.
func (c *cluster) runningOn(p *process) int {
	return c.count(`SELECT count(*) FROM jobs JOIN audit_logs a ON a.metadata->>'lease' = jobs.lease_token::text
		WHERE jobs.status = 'running' AND a.action = 'job.attempt.start'
			AND split_part(a.metadata->>'worker', ':', 2) = $1::text`, p.cmd.Process.Pid)
}

// awaitHeartbeat waits for a sign of life that is newer than now.
func (c *cluster) awaitHeartbeat(p *process) {
	c.t.Helper()
	var now time.Time
	if err := c.db.QueryRowContext(context.Background(), `SELECT now()`).Scan(&now); err != nil {
		c.t.Fatal(err)
	}
	eventually(c.t, 20*time.Second, "a heartbeat of "+p.name, func() bool {
		return c.count(`SELECT count(*) FROM workers WHERE split_part(id, ':', 2) = $1::text AND seen_at > $2`,
			p.cmd.Process.Pid, now) == 1
	})
}
