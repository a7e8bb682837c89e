package e2e

import (
	"os/exec"
	"testing"
	"time"

	"github.com/lib/pq"
)

func newCommand(path string, env []string, args ...string) *exec.Cmd {
	cmd := exec.Command(path, args...)
	cmd.Env = env
	return cmd
}

// eventually waits for a condition, and fails the test if it does not come.
func eventually(t testing.TB, within time.Duration, what string, condition func() bool) {
	t.Helper()
	if !soon(within, condition) {
		t.Fatalf("waited %s for %s", within, what)
	}
}

// soon reports whether a condition comes within a time.
func soon(within time.Duration, condition func() bool) bool {
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(20 * time.Millisecond)
	}
	return true
}

// count runs a query that returns one number; -1 while the database is away.
func (c *cluster) count(query string, args ...any) int {
	var n int
	if err := c.db.QueryRow(query, args...).Scan(&n); err != nil {
		return -1
	}
	return n
}

// awaitDone waits until every job is over.
func (c *cluster) awaitDone(within time.Duration, ids []string) {
	c.t.Helper()
	eventually(c.t, within, "all jobs to be over", func() bool { return c.unended(ids) == 0 })
}

// unended counts the jobs that are not over, all of them while the database is
// away.
func (c *cluster) unended(ids []string) int {
	over := c.count(`SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL`, pq.Array(ids))
	return len(ids) - max(over, 0)
}

// checkPromises counts what is promised of every accepted job, of campaigns
// whose generation nothing but faults can stop: all that checkEnded counts, and
// that it succeeded.
func (c *cluster) checkPromises(ids []string) {
	c.t.Helper()
	c.checkSucceeded(ids)
	for _, violation := range c.broken() {
		c.t.Error(violation)
	}
}

// checkSucceeded notes which promises were broken to jobs that had to succeed.
func (c *cluster) checkSucceeded(ids []string) {
	c.checkEnded(ids)
	c.check(ids, []countCheck{
		{"accepted jobs that succeeded", `SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND status = 'succeeded'`, len(ids)},
		{"campaigns that are not ready", `SELECT count(*) FROM campaigns WHERE status <> 'ready'
			AND id IN (SELECT campaign_id FROM jobs WHERE id = ANY($1::uuid[]))`, 0},
		{"answers in conversations", `SELECT count(*) FROM conversation_messages WHERE role = 'assistant'
			AND $1::uuid[] IS NOT NULL`, len(ids)},
	})
}

// story is the order in which a job's events may come, a letter for each:
// queued, started, progress, retrying, and a final one. Whoever writes under a
// lease that was taken from it tells a story that is not of this form.
const story = `^q(sp*[rq])*(sp*)?F$`

// checkEnded notes which promises were broken to jobs, however they ended: each
// is there and ended once, its events tell a possible story without a gap, and
// each claim left a start and an end in the audit trail.
func (c *cluster) checkEnded(ids []string) {
	c.t.Helper()
	distinct := map[string]bool{}
	for _, id := range ids {
		distinct[id] = true
	}
	if len(distinct) != len(ids) || distinct[""] {
		c.violated("%d submissions were accepted as %d jobs", len(ids), len(distinct))
	}
	c.check(ids, []countCheck{
		{"accepted jobs that ended", `SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL
			AND status IN ('succeeded', 'failed', 'canceled', 'expired') AND (result IS NULL) <> (error IS NULL)`, len(ids)},
		{"jobs that nobody was told of", `SELECT count(*) FROM jobs WHERE NOT id = ANY($1::uuid[])`, 0},
		{"final events", `SELECT count(*) FROM job_events WHERE job_id = ANY($1::uuid[])
			AND type IN ('job.succeeded', 'job.failed', 'job.canceled', 'job.expired')`, len(ids)},
		{"jobs whose events have a gap", `SELECT count(*) FROM (SELECT 1 FROM job_events WHERE job_id = ANY($1::uuid[])
			GROUP BY job_id HAVING count(*) <> max(sequence)) gaps`, 0},
		{"jobs whose events tell an impossible story", `SELECT count(*) FROM (
			SELECT string_agg(CASE type WHEN 'job.queued' THEN 'q' WHEN 'job.started' THEN 's' WHEN 'job.progress' THEN 'p'
				WHEN 'job.retrying' THEN 'r' ELSE 'F' END, '' ORDER BY sequence) AS told
			FROM job_events WHERE job_id = ANY($1::uuid[]) GROUP BY job_id) stories WHERE told !~ '` + story + `'`, 0},
		{"claims without a start in the audit trail, or the other way round", `SELECT
			abs((SELECT count(*) FROM job_events WHERE job_id = ANY($1::uuid[]) AND type = 'job.started') -
				(SELECT count(*) FROM audit_logs WHERE action = 'job.attempt.start' AND resource = ANY($1::text[])))`, 0},
		{"attempts without exactly one start and one end", `SELECT count(*) FROM (
			SELECT 1 FROM audit_logs WHERE action LIKE 'job.attempt.%' AND resource = ANY($1::text[])
			GROUP BY metadata->>'lease'
			HAVING count(*) FILTER (WHERE action = 'job.attempt.start') <> 1
				OR count(*) FILTER (WHERE action = 'job.attempt.end') <> 1) odd`, 0},
	})
}

// checkAllEnded does so for whatever jobs there are.
func (c *cluster) checkAllEnded() {
	c.t.Helper()
	c.checkEnded(c.jobs())
}

func (c *cluster) jobs() (ids []string) {
	c.t.Helper()
	if err := c.db.QueryRow(`SELECT coalesce(array_agg(id::text), '{}') FROM jobs`).Scan(pq.Array(&ids)); err != nil {
		c.t.Fatal(err)
	}
	return ids
}

type countCheck struct {
	what, query string
	want        int
}

func (c *cluster) check(ids []string, checks []countCheck) {
	for _, check := range checks {
		if got := c.count(check.query, pq.Array(ids)); got != check.want {
			c.violated("%s: %d, want %d", check.what, got, check.want)
		}
	}
}

// abandoned counts attempts that were lost with their worker.
func (c *cluster) abandoned() int {
	return c.count(`SELECT count(*) FROM audit_logs WHERE action = 'job.attempt.end' AND metadata->>'outcome' = 'abandoned'`)
}

func (c *cluster) running() int { return c.count(`SELECT count(*) FROM jobs WHERE status = 'running'`) }
