//go:build faults

package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// minutesOff is the setting by which such a program's clock goes wrong.
const minutesOff = "FAULTS_MINUTES_OFF="

// skewed is the program with a wall clock that goes wrong by minutes. (A
// library that is loaded first can't do that to a Go program, which asks the
// kernel's page itself; so the standard library is edited. That compiles it
// anew, which takes minutes the first time.)
func skewed(t testing.TB, edits ...edit) string {
	return build(t, append(edits,
		edit{"GOROOT/src/time/time.go", "	sec += unixToInternal - minWall\n", "	sec += unixToInternal - minWall + secondsOff\n"},
		edit{"GOROOT/src/time/zoneinfo_unix.go", "func initLocal() {", `var secondsOff = func() (n int64) {
	minutes, _ := syscall.Getenv("FAULTS_MINUTES_OFF")
	behind := len(minutes) > 0 && minutes[0] == '-'
	if behind {
		minutes = minutes[1:]
	}
	for _, digit := range minutes {
		n = n*10 + int64(digit-'0')*60
	}
	if behind {
		return -n
	}
	return n
}()

func initLocal() {`},
	)...)
}

func TestWorkersClockAhead(t *testing.T) {
	holds(t, func(t testing.TB, program string) []string { return workersClockOff(t, program, skewed(t), "5") })
}

func TestWorkersClockBehind(t *testing.T) {
	holds(t, func(t testing.TB, program string) []string { return workersClockOff(t, program, skewed(t), "-5") })
}

// workersClockOff runs jobs for as long as asynq needs to take them from a
// worker whose clock is right, and give them to one whose clock is not.
func workersClockOff(t testing.TB, program, wrong, minutes string) []string {
	c := clusterOf(t, program, 70*time.Second)
	c.scheduler("scheduler")
	slow := []string{"WORKER_CONCURRENCY=10", "AI_TIMEOUT=3m", "JOB_TIMEOUT=10m"}
	right := c.worker("right", slow...)
	c.program = wrong
	off := c.worker("wrong", append(slow, minutesOff+minutes)...)
	c.program = program
	c.awaitWorkers(2)
	c.checkClock(right, 0)
	c.checkClock(off, minutesIn(t, minutes))
	ids := c.submitAll(0, 20)
	eventually(t, patience, "both workers to have work", func() bool { return c.runningOn(right) > 0 && c.runningOn(off) > 0 })
	<-time.After(100 * time.Second) // asynq's lease, its grace, and the period of its recoverer
	c.model.delay.Store(0)
	ids = append(ids, c.submitAll(20, 40)...)
	c.model.failOnce() // so that retries wait for their time
	ids = append(ids, c.submitAll(40, 60)...)
	soon(patience, func() bool { return c.unended(ids) == 0 }) // those that began last may take another minute
	c.awaitEnded(ids)
	if n := c.abandoned(); n != 0 {
		c.violated("%d attempts were taken from workers that live", n)
	}
	if n := c.count(`SELECT count(*) FROM jobs WHERE attempt > 3`); n != 0 {
		c.violated("%d jobs took more attempts than there were failures", n)
	}
	c.checkSucceeded(ids)
	return c.broken()
}

// checkClock: a process's clock is off by as much as it should be, by the time
// that its log gives for its first line.
func (c *cluster) checkClock(p *process, by time.Duration) {
	c.t.Helper()
	line, _, _ := strings.Cut(p.output(), "\n")
	var entry struct{ Time time.Time }
	if err := json.Unmarshal([]byte(line), &entry); err != nil {
		c.t.Fatalf("reading the time of %q: %v", line, err)
	}
	if off := time.Until(entry.Time); (off - by).Abs() > time.Minute {
		c.violated("the clock of %s is off by %s, want %s: nothing was tested", p.name, off.Round(time.Second), by)
	}
}

func minutesIn(t testing.TB, minutes string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(minutes + "m")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// failOnce has the model fail at each question for the first time.
func (m *model) failOnce() {
	var asked sync.Map
	act := func(w http.ResponseWriter, _ *http.Request, question []byte) bool {
		_, before := asked.LoadOrStore(string(question), true)
		if !before {
			http.Error(w, "out of order", http.StatusInternalServerError)
		}
		return !before
	}
	m.acts.Store(&act)
}
