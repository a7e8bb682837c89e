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
	deadline := time.Now().Add(within)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %s for %s", within, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
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
	eventually(c.t, within, "all jobs to be over", func() bool {
		return c.count(`SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND finished_at IS NOT NULL`, pq.Array(ids)) == len(ids)
	})
}

// checkPromises counts what is promised of every accepted job: it is there, it
// ended once and with success, its events have no gap, and each attempt left a
// start and an end.
func (c *cluster) checkPromises(ids []string) {
	c.t.Helper()
	distinct := map[string]bool{}
	for _, id := range ids {
		distinct[id] = true
	}
	if len(distinct) != len(ids) || distinct[""] {
		c.t.Errorf("%d briefs were accepted as %d jobs", len(ids), len(distinct))
	}
	jobs := pq.Array(ids)
	for _, check := range []struct {
		what, query string
		want        int
	}{
		{"accepted jobs that succeeded", `SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND status = 'succeeded'`, len(ids)},
		{"jobs that nobody was told of", `SELECT count(*) FROM jobs WHERE NOT id = ANY($1::uuid[])`, 0},
		{"final events", `SELECT count(*) FROM job_events WHERE job_id = ANY($1::uuid[])
			AND type IN ('job.succeeded', 'job.failed', 'job.canceled', 'job.expired')`, len(ids)},
		{"jobs whose events have a gap", `SELECT count(*) FROM (SELECT 1 FROM job_events WHERE job_id = ANY($1::uuid[])
			GROUP BY job_id HAVING count(*) <> max(sequence)) gaps`, 0},
		{"attempts without exactly one start and one end", `SELECT count(*) FROM (
			SELECT 1 FROM audit_logs WHERE action LIKE 'job.attempt.%' AND resource = ANY($1::text[])
			GROUP BY metadata->>'lease'
			HAVING count(*) FILTER (WHERE action = 'job.attempt.start') <> 1
				OR count(*) FILTER (WHERE action = 'job.attempt.end') <> 1) odd`, 0},
		{"campaigns that are not ready", `SELECT count(*) FROM campaigns WHERE status <> 'ready'
			AND id IN (SELECT campaign_id FROM jobs WHERE id = ANY($1::uuid[]))`, 0},
		{"answers in conversations", `SELECT count(*) FROM conversation_messages WHERE role = 'assistant'
			AND $1::uuid[] IS NOT NULL`, len(ids)},
	} {
		if got := c.count(check.query, jobs); got != check.want {
			c.t.Errorf("%s: %d, want %d", check.what, got, check.want)
		}
	}
}

// abandoned counts attempts that were lost with their worker.
func (c *cluster) abandoned() int {
	return c.count(`SELECT count(*) FROM audit_logs WHERE action = 'job.attempt.end' AND metadata->>'outcome' = 'abandoned'`)
}

func (c *cluster) running() int { return c.count(`SELECT count(*) FROM jobs WHERE status = 'running'`) }
