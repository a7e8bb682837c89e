//go:build faults && linux

package e2e

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"fanfare/internal/devservices"
)

// The disk that PostgreSQL writes to is full for a while.
func TestDiskFull(t *testing.T) { holds(t, diskFull) }

func diskFull(t testing.TB, program string) []string {
	disk := smallDisk(t, "220m")
	c := clusterOn(t, program, serversIn(t, devservices.Options{Dir: disk, Postgres: true, Redis: true}), 500*time.Millisecond)
	c.scheduler("scheduler")
	c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	ids := c.submitAll(0, 40)
	eventually(t, patience, "jobs to run", func() bool { return c.running() > 0 })
	ballast := filepath.Join(disk, "ballast")
	fill(t, ballast)
	submitted := make(chan []string)
	go func() { submitted <- c.submitUntilRefused(40) }()
	if !soon(patience, func() bool { c.writeMuch(); return c.refused.Load() > 0 }) {
		c.violated("no submission was refused: nothing was tested")
	}
	c.wantAnswer("/health/live", http.StatusOK)
	<-time.After(5 * time.Second)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if c.services.Postgres.PID() == 0 { // it gave up
		if err := c.services.Postgres.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ids = append(ids, <-submitted...)
	c.awaitEnded(ids)
	for answer, n := range c.refusals {
		if answer != "503 Service Unavailable" {
			c.violated("%d submissions were answered %s while the disk was full", n, answer)
		}
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// submitUntilRefused submits briefs until one has to be repeated, and returns
// the jobs of all.
func (c *cluster) submitUntilRefused(from int) (ids []string) {
	for giveUp := time.Now().Add(patience); c.refused.Load() == 0 && time.Now().Before(giveUp); {
		ids = append(ids, c.submitAll(from+len(ids), from+len(ids)+8)...)
	}
	return ids
}

// writeMuch makes PostgreSQL write, more than it has room for.
func (c *cluster) writeMuch() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = c.db.ExecContext(ctx, `CREATE TABLE ballast AS SELECT repeat(md5(i::text), 30) FROM generate_series(1, 5000) i; DROP TABLE ballast`)
}

// smallDisk mounts a file system in memory, which takes root.
func smallDisk(t testing.TB, size string) (dir string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "fanfare-disk-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0755,size="+size); err != nil {
		t.Fatalf("This scenario needs a small disk of its own: run it as root, where file systems may be mounted (%v).", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Errorf("unmounting %s: %v", dir, err)
		}
	})
	return dir
}

// fill writes a file until the disk is full.
func fill(t testing.TB, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
}
