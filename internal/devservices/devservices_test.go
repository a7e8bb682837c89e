package devservices

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/lib/pq"
	goredis "github.com/redis/go-redis/v9"
)

// helperEnv makes the test binary a program that starts servers and waits.
const helperEnv = "DEVSERVICES_HELPER"

type helperReport struct {
	Dir             string
	Postgres, Redis int
}

func TestMain(m *testing.M) {
	Supervise()
	if os.Getenv(helperEnv) != "" {
		helper()
	}
	os.Exit(m.Run())
}

func helper() {
	s, err := Start(context.Background(), Options{Postgres: true, Redis: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	_ = json.NewEncoder(os.Stdout).Encode(helperReport{s.dir, s.Postgres.PID(), s.Redis.PID()})
	select {}
}

func TestStartAndStop(t *testing.T) {
	s := start(t, Options{Postgres: true, Redis: true})
	exec1(t, s, "CREATE TABLE t (n int)")
	setKey(t, s, "k", "v")
	pids := []int{s.Postgres.PID(), s.Redis.PID()}
	for _, pid := range pids {
		group, err := syscall.Getpgid(pid)
		if err != nil || group == syscall.Getpgrp() {
			t.Errorf("Getpgid(%d) = %d, %v; want another group than ours: a ^C would reach it", pid, group, err)
		}
	}
	for range 2 {
		if err := s.Stop(); err != nil {
			t.Fatalf("Stop() = %v", err)
		}
	}
	awaitGone(t, s.dir, pids...)
}

func TestDurableDataIsKept(t *testing.T) {
	dir := sharedDir(t)
	first := start(t, Options{Dir: dir, Postgres: true, Redis: true, Durable: true})
	exec1(t, first, "CREATE TABLE kept AS SELECT 42 AS n")
	setKey(t, first, "kept", "yes")
	if err := first.Stop(); err != nil {
		t.Fatal(err)
	}

	second := start(t, Options{Dir: dir, Postgres: true, Redis: true, Durable: true})
	if got := query(t, second.DatabaseURL(), "SELECT n FROM kept"); got != "42" {
		t.Errorf("the row reads %q after a restart, want 42", got)
	}
	if got := query(t, second.DatabaseURL(), "SHOW fsync"); got != "on" {
		t.Errorf("fsync is %q, want on", got)
	}
	if got, err := redisClient(t, second.RedisURL()).Get(t.Context(), "kept").Result(); got != "yes" {
		t.Errorf("the key reads %q, %v after a restart, want yes", got, err)
	}
}

func TestDurableServersAskForThePassword(t *testing.T) {
	s := start(t, Options{Dir: sharedDir(t), Postgres: true, Redis: true, Durable: true})
	password := s.Postgres.engine.(*postgres).password
	if err := openDB(t, strings.Replace(s.DatabaseURL(), password, "guess", 1)).Ping(); err == nil {
		t.Error("PostgreSQL let a wrong password in")
	}
	if err := redisClient(t, strings.Replace(s.RedisURL(), password, "guess", 1)).Ping(t.Context()).Err(); err == nil {
		t.Error("Redis let a wrong password in")
	}
}

func TestServersEndWithAKilledParent(t *testing.T) {
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), helperEnv+"=1")
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var report helperReport
	err = json.NewDecoder(out).Decode(&report)
	if killErr := parent.Process.Kill(); err != nil || killErr != nil {
		t.Fatalf("the helper: %v, %v", err, killErr)
	}
	_ = parent.Wait()
	awaitGone(t, report.Dir, report.Postgres, report.Redis)
}

func TestADirHasOneUser(t *testing.T) {
	dir := sharedDir(t)
	start(t, Options{Dir: dir, Redis: true})
	second, err := Start(t.Context(), Options{Dir: dir, Redis: true})
	if err == nil {
		_ = second.Stop()
	}
	wantSentence(t, err, fmt.Sprintf("in use by process %d", os.Getpid()))
}

// start starts servers that end with the test.
func start(t *testing.T, opts Options) *Services {
	t.Helper()
	s, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatalf("Start(%+v) = %v", opts, err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("Stop() = %v", err)
		}
	})
	return s
}

// sharedDir is t.TempDir, reachable by PostgreSQL's user.
func sharedDir(t *testing.T) string {
	t.Helper()
	dir, err := temporaryDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func openDB(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func redisClient(t *testing.T, url string) *goredis.Client {
	t.Helper()
	opts, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	opts.MaxRetries, opts.ReadTimeout = -1, 300*time.Millisecond
	client := goredis.NewClient(opts)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func exec1(t *testing.T, s *Services, statement string) {
	t.Helper()
	if _, err := openDB(t, s.DatabaseURL()).ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func query(t *testing.T, url, statement string) (answer string) {
	t.Helper()
	if err := openDB(t, url).QueryRowContext(t.Context(), statement).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return answer
}

func setKey(t *testing.T, s *Services, key, value string) {
	t.Helper()
	if err := redisClient(t, s.RedisURL()).Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatalf("SET %s: %v", key, err)
	}
}

// awaitGone waits until the processes have ended and the directory is removed.
func awaitGone(t *testing.T, dir string, pids ...int) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		gone := true
		for _, pid := range pids {
			gone = gone && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
		}
		if _, err := os.Stat(dir); gone && errors.Is(err, fs.ErrNotExist) {
			return
		}
		select {
		case <-limit:
			t.Fatalf("processes %v or %s are still there", pids, dir)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
