//go:build faults

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// soakReport is what a soak has counted. It is written as JSON, or as Markdown
// where the file's name ends in ".md".
type soakReport struct {
	When          time.Time
	Jobs, Faults  int
	Took          time.Duration
	JobsPerSecond float64
	CPUs          int
	Repeated      int64 // submissions that were sent again
	Statuses      map[string]int
	Attempts      int
	Abandoned     int
	Messages      int // that arrived
	Unknown       int // deliveries
	Overrun       time.Duration
	Kinds         []faultReport
	Footprints    []footprints
	Broken        []string

	recoveries map[string][]time.Duration
}

type faultReport struct {
	Kind           string
	Times          int
	Measured       int
	P50, P99, Most time.Duration
	Goal           time.Duration // 0: none was set
}

type footprints struct {
	Process                           string
	MemoryBefore, MemoryAfter         int // MiB
	GoroutinesBefore, GoroutinesAfter int
}

// attemptSeen is one attempt of a job, as the audit trail tells of it.
type attemptSeen struct {
	lease, job, kind, outcome string
	pid                       int
	start, end                time.Time
}

func (s *soak) report(ids []string) *soakReport {
	attempts := s.attempts()
	r := &soakReport{
		When: time.Now().UTC().Truncate(time.Second), Jobs: len(ids), Faults: len(s.thrown), Took: s.took.Round(time.Second),
		JobsPerSecond: float64(len(ids)) / s.took.Seconds(), CPUs: runtime.NumCPU(), Repeated: s.c.refused.Load(),
		Statuses: s.statuses(), Attempts: len(attempts), Messages: len(s.receiver.byRecipient()),
		recoveries: map[string][]time.Duration{},
	}
	for _, a := range attempts {
		if a.outcome == "abandoned" {
			r.Abandoned++
		} else if a.kind != "campaign.launch" && !s.within(a.start, a.end) { // a launch's time has no bound
			r.Overrun = max(r.Overrun, a.end.Sub(a.start)-soakAttempt)
		}
	}
	s.recoveries(r, attempts)
	times := map[string]int{}
	for _, f := range s.thrown {
		times[f.kind]++
	}
	for _, kind := range slices.Sorted(maps.Keys(times)) {
		took := r.recoveries[kind]
		r.Kinds = append(r.Kinds, faultReport{Kind: kind, Times: times[kind], Measured: len(took),
			P50: percentile(0.5, took), P99: percentile(0.99, took), Most: percentile(1, took), Goal: goals[kind]})
	}
	return r
}

