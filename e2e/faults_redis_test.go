//go:build faults

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/redis/go-redis/v9"

	"fanfare/internal/devservices"
	"fanfare/migrations"
	"fanfare/store"
)

// asynq's acknowledgements are lost: Redis is out of reach for the workers while
// jobs end, for one by broken connections, for the other by answers that never
// come. asynq brings such tasks again, minutes later (queue/asynq_test.go).
func TestAcknowledgementsCut(t *testing.T) { holds(t, acknowledgementsCut) }

func acknowledgementsCut(t testing.TB, program string) []string {
	const jobs = 100 // more than run at once: tasks are on their way, too
	c := clusterOf(t, program, time.Second)
	broken, brokenURL := newGate(t, c.services.RedisURL())
	silent, silentURL := newGate(t, c.services.RedisURL())
	c.scheduler("scheduler")
	cut := c.worker("cut", "REDIS_URL="+brokenURL)
	unheard := c.worker("unheard", "REDIS_URL="+silentURL)
	c.awaitWorkers(2)
	ids := c.submitAll(0, jobs)
	eventually(t, patience, "both workers to have work", func() bool { return c.runningOn(cut) > 0 && c.runningOn(unheard) > 0 })
	broken.close()
	silent.stall()
	<-time.After(4 * time.Second)
	broken.open()
	silent.flow()
	c.awaitEnded(ids)
	rdb := c.redis()
	if c.unacknowledged(cut, c.tasks(rdb, "active")) < 1 {
		c.violated("every acknowledgement arrived: nothing was tested")
	}
	if !unheard.logged("i/o timeout") {
		c.violated("no answer of Redis was waited for in vain: nothing was tested")
	}
	// The lease of asynq, its grace, and the period of its recoverer.
	eventually(t, 3*time.Minute, "asynq to bring all tasks again", func() bool {
		return len(c.tasks(rdb, "active", "pending")) == 0 && rdb.ZCard(t.Context(), "asynq:{ai}:retry").Val() == 0
	})
	c.awaitEnded(ids)
	if n := c.count(`SELECT count(*) FROM job_events WHERE type = 'job.started'`); n != jobs {
		c.violated("%d jobs were started %d times", jobs, n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// unacknowledged counts those of asynq's active tasks whose jobs a worker has
// done.
func (c *cluster) unacknowledged(p *process, active []string) int {
	return c.count(`SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL
		AND EXISTS (SELECT 1 FROM audit_logs a WHERE a.resource = jobs.id::text AND a.action = 'job.attempt.start'
			AND split_part(a.metadata->>'worker', ':', 2) = $2::text)`, pq.Array(jobsOf(active)), p.cmd.Process.Pid)
}

// tasks are the ids of asynq's tasks in lists of its own.
func (c *cluster) tasks(rdb *redis.Client, lists ...string) (ids []string) {
	c.t.Helper()
	for _, list := range lists {
		some, err := rdb.LRange(c.t.Context(), "asynq:{ai}:"+list, 0, -1).Result()
		if err != nil {
			c.t.Fatalf("asking for %s tasks: %v", list, err)
		}
		ids = append(ids, some...)
	}
	return ids
}

// jobsOf are the jobs that tasks carry.
func jobsOf(tasks []string) (ids []string) {
	for _, task := range tasks {
		id, _, _ := strings.Cut(task, ":")
		ids = append(ids, id)
	}
	return ids
}

func TestRedisRestartedWithoutItsFile(t *testing.T)  { holds(t, redisForgetsAll) }
func TestRedisRestartedWithItsFile(t *testing.T)     { holds(t, redisForgetsNothing) }
func TestRedisRestartedWithHalfItsFile(t *testing.T) { holds(t, redisForgetsSome) }

func redisForgetsAll(t testing.TB, program string) []string {
	return redisRestarted(clusterOf(t, program, 300*time.Millisecond), func() {},
		func(kept, lost int) bool { return kept == 0 && lost > 0 })
}

func redisForgetsNothing(t testing.TB, program string) []string {
	services, _ := durable(t)
	return redisRestarted(clusterOn(t, program, services, 300*time.Millisecond), func() {},
		func(kept, lost int) bool { return kept > 0 && lost == 0 })
}

func redisForgetsSome(t testing.TB, program string) []string {
	services, dir := durable(t)
	return redisRestarted(clusterOn(t, program, services, 300*time.Millisecond), func() { cutTail(t, dir) },
		func(kept, lost int) bool { return kept > 0 && lost > 0 })
}

// redisRestarted kills Redis again and again. What it says of the tasks that
// it kept and lost, all in all, must be what was meant.
func redisRestarted(c *cluster, spoil func(), meant func(kept, lost int) bool) []string {
	processes := []*process{c.scheduler("scheduler"), c.worker("worker1", "WORKER_CONCURRENCY=4"), c.worker("worker2", "WORKER_CONCURRENCY=4")}
	c.awaitWorkers(2)
	ids := c.submitAll(0, 60)
	var away, kept, lost []string
	for range 3 {
		held := c.killRedis()
		away = append(away, c.submitAll(len(ids)+len(away), len(ids)+len(away)+5)...)
		spoil()
		left := c.startRedis(processes)
		for _, task := range held {
			if slices.Contains(left, task) {
				kept = append(kept, task)
			} else {
				lost = append(lost, task)
			}
		}
		ids = append(ids, c.submitAll(len(ids)+len(away), len(ids)+len(away)+15)...)
	}
	c.t.Logf("Redis kept %d tasks, and lost %d", len(kept), len(lost))
	if !meant(len(kept), len(lost)) {
		c.violated("Redis kept %d tasks, and lost %d: that is not what was to be tested", len(kept), len(lost))
	}
	ids = append(ids, away...)
	c.awaitEnded(ids)
	if n := c.unended(away); n > 0 {
		c.violated("%d of %d jobs that came while Redis was away were not over", n, len(away))
	}
	slices.Sort(lost)
	if n := c.unended(jobsOf(slices.Compact(lost))); n > 0 {
		c.violated("%d jobs whose tasks Redis lost were not over", n)
	}
	if n := c.refused.Load(); n > 0 {
		c.violated("%d submissions were refused", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// killRedis kills Redis, and returns the tasks that it held.
func (c *cluster) killRedis() (tasks []string) {
	c.t.Helper()
	rdb := c.redis()
	// Nobody changes anything between the look and the end.
	if err := rdb.Do(c.t.Context(), "CLIENT", "PAUSE", time.Minute.Milliseconds(), "WRITE").Err(); err != nil {
		c.t.Fatalf("stopping writes to Redis: %v", err)
	}
	tasks = c.tasks(rdb, "pending", "active")
	if err := c.services.Redis.Kill(); err != nil {
		c.t.Fatal(err)
	}
	return tasks
}

// startRedis starts it again, and returns the tasks that it holds then. The
// processes stand still until it has looked: they would bring theirs.
func (c *cluster) startRedis(processes []*process) (tasks []string) {
	c.t.Helper()
	for _, p := range processes {
		p.signal(syscall.SIGSTOP)
		defer p.signal(syscall.SIGCONT)
	}
	if err := c.services.Redis.Start(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	return c.tasks(c.redis(), "pending", "active")
}

// cutTail takes the last third off the file that Redis appends to, in the
// middle of a command as a rule.
func cutTail(t testing.TB, dir string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "redis", "appendonlydir", "*.incr.aof"))
	if err != nil || len(files) != 1 {
		t.Fatalf("Redis appends to %q, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[0], info.Size()*2/3); err != nil {
		t.Fatal(err)
	}
}

// durable are servers that keep what they are told.
func durable(t testing.TB) (services *devservices.Services, dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	return serversIn(t, devservices.Options{Dir: dir, Postgres: true, Redis: true, Durable: true}), dir
}

func serversIn(t testing.TB, options devservices.Options) *devservices.Services {
	t.Helper()
	services, err := devservices.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := services.Stop(); err != nil {
			t.Error(err)
		}
	})
	db, err := store.ConnectForMigrations(services.DatabaseURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	return services
}

// The set by which asynq finds tasks of dead workers is gone, and a worker dies.
func TestLeaseSetDeleted(t *testing.T) { holds(t, leaseSetDeleted) }

func leaseSetDeleted(t testing.TB, program string) []string {
	c := clusterOf(t, program, time.Second)
	c.scheduler("scheduler")
	victim := c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 60)
	eventually(t, patience, "the victim to have work", func() bool { return c.runningOn(victim) > 0 })
	if n, err := c.redis().Del(t.Context(), "asynq:{ai}:lease").Result(); err != nil || n != 1 {
		t.Fatalf("deleting the lease set: %d, %v", n, err)
	}
	victim.kill()
	c.awaitEnded(ids)
	if c.abandoned() < 1 {
		c.violated("no attempt was lost with its worker: nothing was tested")
	}
	c.checkSucceeded(ids)
	return c.broken()
}
