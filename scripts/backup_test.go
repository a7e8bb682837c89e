// Package scripts tests the scripts that production relies on.
package scripts

import (
	"bufio"
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// sh runs a script and returns its exit code and all that it prints.
func sh(t *testing.T, env []string, stdin string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.Command("sh", args...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// daily is the names of backups made at 03:00 on each of n days up to last.
func daily(last time.Time, n int) (names []string) {
	for i := range n {
		names = append(names, last.AddDate(0, 0, -i).Format("fanfare-20060102T150405Z.dump"))
	}
	return names
}

func TestRotationKeepsDaysWeeksAndMonths(t *testing.T) {
	last := time.Date(2028, 3, 15, 3, 0, 0, 0, time.UTC) // a Wednesday, a fortnight after a 29 February
	for name, test := range map[string]struct {
		env   []string
		names []string
		kept  string // days
	}{
		"half a year of days": {
			names: daily(last, 250),
			kept: "2028-03-15 2028-03-14 2028-03-13 2028-03-12 2028-03-11 2028-03-10 2028-03-09 " + // 7 days, with them 2 weeks
				"2028-03-05 2028-02-27 " + // Sundays, with them 4 weeks
				"2028-02-29 2028-01-31 2027-12-31 2027-11-30 2027-10-31", // with March 6 months
		},
		"a few": {names: daily(last, 3), kept: "2028-03-15 2028-03-14 2028-03-13"},
		"one, of years ago": {
			names: []string{"fanfare-20200101T030000Z.dump"}, kept: "2020-01-01",
		},
		"none for a long time": {
			names: append(daily(last, 2), daily(last.AddDate(-2, 0, 0), 2)...),
			kept:  "2028-03-15 2028-03-14 2026-03-15 2026-03-14",
		},
		"nothing is to be kept": {
			env: []string{"KEEP_DAYS=0", "KEEP_WEEKS=0", "KEEP_MONTHS=0"}, names: daily(last, 3), kept: "2028-03-15",
		},
		"two on a day": {
			env: []string{"KEEP_DAYS=2", "KEEP_WEEKS=1", "KEEP_MONTHS=1"},
			names: []string{
				"fanfare-20280315T030000Z.dump", "fanfare-20280315T020000Z.dump", "fanfare-20280314T030000Z.dump", "fanfare-20280313T030000Z.dump",
			},
			kept: "2028-03-15 2028-03-14",
		},
		"weeks begin on Mondays, also over a year's end": {
			env:   []string{"KEEP_DAYS=0", "KEEP_WEEKS=3", "KEEP_MONTHS=0"},
			names: daily(time.Date(2027, 1, 5, 3, 0, 0, 0, time.UTC), 30), // a Tuesday
			kept:  "2027-01-05 2027-01-03 2026-12-27",
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := sh(t, append(os.Environ(), test.env...), "notes.txt\nfanfare.dump\n.fanfare-20280101T030000Z.dump.part\n"+strings.Join(test.names, "\n")+"\n", "backup", "--rotate-only")
			if code != 0 {
				t.Fatalf("exit code %d: %s", code, out)
			}
			gone := map[string]bool{}
			for line := range strings.Lines(out) {
				gone[strings.TrimSpace(line)] = true
			}
			var kept []string
			for _, n := range test.names {
				if !gone[n] {
					kept = append(kept, n[8:12]+"-"+n[12:14]+"-"+n[14:16])
				}
				delete(gone, n)
			}
			if len(gone) > 0 {
				t.Errorf("it would delete what is no backup: %v", gone)
			}
			want := strings.Fields(test.kept)
			if diff := cmp.Diff(sorted(want), sorted(kept)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
		})
	}
}

func sorted(days []string) map[string]bool {
	set := map[string]bool{}
	for _, day := range days {
		set[day] = true
	}
	return set
}

func TestBackupThatFailsKeepsWhatThereIs(t *testing.T) {
	env := testdb.Libpq(t, testdb.New(t))
	folder := t.TempDir()
	for i := range 20 {
		write(t, filepath.Join(folder, time.Now().AddDate(0, 0, -1-i).UTC().Format("fanfare-20060102T150405Z.dump")), "old")
	}
	for name, test := range map[string]struct {
		env  []string
		args []string
		want string
	}{
		"no such database": {env: append(env, "PGDATABASE=none"), want: "pg_dump did not finish"},
		"no server":        {env: append(env, "PGPORT=1"), want: "pg_dump did not finish"},
		"a bad option":     {env: env, args: []string{"--", "--no-such-option"}, want: "pg_dump did not finish"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := sh(t, test.env, "", append([]string{"backup", folder}, test.args...)...)
			if code == 0 || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want another, and %q in: %s", code, test.want, out)
			}
			if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) != 20 {
				t.Errorf("%d files are left, want the 20 old ones", len(left))
			}
			if parts, _ := filepath.Glob(filepath.Join(folder, ".*")); len(parts) != 0 {
				t.Errorf("left behind: %v", parts)
			}
		})
	}
	code, out := sh(t, env, "", "backup", folder)
	if left, _ := filepath.Glob(filepath.Join(folder, "*.dump")); code != 0 || len(left) >= 20 {
		t.Errorf("exit code %d, %d backups are left: %s", code, len(left), out)
	}
	if code, out := sh(t, env, "", "backup"); code == 0 || !strings.Contains(out, "name the folder") {
		t.Errorf("without a folder: %d: %s", code, out)
	}
	if code, out := sh(t, env, "", "backup", "--every", "25:00", folder); code == 0 || !strings.Contains(out, "03:00") {
		t.Errorf("at no time of day: %d: %s", code, out)
	}
}

