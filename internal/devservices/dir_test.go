package devservices

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAnEarlierServerThatStillRunsIsNamed(t *testing.T) {
	s := start(t, Options{Postgres: true, Redis: true})
	for program, pidFile := range map[string]string{
		"postgres":     filepath.Join(s.Postgres.engine.dataDir(), "postmaster.pid"),
		"redis-server": filepath.Join(s.Redis.engine.dataDir(), "redis.pid"),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		pid := map[string]int{"postgres": s.Postgres.PID(), "redis-server": s.Redis.PID()}[program]
		wantSentence(t, awaitEarlier(ctx, pidFile, program), fmt.Sprintf("process %d", pid))
	}
}

func TestStalePIDFilesAreNoHindrance(t *testing.T) {
	ended := exec.CommandContext(t.Context(), "true")
	if err := ended.Run(); err != nil {
		t.Fatal(err)
	}
	for name, pid := range map[string]int{"ended": ended.Process.Pid, "another program by now": stranger(t)} {
		t.Run(name, func(t *testing.T) {
			dir := sharedDir(t)
			opts := Options{Dir: dir, Postgres: true, Redis: true}
			first := start(t, opts)
			stale := []string{
				filepath.Join(first.Postgres.engine.dataDir(), "postmaster.pid"),
				filepath.Join(first.Redis.engine.dataDir(), "redis.pid"),
			}
			if err := first.Stop(); err != nil {
				t.Fatal(err)
			}
			for _, path := range stale {
				writeStale(t, path, pid)
			}
			start(t, opts)
		})
	}
}

// stranger starts a process of PostgreSQL's user that is no PostgreSQL: which
// PostgreSQL itself would take for an earlier server.
func stranger(t *testing.T) int {
	t.Helper()
	account, err := unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	sleep := exec.CommandContext(t.Context(), "sleep", "600") // ended with the test
	sleep.SysProcAttr = &syscall.SysProcAttr{Credential: account.credential()}
	if err := sleep.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sleep.Wait() })
	return sleep.Process.Pid
}

func writeStale(t *testing.T, path string, pid int) {
	t.Helper()
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	content := fmt.Sprintf("%d\n%s\n1700000000\n25000\n\n127.0.0.1\n", pid, filepath.Dir(path))
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	if err := os.Chown(path, int(owner.Uid), int(owner.Gid)); err != nil {
		t.Fatal(err)
	}
}

func TestThePasswordIsKept(t *testing.T) {
	dir := t.TempDir()
	first, err := loadPassword(dir)
	if err != nil || len(first) < 20 {
		t.Fatalf("loadPassword() = %q, %v; want a long one", first, err)
	}
	second, err := loadPassword(dir)
	if err != nil || second != first {
		t.Errorf("loadPassword() = %q, %v; want %q again", second, err, first)
	}
	if info, err := os.Stat(filepath.Join(dir, "password")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the password's file: %v, %v; want mode 0600", info.Mode(), err)
	}
}

func TestDataOutOfReachGetsAStandIn(t *testing.T) {
	outer := sharedDir(t)
	inner := filepath.Join(outer, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	stranger := &account{UID: 4_000_000, GID: 4_000_000}
	if got := stranger.home(inner); got != inner {
		t.Errorf("home(%s) = %s, want it as it is", inner, got)
	}
	if err := os.Chmod(outer, 0o700); err != nil {
		t.Fatal(err)
	}
	got := stranger.home(inner)
	if !strings.HasPrefix(got, rootsData+"/") || got == stranger.home(outer) {
		t.Errorf("home(%s) = %s, want a place of its own in %s", inner, got, rootsData)
	}
	if got := (*account)(nil).home(inner); got != inner {
		t.Errorf("home(%s) = %s where nobody is root", inner, got)
	}
}

func TestTemporaryDataOutOfReachIsRemovedToo(t *testing.T) {
	private := t.TempDir() // only its owner may enter the folder around it
	t.Setenv("TMPDIR", private)
	s := start(t, Options{Postgres: true})
	data := s.Postgres.engine.dataDir()
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{s.dir, data} {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", dir, err)
		}
	}
	if home := filepath.Dir(data); home != s.dir {
		if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is still there: %v", home, err)
		}
	}
}
