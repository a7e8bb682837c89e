//go:build faults

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"fanfare/internal/devservices"
)

// The program before the newest migration and the program now run side by side
// while the database is migrated under load, of briefs and of launches, which
// read what the migration changes.
func TestUpgrade(t *testing.T) { holds(t, upgraded) }

func upgraded(t testing.TB, program string) []string {
	const parts, recipients = 3, 200
	old := previous(t)
	services, err := devservices.Start(t.Context(), devservices.Options{Postgres: true, Redis: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = services.Stop() })
	migrate := func(program, direction string) {
		env := append(slices.Clone(base), "DATABASE_URL="+services.DatabaseURL(), "REDIS_URL="+services.RedisURL())
		if output, err := newCommand(program, env, "migrate", direction).CombinedOutput(); err != nil {
			t.Fatalf("migrate %s: %v: %s", direction, err, output)
		}
	}
	migrate(old, "up")
	c := clusterOn(t, old, services, 500*time.Millisecond)
	scheduler := c.scheduler("scheduler1")
	before := []*process{c.worker("worker1", private), c.worker("worker2", private)}
	c.awaitWorkers(2)
	c.apis = nil // only those that may reach the receiver
	c.api(private)
	receiver := newReceiver(t, 50*time.Millisecond)
	c.connect(receiver)
	campaigns := c.addressedEach(parts, recipients)
	others := c.jobs()
	load := make(chan []string)
	part := func(n int) {
		others = append(others, c.launch(campaigns[n]))
		go func() { load <- c.submitAll(n*100, n*100+100) }()
	}
	part(0)
	eventually(t, patience, "jobs to run", func() bool { return c.running() > 0 })
	migrate(program, "up") // while the old ones run
	var migrated time.Time
	if err := c.db.QueryRow(`SELECT now()`).Scan(&migrated); err != nil {
		t.Fatal(err)
	}
	ids := <-load
	c.program = program
	c.api(private)
	part(1)
	c.scheduler("scheduler2")
	after := []*process{c.worker("worker3", private), c.worker("worker4", private)}
	c.awaitWorkers(4)
	ids = append(ids, <-load...)
	part(2) // to both
	ids = append(ids, <-load...)
	for _, p := range append(before, scheduler) {
		c.stops(p, 40*time.Second)
	}
	all := slices.Concat(ids, others)
	c.awaitEnded(all)
	for _, p := range append(before, after...) {
		if c.startedBy(p, migrated) == 0 {
			c.violated("%s started nothing after the migration: too little was tested", p.name)
		}
	}
	if unknown := c.checkReceipts(receiver, parts*recipients); unknown != 0 {
		c.violated("%d deliveries are unknown, and no worker was lost", unknown)
	}
	c.checkUpgraded(ids, all)
	return c.broken()
}

// addressedEach makes campaigns for e-mail whose recipients are all different.
func (c *cluster) addressedEach(n, recipients int) (campaigns []string) {
	c.t.Helper()
	for i := range n {
		campaign := c.addressed(1)
		if err := c.address(c.t.Context(), campaign, fmt.Sprintf("part%d-", i), recipients); err != nil {
			c.t.Fatal(err)
		}
		campaigns = append(campaigns, campaign)
	}
	return campaigns
}

// checkUpgraded notes which promises an upgrade broke to all jobs, of which
// some are of briefs that were not launched.
func (c *cluster) checkUpgraded(briefs, all []string) {
	if n := c.refused.Load(); n > 0 {
		c.violated("%d submissions were refused during the upgrade: %v", n, c.refusals)
	}
	if n := c.count(`SELECT count(*) FROM jobs WHERE attempt <> 1`); n != 0 {
		c.violated("%d jobs paid an attempt for the upgrade", n)
	}
	if n := c.abandoned(); n != 0 {
		c.violated("%d attempts were lost in the upgrade", n)
	}
	c.checkEnded(all)
	c.check(briefs, []countCheck{
		{"campaigns that are not ready", `SELECT count(*) FROM campaigns WHERE status <> 'ready'
			AND id IN (SELECT campaign_id FROM jobs WHERE id = ANY($1::uuid[]))`, 0},
	})
	c.check(all, []countCheck{
		{"jobs that succeeded", `SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND status = 'succeeded'`, len(all)},
	})
}

// startedBy counts the attempts that a worker has started since a moment.
func (c *cluster) startedBy(p *process, since time.Time) int {
	return c.count(`SELECT count(*) FROM audit_logs WHERE action = 'job.attempt.start' AND created_at > $2
		AND split_part(metadata->>'worker', ':', 2) = $1::text`, p.cmd.Process.Pid, since)
}

// previous builds the program of the commit before the newest migration. Where
// there is no history, it builds this one without that migration.
func previous(t testing.TB) (program string) {
	t.Helper()
	all, err := filepath.Glob("../migrations/*.sql")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d migrations, %v", len(all), err)
	}
	newest := slices.Max(all)
	commit, err := exec.Command("git", "log", "--diff-filter=A", "--format=%H", "-1", "--", newest).Output()
	if err != nil || len(commit) == 0 {
		t.Log("there is no history: the program before is this one without its newest migration")
		return build(t, edit{file: strings.TrimPrefix(filepath.ToSlash(newest), "../")})
	}
	tree := filepath.Join(t.TempDir(), "before")
	add := exec.Command("git", "worktree", "add", "--detach", tree, strings.TrimSpace(string(commit))+"~1")
	if output, err := add.CombinedOutput(); err != nil {
		t.Fatalf("checking the program before out: %v: %s", err, output)
	}
	t.Cleanup(func() { _ = exec.Command("git", "worktree", "remove", "--force", tree).Run() })
	program = filepath.Join(t.TempDir(), "fanfare")
	compile := exec.Command("go", "build", "-buildvcs=false", "-o", program, "fanfare/cmd/fanfare")
	compile.Dir, compile.Env = tree, os.Environ()
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("building the program before: %v: %s", err, output)
	}
	return program
}