// attempts are all that were claimed, in the order of their starts.
func (s *soak) attempts() (all []attemptSeen) {
	s.c.t.Helper()
	rows, err := s.c.db.Query(`SELECT s.metadata->>'lease', s.resource, s.metadata->>'kind', split_part(s.metadata->>'worker', ':', 2),
			coalesce(e.metadata->>'outcome', ''), s.created_at, coalesce(e.created_at, s.created_at)
		FROM audit_logs s LEFT JOIN audit_logs e ON e.action = 'job.attempt.end' AND e.metadata->>'lease' = s.metadata->>'lease'
		WHERE s.action = 'job.attempt.start' ORDER BY s.created_at`)
	if err != nil {
		s.c.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var a attemptSeen
		if err := rows.Scan(&a.lease, &a.job, &a.kind, &a.pid, &a.outcome, &a.start, &a.end); err != nil {
			s.c.t.Fatal(err)
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		s.c.t.Fatal(err)
	}
	return all
}

func (s *soak) statuses() map[string]int {
	s.c.t.Helper()
	rows, err := s.c.db.Query(`SELECT status || coalesce(' (' || (error->>'code') || ')', '') FROM jobs`)
	if err != nil {
		s.c.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, status := range texts(s.c.t, rows) {
		counts[status]++
	}
	return counts
}

// recoveries measures how long work was away after each fault: a job lost with
// its worker or its task until it is started again, or is over; a worker's first
// start after PostgreSQL is back, where no other fault has hit it before.
func (s *soak) recoveries(r *soakReport, attempts []attemptSeen) {
	ofJob, ofWorker := map[string][]attemptSeen{}, map[int][]attemptSeen{}
	for _, a := range attempts {
		ofJob[a.job] = append(ofJob[a.job], a)
		ofWorker[a.pid] = append(ofWorker[a.pid], a)
	}
	for _, f := range s.thrown {
		var back []time.Time
		for _, a := range ofWorker[f.pid] {
			if f.kind == "worker killed" && a.outcome == "abandoned" && a.start.Before(f.at) && !a.end.Before(f.at) { // numbers come again
				back = append(back, next(ofJob[a.job], a))
			}
		}
		for _, id := range f.waiting {
			back = append(back, s.resumed(id, ofJob[id], f.at))
		}
		for _, pid := range f.working {
			if at, started := firstAfter(ofWorker[pid], f.end); started && !s.hit(pid, f.end, at) {
				back = append(back, at)
			}
		}
		for _, at := range back {
			r.recoveries[f.kind] = append(r.recoveries[f.kind], at.Sub(f.at))
		}
	}
}

// resumed is when a job was started after a fault, or was over without.
func (s *soak) resumed(id string, attempts []attemptSeen, from time.Time) (at time.Time) {
	s.c.t.Helper()
	if at, started := firstAfter(attempts, from); started {
		return at
	}
	err := s.c.db.QueryRow(`SELECT coalesce(finished_at, now()) FROM jobs WHERE id = $1`, id).Scan(&at)
	if err != nil {
		s.c.t.Fatal(err)
	}
	return at
}

// hit reports whether a fault has hit a worker within a time.
func (s *soak) hit(pid int, from, to time.Time) bool {
	return slices.ContainsFunc(s.thrown, func(f fault) bool { return f.pid == pid && f.at.Before(to) && f.end.After(from) })
}

// next is when an attempt that was lost is followed by another, or its end
// where the job ended with it.
func next(of []attemptSeen, lost attemptSeen) time.Time {
	if at, started := firstAfter(of, lost.start); started {
		return at
	}
	return lost.end
}

func firstAfter(of []attemptSeen, at time.Time) (time.Time, bool) {
	n := slices.IndexFunc(of, func(a attemptSeen) bool { return a.start.After(at) })
	if n < 0 {
		return time.Time{}, false
	}
	return of[n].start, true
}

func (r *soakReport) write(t testing.TB) {
	t.Helper()
	path := os.Getenv("FAULTS_REPORT")
	text := r.markdown()
	t.Logf("\n%s", text)
	if path == "" {
		return
	}
	if !strings.HasSuffix(path, ".md") {
		raw, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		text = string(raw)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *soakReport) markdown() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("%d jobs and %d faults in %s, %.0f jobs a second, on %d processors (%s).\n", r.Jobs, r.Faults, r.Took, r.JobsPerSecond, r.CPUs, r.When.Format(time.DateOnly))
	line("| counted | |\n|---|---|")
	line("| promises broken | %d |", len(r.Broken))
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		line("| jobs %s | %d |", status, r.Statuses[status])
	}
	line("| attempts, of which lost with their worker | %d, %d |", r.Attempts, r.Abandoned)
	line("| messages that arrived, deliveries of unknown fate | %d, %d |", r.Messages, r.Unknown)
	line("| submissions that had to be repeated | %d |", r.Repeated)
	line("| longest overrun of an attempt | %s |\n", max(r.Overrun, 0).Round(time.Millisecond))
	line("| fault | times | measured | back to work, median | 99th percentile | longest | goal |\n|---|---|---|---|---|---|---|")
	for _, k := range r.Kinds {
		if k.Measured == 0 {
			line("| %s | %d | | | | | |", k.Kind, k.Times)
			continue
		}
		line("| %s | %d | %d | %s | %s | %s | %s |", k.Kind, k.Times, k.Measured, short(k.P50), short(k.P99), short(k.Most), short(k.Goal))
	}
	line("\n| never killed | memory before | after | goroutines before | after |\n|---|---|---|---|---|")
	for _, f := range r.Footprints {
		line("| %s | %d MiB | %d MiB | %d | %d |", f.Process, f.MemoryBefore, f.MemoryAfter, f.GoroutinesBefore, f.GoroutinesAfter)
	}
	for _, violation := range r.Broken {
		line("\n- %s", violation)
	}
	return b.String()
}

func short(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
