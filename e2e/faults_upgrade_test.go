//go:build faults

package e2e

import (
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
// while the database is migrated under load.
func TestUpgrade(t *testing.T) { holds(t, upgraded) }

func upgraded(t testing.TB, program string) []string {
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
	before := []*process{c.scheduler("scheduler1"), c.worker("worker1"), c.worker("worker2")}
	c.awaitWorkers(2)
	load := make(chan []string)
	part := func(from, to int) { go func() { load <- c.submitAll(from, to) }() }
	part(0, 100)
	eventually(t, patience, "jobs to run", func() bool { return c.running() > 0 })
	migrate(program, "up") // while the old ones run
	ids := <-load
	c.program = program
	c.api()
	part(100, 200)
	c.scheduler("scheduler2")
	c.worker("worker3")
	c.worker("worker4")
	c.awaitWorkers(4)
	ids = append(ids, <-load...)
	part(200, 300) // to both
	ids = append(ids, <-load...)
	for _, p := range before {
		c.stops(p, 40*time.Second)
	}
	c.awaitEnded(ids)
	if n := c.refused.Load(); n > 0 {
		c.violated("%d submissions were refused during the upgrade: %v", n, c.refusals)
	}
	if n := c.count(`SELECT count(*) FROM jobs WHERE attempt <> 1`); n != 0 {
		c.violated("%d jobs paid an attempt for the upgrade", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
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