// TestBackupStaysForTheNextDay: the first one at once, and none where there is
// a young one; then it waits, and ends when it is told to.
func TestBackupStaysForTheNextDay(t *testing.T) {
	env, folder := testdb.Libpq(t, testdb.New(t)), t.TempDir()
	for run := range 2 {
		cmd := exec.Command("sh", "backup", "--every", "03:00", folder)
		cmd.Env = append(env, "PATH="+standIn(t, "sleep")+":"+os.Getenv("PATH"))
		var problems bytes.Buffer
		cmd.Stderr = &problems
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var waits int
		var printed string
		for lines := bufio.NewScanner(out); lines.Scan(); {
			printed += lines.Text() + "\n"
			if _, err := fmt.Sscanf(lines.Text(), "sleeping %d", &waits); err == nil {
				break
			}
		}
		left := time.Until(time.Now().UTC().Truncate(24 * time.Hour).Add(3 * time.Hour))
		if left <= 0 {
			left += 24 * time.Hour
		}
		if d := time.Duration(waits) * time.Second; d < left || d > left+time.Minute {
			t.Errorf("it waits %s, want %s: %s%s", d, left, printed, &problems)
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("at SIGTERM: %v: %s", err, &problems)
		}
		if made := strings.Contains(printed, "backed up to"); made != (run == 0) {
			t.Errorf("run %d made a backup: %t", run, made)
		}
	}
}

// standIn is a folder with a program that says with what it was called, and
// waits until it is killed.
func standIn(t *testing.T, name string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	real, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	script := "#!/bin/sh\necho sleeping $1\nexec " + real + " $1\n"
	if err := os.WriteFile(filepath.Join(folder, name), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestRestoreChangesAllOrNothing(t *testing.T) {
	source, folder := testdb.Libpq(t, testdb.New(t)), t.TempDir()
	query(t, source, `INSERT INTO users (email, name, password_hash) VALUES ('ada@example.com', 'Ada', 'x')`)
	if code, out := sh(t, source, "", "backup", folder); code != 0 {
		t.Fatal(out)
	}
	found, _ := filepath.Glob(filepath.Join(folder, "*.dump"))
	if len(found) != 1 {
		t.Fatalf("backups: %v", found)
	}
	backup := found[0]
	raw, err := os.ReadFile(backup)
	if err != nil {
		t.Fatal(err)
	}
	changed, cut := filepath.Join(folder, "changed.dump"), filepath.Join(folder, "cut.dump")
	write(t, changed, strings.Replace(string(raw), "PGDMP", "PGDMQ", 1))
	write(t, changed+".sha256", strings.Repeat("0", 64)+"  changed.dump\n")
	write(t, cut, string(raw[:len(raw)-200]))

	targetURL := testdb.New(t)
	target := testdb.Libpq(t, targetURL)
	query(t, target, `INSERT INTO users (email, name, password_hash) VALUES ('bob@example.com', 'Bob', 'x')`)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"not empty":    {[]string{backup}, "is not empty"},
		"not there":    {[]string{"--force", filepath.Join(folder, "none.dump")}, "can't read"},
		"changed":      {[]string{"--force", changed}, "checksum differs"},
		"cut off":      {[]string{"--force", cut}, "can't be read as a backup"},
		"no file":      {[]string{"--force"}, "name the backup"},
		"a bad option": {[]string{"--fore", backup}, "no option --fore"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out := sh(t, target, "", append([]string{"restore"}, test.args...)...)
			if code == 0 || !strings.Contains(out, test.want) {
				t.Errorf("exit code %d, want another, and %q in: %s", code, test.want, out)
			}
			if got := query(t, target, `SELECT name FROM users`); got != "Bob" {
				t.Errorf("users: %q, want what was there", got)
			}
		})
	}

	if code, out := sh(t, target, "", "restore", "--check", backup); code != 0 || !strings.Contains(out, "users 1, ") {
		t.Errorf("--check: %d: %s", code, out)
	}
	if got := query(t, target, `SELECT name FROM users`); got != "Bob" {
		t.Errorf("after --check, users: %q", got)
	}
	connected, err := sql.Open("postgres", targetURL)
	if err != nil {
		t.Fatal(err)
	}
	if err := connected.PingContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, out := sh(t, target, "", "restore", "--force", backup); code == 0 || !strings.Contains(out, "stop all processes first") {
		t.Errorf("--force while a process is connected: %d: %s", code, out)
	}
	if got := query(t, target, `SELECT name FROM users`); got != "Bob" {
		t.Errorf("users: %q, want what was there", got)
	}
	if err := connected.Close(); err != nil {
		t.Fatal(err)
	}
	if code, out := sh(t, target, "", "restore", "--force", backup); code != 0 {
		t.Fatalf("--force: %d: %s", code, out)
	}
	if got := query(t, target, `SELECT u.name || ', ' || o.server FROM users u CROSS JOIN database_origin o`); got != "Ada, restored" {
		t.Errorf("after --force: %q, want Ada, not yet at home", got)
	}
	name := strings.TrimPrefix(target[len(target)-1], "PGDATABASE=")
	aside := query(t, target, `SELECT string_agg(datname, ',') FROM pg_database WHERE datname LIKE '`+name+`\_%'`)
	if !strings.HasPrefix(aside, name+"_before_") || strings.Contains(aside, ",") {
		t.Fatalf("beside the database there is %q, want what it held before and nothing else", aside)
	}
	if got := query(t, append(target, "PGDATABASE="+aside), `SELECT name FROM users`); got != "Bob" {
		t.Errorf("put aside: %q, want Bob", got)
	}
	query(t, target, `DROP DATABASE "`+aside+`"`)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func query(t *testing.T, env []string, text string) string {
	t.Helper()
	cmd := exec.Command("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-c", text)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}
