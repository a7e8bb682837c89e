package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"
	"testing"
	"time"
)

func TestFiveSchedulersOnePausedInTheMiddle(t *testing.T) { holds(t, fiveSchedulersOnePaused) }

func fiveSchedulersOnePaused(t testing.TB, program string) []string {
	const schedules = 40
	c := clusterOf(t, program, 0)
	schedulers := make([]*process, 5)
	for i := range schedulers {
		schedulers[i] = c.scheduler(fmt.Sprintf("scheduler%d", i+1))
	}
	for _, s := range schedulers {
		eventually(t, patience, s.name+" to be ready", func() bool { return s.logged("the scheduler is ready") })
	}
	for _, id := range c.launchable(schedules) {
		c.schedule(id, time.Now().Add(time.Hour))
	}

	// All of them are held up in the middle of a launch.
	hold, err := c.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hold.ExecContext(t.Context(), `LOCK TABLE launches IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.ExecContext(t.Context(), `UPDATE schedules SET run_at = now(), next_at = now()`); err != nil {
		t.Fatal(err)
	}
	eventually(t, patience, "all schedulers to be at a launch", func() bool {
		return c.count(`SELECT count(*) FROM pg_locks WHERE relation = 'launches'::regclass AND NOT granted`) == len(schedulers)
	})
	paused := schedulers[2]
	paused.signal(syscall.SIGSTOP)
	if err := hold.Commit(); err != nil {
		t.Fatal(err)
	}

	fired := `SELECT count(*) FROM audit_logs WHERE action = 'schedule.fire'`
	if !soon(patience, func() bool { return c.count(fired) >= schedules }) {
		c.violated("%d of %d schedules were launched while one scheduler was paused", c.count(fired), schedules)
	}
	paused.signal(syscall.SIGCONT)
	if !soon(patience, func() bool { return paused.logged("a scheduler task failed") }) {
		c.violated("the scheduler that was paused did not find that it was too late")
	}
	for _, s := range schedulers {
		c.stops(s, 20*time.Second)
	}
	for what, query := range map[string]string{
		"jobs":                 `SELECT count(*) FROM jobs WHERE kind = 'campaign.launch'`,
		"campaigns with a job": `SELECT count(DISTINCT campaign_id) FROM jobs WHERE kind = 'campaign.launch'`,
		"launches":             `SELECT count(*) FROM launches`,
		"occurrences":          `SELECT count(*) FROM schedule_occurrences WHERE outcome = 'launched'`,
		"records":              `SELECT count(*) FROM audit_logs WHERE action LIKE 'schedule.%' AND action <> 'schedule.set'`,
		"schedules at rest":    `SELECT count(*) FROM schedules WHERE NOT enabled AND last_run IS NOT NULL`,
	} {
		if got := c.count(query); got != schedules {
			c.violated("%s: %d, want %d", what, got, schedules)
		}
	}
	return c.broken()
}

// launchable makes campaigns of the cluster's user that have content.
func (c *cluster) launchable(n int) (ids []string) {
	c.t.Helper()
	rows, err := c.db.QueryContext(c.t.Context(), `INSERT INTO campaigns (user_id, goal, channels, content, status)
		SELECT id, 'sell tea', '{sms}', '{"sms": {"text": "Tea"}}', 'ready' FROM users CROSS JOIN generate_series(1, $1) RETURNING id`, n)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			c.t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil || len(ids) != n {
		c.t.Fatalf("%d campaigns, %v", len(ids), err)
	}
	return ids
}

// schedule has a campaign launched once.
func (c *cluster) schedule(campaign string, at time.Time) {
	c.t.Helper()
	body, err := json.Marshal(map[string]any{"runAt": at.Format(time.RFC3339)})
	if err != nil {
		c.t.Fatal(err)
	}
	url := c.apis[0] + "/api/campaign/" + campaign + "/schedule"
	request, err := http.NewRequestWithContext(c.t.Context(), http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		c.t.Fatalf("PUT of a schedule: %s", response.Status)
	}
}
