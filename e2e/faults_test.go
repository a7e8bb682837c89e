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

// Guard: the reaper (scheduler/reaper.go).
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 500*time.Millisecond)
	c.scheduler("scheduler")
	victim := c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 60)
	eventually(t, patience, "the victim to have work", func() bool { return c.runningOn(victim) > 0 })
	victim.kill()
	c.awaitDone(patience, ids)
	if c.abandoned() == 0 {
		t.Error("no attempt was lost with its worker: nothing was tested")
	}
	c.checkPromises(ids)
}

// Guard: the lease token in the statements that finish and record steps.
func TestWorkerPausedPastItsLease(t *testing.T) {
	t.Parallel()
	c := newCluster(t, time.Second)
	c.scheduler("scheduler")
	// Its time must not run out too: it shall come back with a success to write.
	paused := c.worker("worker1", "AI_TIMEOUT=5m", "JOB_TIMEOUT=10m")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 40)
	eventually(t, patience, "the worker to have work", func() bool { return c.runningOn(paused) > 0 })
	paused.signal(syscall.SIGSTOP)
	c.awaitDone(patience, ids)
	if c.abandoned() == 0 {
		t.Error("the paused worker lost no lease: nothing was tested")
	}
	before := c.count(`SELECT count(*) FROM job_events`)
	paused.signal(syscall.SIGCONT)
	c.awaitHeartbeat(paused)
	if code := paused.terminate(30 * time.Second); code != 0 {
		t.Errorf("the worker exited with %d", code)
	}
	if after := c.count(`SELECT count(*) FROM job_events`); after != before {
		t.Errorf("the worker that came back wrote %d events for jobs that were over", after-before)
	}
	c.checkPromises(ids)
}

// Guard: the relay (scheduler/relay.go).
func TestRedisEmptiedUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 200*time.Millisecond)
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
	if c.unfinished() == 0 {
		t.Error("everything was done before Redis was emptied: nothing was tested")
	}
	c.awaitDone(patience, ids)
	c.checkPromises(ids)
	if queues, err := rdb.SMembers(t.Context(), "asynq:queues").Result(); err != nil || !slices.Contains(queues, "ai") {
		t.Errorf("the dashboard's queues are %v (%v), want ai among them", queues, err)
	}
}

// Guard: a 202 does not depend on the enqueueing (api/idempotency.go, carry).
func TestRedisGoneWhileAccepting(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 50*time.Millisecond)
	c.scheduler("scheduler")
	c.worker("worker")
	c.awaitWorkers(1)
	if err := c.services.Redis.Kill(); err != nil {
		t.Fatal(err)
	}
	ids := c.submitAll(0, 20)
	if n := c.unfinished(); n != len(ids) {
		t.Errorf("%d of %d jobs are waiting", n, len(ids))
	}
	if err := c.services.Redis.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.awaitDone(patience, ids)
	c.checkPromises(ids)
}

// Guards: persist (worker/finish.go) and the reaper's quiet time.
func TestPostgresRestarted(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 2*time.Second)
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
	c.awaitDone(patience, ids)
	if n := c.abandoned(); n != 0 {
		t.Errorf("%d attempts were taken from workers that live", n)
	}
	c.checkPromises(ids)
}

// Guards: the Idempotency-Key in the transaction that creates (api/idempotency.go),
// and the token that lets each of a worker's statements through once.
func TestRepliesOfPostgresLost(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 50*time.Millisecond)
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
	c.awaitDone(patience, ids)
	if proxy.lost.Load() < 20 {
		t.Errorf("only %d replies were lost: too little was tested", proxy.lost.Load())
	}
	c.checkPromises(ids)
}

// Guard: Drain (worker/worker.go), and what app does around it.
func TestTerminatedUnderLoad(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1500*time.Millisecond)
	scheduler := c.scheduler("scheduler")
	quick := c.worker("worker1", "SHUTDOWN_TIMEOUT=200ms") // must give its attempts back
	patient := c.worker("worker2")                         // may finish them
	c.awaitWorkers(2)
	ids := c.submitAll(0, 60)
	eventually(t, patience, "both workers to have work", func() bool {
		return c.runningOn(quick) > 0 && c.runningOn(patient) > 0
	})
	for _, p := range []*process{quick, patient, scheduler} {
		if code := p.terminate(20 * time.Second); code != 0 {
			t.Errorf("%s exited with %d, want 0", p.name, code)
		}
	}
	if n := c.running(); n != 0 {
		t.Errorf("%d jobs are still leased to workers that have stopped", n)
	}
	if c.count(`SELECT count(*) FROM audit_logs WHERE metadata->>'outcome' = 'released'`) == 0 {
		t.Error("no attempt was given back: nothing was tested")
	}
	c.scheduler("scheduler2")
	c.worker("worker3")
	c.awaitDone(patience, ids)
	if n := c.abandoned(); n != 0 {
		t.Errorf("%d attempts were abandoned by workers that could stop in good order", n)
	}
	if n := c.count(`SELECT count(*) FROM jobs WHERE attempt <> 1`); n != 0 {
		t.Errorf("%d jobs paid an attempt for the shutdown", n)
	}
	c.checkPromises(ids)
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
