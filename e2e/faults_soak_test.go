//go:build faults

package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The goals of the soak, at the 99th percentile, from a fault until what it
// stopped is under way again.
var goals = map[string]time.Duration{
	"worker killed":          90 * time.Second,
	"Redis emptied":          60 * time.Second,
	"Redis restarted, empty": 60 * time.Second,
	"PostgreSQL restarted":   30 * time.Second,
}

// TestSoak throws faults at a mixed load, and counts. FAULTS_JOBS and
// FAULTS_COUNT say how many, FAULTS_SEED repeats a run's choices, and
// FAULTS_REPORT names a file for what was counted.
func TestSoak(t *testing.T) { holds(t, soaked) }

const (
	soakModel   = 3 * time.Second // AI_TIMEOUT
	soakAttempt = 4 * time.Second // JOB_TIMEOUT
)

func soaked(t testing.TB, program string) []string {
	jobs, count := number(t, "FAULTS_JOBS", 1500), number(t, "FAULTS_COUNT", 15)
	return soakedBy(t, program, kindsOfFault(), jobs, count)
}

// Workers are killed again and again under the same load.
func TestWorkersKilledAgainAndAgain(t *testing.T) { holds(t, workersKilledAgainAndAgain) }

func workersKilledAgainAndAgain(t testing.TB, program string) []string {
	return soakedBy(t, program, kindsOfFault()[:1], 400, 10)
}

func soakedBy(t testing.TB, program string, kinds []kindOfFault, jobs, count int) []string {
	seed := uint64(number(t, "FAULTS_SEED", int(time.Now().Unix())))
	t.Logf("%d jobs, %d faults, FAULTS_SEED=%d", jobs, count, seed)
	s := newSoak(t, program, seed)
	s.kinds, s.begun = kinds, time.Now()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	result := make(chan []string)
	go func() { result <- s.load.run(ctx, seed, int64(jobs)) }()
	for n := range count {
		s.load.allowed.Store(int64((n + 1) * jobs / count))
		eventually(t, 10*time.Minute, "the load to go on", func() bool { return s.load.accepted.Load() >= int64(n*jobs/count) })
		s.throw()
	}
	s.load.allowed.Store(int64(jobs) + 1000)
	late := time.AfterFunc(lastJobs, func() {
		s.c.violated("the load did not come to its end within %s: too many jobs are not over", lastJobs)
		stop()
	})
	ids := <-result
	late.Stop()
	s.quiet()
	s.took = time.Since(s.begun)
	soon(patience, func() bool { return s.c.unended(ids) == 0 }) // what was lost last may take its time
	s.c.awaitEnded(ids)
	s.judge(ids)
	return s.c.broken()
}

// lastJobs is how long the load may go on after the last fault.
const lastJobs = 5 * time.Minute

func number(t testing.TB, name string, unset int) int {
	t.Helper()
	if os.Getenv(name) == "" {
		return unset
	}
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// soak is an installation under load, in which things break.
type soak struct {
	c        *cluster
	load     *load
	receiver *receiver
	random   *rand.Rand

	redis, postgres *gate // between the workers and the servers
	workerEnv       []string
	workers         []*process // may be killed
	schedulers      []*process
	apis            []*process
	steady          map[string]*process // are never killed
	before          map[string]footprint
	started         int
	kinds           []kindOfFault

	begun  time.Time
	took   time.Duration
	thrown []fault
	ids    []string
}

// fault is one that was thrown.
type fault struct {
	kind    string
	at, end time.Time
	pid     int      // of the worker that it hit
	waiting []string // jobs that waited in Redis when it lost them
	working []int    // workers that lived when PostgreSQL was restarted
}

type kindOfFault struct {
	name   string
	weight int
	throw  func(s *soak, f *fault)
}

func newSoak(t testing.TB, program string, seed uint64) *soak {
	c := clusterOf(t, program, 0)
	s := &soak{c: c, random: rand.New(rand.NewPCG(seed, 1)), steady: map[string]*process{}, before: map[string]footprint{}}
	c.model.sometimesHang(seed)
	c.apis = nil
	s.steady["api"] = c.api(s.metrics("api")...)
	for range 2 {
		s.apis = append(s.apis, c.api(private))
	}
	s.steady["scheduler"] = c.start("scheduler0", c.env(s.metrics("scheduler")...), "scheduler")
	s.schedulers = []*process{c.scheduler("scheduler1")}
	var redisURL, databaseURL string
	s.redis, redisURL = newGate(t, c.services.RedisURL())
	s.postgres, databaseURL = newGate(t, c.services.DatabaseURL())
	s.workerEnv = []string{private, "AI_TIMEOUT=" + soakModel.String(), "JOB_TIMEOUT=" + soakAttempt.String(),
		"REDIS_URL=" + redisURL, "DATABASE_URL=" + databaseURL}
	s.steady["worker"] = c.worker("worker", append(s.metrics("worker"), s.workerEnv...)...)
	for range 2 {
		s.workers = append(s.workers, s.worker())
	}
	c.awaitWorkers(3)
	s.receiver = newReceiver(t, 20*time.Millisecond)
	c.connect(s.receiver)
	s.load = &load{c: c, ahead: 300}
	for range 4 {
		s.load.campaigns = append(s.load.campaigns, c.addressed(1))
	}
	c.awaitEnded(c.submitAll(0, warmUp)) // after which a process is as large as it is at work
	s.ids = c.allJobs()
	for name, p := range s.steady {
		s.before[name] = s.footprint(name, p)
	}
	return s
}

// warmUp is how many jobs are done before anything is measured.
const warmUp = 300

// metrics are the settings of a process that is asked for its goroutines.
func (s *soak) metrics(name string) []string {
	addr := closedPort(s.c.t)
	s.before[name] = footprint{metrics: addr}
	return []string{private, "METRICS_ADDR=" + addr}
}

func (s *soak) worker() *process {
	s.started++
	return s.c.worker(fmt.Sprintf("worker%d", s.started), s.workerEnv...)
}

// allJobs are the ids of all jobs that there are.
func (c *cluster) allJobs() (ids []string) {
	c.t.Helper()
	rows, err := c.db.Query(`SELECT id FROM jobs`)
	if err != nil {
		c.t.Fatal(err)
	}
	return texts(c.t, rows)
}

func texts(t testing.TB, rows *sql.Rows) (found []string) {
	t.Helper()
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		found = append(found, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// sometimesHang has one call in two hundred get no answer, and one in a hundred
// a bad one.
func (m *model) sometimesHang(seed uint64) {
	var random = make(chan *rand.Rand, 1)
	random <- rand.New(rand.NewPCG(seed, 2))
	act := func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		source := <-random
		dice := source.IntN(200)
		random <- source
		switch dice {
		case 0:
			<-r.Context().Done()
			return true
		case 1, 2:
			http.Error(w, "out of order", http.StatusInternalServerError)
			return true
		}
		return false
	}
	m.acts.Store(&act)
}

func kindsOfFault() []kindOfFault {
	return []kindOfFault{
		{"worker killed", 30, func(s *soak, f *fault) {
			n := s.random.IntN(len(s.workers))
			f.pid, f.at = s.workers[n].cmd.Process.Pid, time.Now()
			s.workers[n].kill()
			s.workers[n] = s.worker()
		}},
		{"worker paused", 8, func(s *soak, f *fault) {
			p := s.workers[s.random.IntN(len(s.workers))]
			f.pid = p.cmd.Process.Pid
			p.signal(syscall.SIGSTOP)
			s.rest(500, 20000)
			p.signal(syscall.SIGCONT)
		}},
		{"worker terminated", 8, func(s *soak, f *fault) {
			n := s.random.IntN(len(s.workers))
			f.pid = s.workers[n].cmd.Process.Pid
			eventually(s.c.t, patience, "the worker to be ready", func() bool { return s.workers[n].logged("the worker is ready") })
			s.c.stops(s.workers[n], time.Minute)
			s.workers[n] = s.worker()
		}},
		{"scheduler killed", 6, func(s *soak, _ *fault) {
			s.schedulers[0].kill()
			s.started++
			s.schedulers[0] = s.c.scheduler(fmt.Sprintf("scheduler%d", s.started))
		}},
		{"API killed", 6, func(s *soak, _ *fault) {
			n := s.random.IntN(len(s.apis))
			s.apis[n].kill()
			s.started++
			addr := s.c.apis[n+1][len("http://"):]
			s.apis[n] = s.c.start(fmt.Sprintf("api%d", s.started), s.c.env(private, "HTTP_ADDR="+addr), "api")
		}},
		{"Redis emptied", 10, func(s *soak, f *fault) {
			f.waiting = s.waiting()
			f.at = time.Now()
			_ = s.c.redis().FlushAll(s.c.t.Context()).Err()
		}},
		{"Redis restarted, empty", 6, func(s *soak, f *fault) {
			f.waiting = s.waiting()
			f.at = time.Now()
			s.must(s.c.services.Redis.Kill())
			s.rest(100, 3000)
			s.must(s.c.services.Redis.Start(s.c.t.Context()))
		}},
		{"Redis frozen", 5, func(s *soak, _ *fault) {
			s.must(s.c.services.Redis.Pause())
			s.rest(100, 4000)
			s.must(s.c.services.Redis.Resume())
		}},
		{"Redis cut off from the workers", 6, func(s *soak, _ *fault) {
			s.redis.close()
			s.rest(100, 4000)
			s.redis.open()
		}},
		{"PostgreSQL restarted", 5, func(s *soak, f *fault) {
			for _, p := range append([]*process{s.steady["worker"]}, s.workers...) {
				f.working = append(f.working, p.cmd.Process.Pid)
			}
			s.must(s.c.services.Postgres.Kill())
			s.rest(10, 1000)
			s.must(s.c.services.Postgres.Start(s.c.t.Context()))
		}},
		{"PostgreSQL frozen", 4, func(s *soak, _ *fault) {
			s.must(s.c.services.Postgres.Pause())
			s.rest(100, 4000)
			s.must(s.c.services.Postgres.Resume())
		}},
		{"PostgreSQL cut off from the workers", 6, func(s *soak, _ *fault) {
			s.postgres.close()
			s.rest(100, 3000)
			s.postgres.open()
		}},
	}
}

// throw lets something break, and notes what.
func (s *soak) throw() {
	total := 0
	for _, k := range s.kinds {
		total += k.weight
	}
	dice := s.random.IntN(total)
	for _, k := range s.kinds {
		if dice -= k.weight; dice < 0 {
			f := fault{kind: k.name, at: time.Now()}
			k.throw(s, &f)
			f.end = time.Now()
			s.thrown = append(s.thrown, f)
			return
		}
	}
}

func (s *soak) must(err error) {
	s.c.t.Helper()
	if err != nil {
		s.c.t.Fatal(err)
	}
}

func (s *soak) rest(least, most int) {
	time.Sleep(time.Duration(least+s.random.IntN(most-least)) * time.Millisecond)
}

// waiting are jobs whose tasks lie in Redis.
func (s *soak) waiting() []string {
	rows, err := s.c.db.Query(`SELECT id FROM jobs WHERE status IN ('queued', 'retrying') AND (run_at IS NULL OR run_at < now())`)
	if err != nil {
		return nil // the database is away still
	}
	return texts(s.c.t, rows)
}

// footprint is what a process takes.
type footprint struct {
	metrics    string // where it tells
	memory     int    // bytes
	goroutines int    // 0 where it does not tell
}

var goroutinesLine = regexp.MustCompile(`(?m)^go_goroutines (\d+)`)

func (s *soak) footprint(name string, p *process) footprint {
	f := footprint{metrics: s.before[name].metrics, memory: residentMemory(s.c.t, p)}
	response, err := s.c.client.Get("http://" + f.metrics + "/metrics")
	if err != nil {
		return f
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if found := goroutinesLine.FindSubmatch(raw); err == nil && found != nil {
		f.goroutines, _ = strconv.Atoi(string(found[1]))
	}
	return f
}

// quiet has the model behave from now on.
func (s *soak) quiet() {
	well := func(http.ResponseWriter, *http.Request, []byte) bool { return false }
	s.c.model.acts.Store(&well)
}

// judge counts, compares with the goals, and writes the report.
func (s *soak) judge(ids []string) {
	s.c.checkEnded(append(s.ids, ids...))
	s.c.checkNothingMadeUp()
	report := s.report(ids)
	report.Unknown = s.c.checkArrivals(s.receiver.byRecipient(), s.c.deliveries())
	s.checkWork(report)
	s.checkGoals(report)
	s.checkFootprints(report)
	report.Broken = s.c.broken()
	report.write(s.c.t)
}

// checkWork sees to it that something was done, and that nothing failed but for
// the model, or by losing its worker three times.
func (s *soak) checkWork(report *soakReport) {
	if report.Messages == 0 || report.Abandoned == 0 {
		s.c.violated("%d messages arrived and %d attempts were lost: nothing was tested", report.Messages, report.Abandoned)
	}
	for status, n := range report.Statuses {
		mayBe := status == "succeeded" || status == "canceled (canceled)" || status == "failed (worker_lost)" || strings.HasPrefix(status, "failed (ai_")
		if !mayBe {
			s.c.violated("%d jobs are %s", n, status)
		}
	}
}

func (s *soak) checkGoals(report *soakReport) {
	for _, k := range report.Kinds {
		switch {
		case k.Goal > 0 && k.Measured == 0:
			s.c.violated("%s, %d times, and nothing was to be done again: nothing was tested", k.Kind, k.Times)
		case k.Goal > 0 && k.P99 > k.Goal:
			s.c.violated("%s: back to work after %s at the 99th percentile, want at most %s", k.Kind, k.P99, k.Goal)
		}
	}
	if report.Overrun > overrun {
		s.c.violated("an attempt took %s longer than its timeout", report.Overrun)
	}
}

// checkFootprints waits until memory and goroutines are where they were, and a
// little: what is garbage takes the runtime minutes to give back.
func (s *soak) checkFootprints(report *soakReport) {
	const more, moreGoroutines = 40 << 20, 15
	for name, p := range s.steady {
		before, after := s.before[name], footprint{}
		back := soon(6*time.Minute, func() bool {
			after = s.footprint(name, p)
			return after.memory < before.memory+more && after.goroutines > 0 && after.goroutines <= before.goroutines+moreGoroutines
		})
		if !back {
			s.c.violated("the %s took %d MiB and %d goroutines before, and takes %d MiB and %d after",
				name, before.memory>>20, before.goroutines, after.memory>>20, after.goroutines)
		}
		report.Footprints = append(report.Footprints, footprints{Process: name,
			MemoryBefore: before.memory >> 20, MemoryAfter: after.memory >> 20,
			GoroutinesBefore: before.goroutines, GoroutinesAfter: after.goroutines})
	}
}

// within reports whether a fault of the database, or of a worker that was
// paused, fell into a time: what a worker has to write waits for such.
func (s *soak) within(from, to time.Time) bool {
	for _, f := range s.thrown {
		held := f.kind == "worker paused" || f.kind[:4] == "Post"
		if held && f.at.Before(to) && f.end.Add(2*time.Second).After(from) {
			return true
		}
	}
	return false
}
