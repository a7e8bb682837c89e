package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
)

// row is what transitions do to a job's row, its events and its audit records.
type row struct {
	Status                               fanfare.JobStatus
	Attempt, Losses, Dispatch            int
	Leased, RunAt, Started, Finished     bool
	CancelRequested, HasResult, HasError bool
	Sequence, Events, Audits             int
}

const rowSQL = `SELECT status, attempt, losses, dispatch,
	lease_token IS NOT NULL, run_at IS NOT NULL, started_at IS NOT NULL, finished_at IS NOT NULL,
	cancel_requested, result IS NOT NULL, error IS NOT NULL, sequence,
	(SELECT count(*) FROM job_events WHERE job_id = j.id), (SELECT count(*) FROM audit_logs WHERE resource = j.id::text)
	FROM jobs j WHERE id = $1`

func rowOf(t *testing.T, db *teststore.DB, job fanfare.Job) (r row) {
	t.Helper()
	err := db.SQL.QueryRowContext(t.Context(), rowSQL, job.ID).Scan(&r.Status, &r.Attempt, &r.Losses, &r.Dispatch,
		&r.Leased, &r.RunAt, &r.Started, &r.Finished, &r.CancelRequested, &r.HasResult, &r.HasError,
		&r.Sequence, &r.Events, &r.Audits)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// everything is all that is stored of a job, to see that nothing changed.
func everything(db *teststore.DB, job fanfare.Job) []string {
	return db.Query(`SELECT to_jsonb(j)::text FROM jobs j WHERE id = $1
		UNION ALL SELECT to_jsonb(e)::text FROM job_events e WHERE job_id = $1
		UNION ALL SELECT to_jsonb(s)::text FROM job_steps s WHERE job_id = $1
		UNION ALL SELECT to_jsonb(a)::text FROM audit_logs a WHERE resource = $1::text ORDER BY 1`, job.ID)
}

// arrange brings a job into a status by the way that leads there, and returns
// the lease of its latest attempt, or one that it never had.
func arrange(t *testing.T, db *teststore.DB, status fanfare.JobStatus) (fanfare.Job, fanfare.Lease) {
	t.Helper()
	job := db.Queued()
	switch status {
	case fanfare.JobScheduled: // nothing submits such jobs yet
		db.Exec(`UPDATE jobs SET status = 'scheduled' WHERE id = $1`, job.ID)
		fallthrough
	case fanfare.JobQueued:
		return job, teststore.NewLease(job)
	}
	claimed := db.Claimed(job)
	if status != fanfare.JobRunning {
		db.Finished(fanfare.Outcome{Lease: claimed.Lease, Status: status})
	}
	return job, claimed.Lease
}

// transition is a statement as it is used for one end. In each status of from
// it changes the row as want says; in any other it does nothing at all.
type transition struct {
	name    string
	from    []fanfare.JobStatus
	to      fanfare.JobStatus
	prepare string // what must hold of the row before: it makes no difference to other statuses
	do      func(t *testing.T, db *teststore.DB, job fanfare.Job, lease fanfare.Lease) error
	want    func(*row)
}

var (
	waiting = []fanfare.JobStatus{fanfare.JobScheduled, fanfare.JobQueued, fanfare.JobRetrying}
	running = []fanfare.JobStatus{fanfare.JobRunning}
)

func transitions() []transition {
	return slices.Concat(finishes(), sweeps(), []transition{
		{name: "claim", from: waiting, to: fanfare.JobRunning, do: claim, want: func(r *row) {
			r.Attempt++
			r.Leased, r.Started, r.RunAt = true, true, false
			r.Audits++
		}},
		{name: "claim before its time", prepare: `run_at = now() + interval '1 minute'`, do: claim},
		{name: "claim after the deadline", prepare: `deadline = now()`, do: claim},
		{name: "step", from: running, to: fanfare.JobRunning, prepare: `losses = 2`, do: step, want: func(r *row) { r.Losses = 0 }},
		{name: "cancel", from: waiting, to: fanfare.JobCanceled, do: cancelWaiting, want: func(r *row) {
			r.CancelRequested, r.Finished, r.HasError, r.RunAt = true, true, true, false
		}},
	})
}

func claim(t *testing.T, db *teststore.DB, job fanfare.Job, _ fanfare.Lease) error {
	_, err := db.Claim(t.Context(), "w2", []fanfare.Lease{teststore.NewLease(job)}, teststore.Lease)
	return err
}

func step(t *testing.T, db *teststore.DB, _ fanfare.Job, lease fanfare.Lease) error {
	_, err := db.RecordSteps(t.Context(), []fanfare.StepDone{{Lease: lease, Name: "intent", Output: []byte(`1`)}})
	return err
}

// cancelWaiting leaves running jobs out: canceling changes no status of theirs.
func cancelWaiting(t *testing.T, db *teststore.DB, job fanfare.Job, _ fanfare.Lease) error {
	if db.Now(job).Status == fanfare.JobRunning {
		return nil
	}
	_, err := db.Cancel(t.Context(), job.UserID, job.ID)
	return err
}

func finishes() []transition {
	var found []transition
	for _, to := range fanfare.JobStatuses() {
		for _, unspent := range []bool{false, true} {
			tr := transition{name: fmt.Sprintf("finish %s, unspent %t", to, unspent), to: to}
			tr.do = func(t *testing.T, db *teststore.DB, _ fanfare.Job, lease fanfare.Lease) error {
				_, err := db.Finish(t.Context(), []fanfare.Outcome{teststore.Complete(fanfare.Outcome{Lease: lease, Status: to, Unspent: unspent})})
				if !fanfare.JobRunning.CanBecome(to) {
					return nil // the table's own checks refuse it; that nothing is written says enough
				}
				return err
			}
			if fanfare.JobRunning.CanBecome(to) {
				tr.from, tr.prepare, tr.want = running, `losses = 1`, finished(to, unspent)
			}
			found = append(found, tr)
		}
	}
	return found
}

func finished(to fanfare.JobStatus, unspent bool) func(*row) {
	return func(r *row) {
		r.Losses, r.Leased = 0, false
		r.Audits++
		if unspent {
			r.Attempt--
		}
		if to.Done() {
			r.Finished, r.HasResult, r.HasError = true, to == fanfare.JobSucceeded, to != fanfare.JobSucceeded
		} else {
			r.RunAt = true
			r.Dispatch++
		}
	}
}

func sweeps() []transition {
	const lost = `lease_expires_at = CASE WHEN status = 'running' THEN now() - interval '1 second' END`
	reap := func(t *testing.T, db *teststore.DB, _ fanfare.Job, _ fanfare.Lease) error {
		_, err := db.Reap(t.Context(), 100)
		return err
	}
	expire := func(t *testing.T, db *teststore.DB, _ fanfare.Job, _ fanfare.Lease) error {
		_, err := db.Expire(t.Context(), 100)
		return err
	}
	reaped := func(r *row) {
		r.Losses++
		r.Audits++
		r.Leased = false
		if r.Status.Done() {
			r.Finished, r.HasError = true, true
			return
		}
		r.RunAt = true
		r.Attempt--
		r.Dispatch++
	}
	return []transition{
		{name: "reap before the lease expires", do: reap},
		{name: "reap", from: running, to: fanfare.JobRetrying, prepare: lost, do: reap, want: reaped},
		{name: "reap the second in a row", from: running, to: fanfare.JobRetrying, prepare: lost + `, losses = 1`, do: reap, want: reaped},
		{name: "reap the third in a row", from: running, to: fanfare.JobFailed, prepare: lost + `, losses = 2`, do: reap, want: reaped},
		{name: "reap after cancel", from: running, to: fanfare.JobCanceled, prepare: lost + `, cancel_requested = true`, do: reap, want: reaped},
		{name: "reap after the deadline", from: running, to: fanfare.JobExpired, prepare: lost + `, deadline = CASE WHEN status = 'running' THEN now() ELSE deadline END`, do: reap, want: reaped},
		{name: "expire before the deadline", do: expire},
		{name: "expire", from: waiting, to: fanfare.JobExpired, prepare: `deadline = now()`, do: expire, want: func(r *row) {
			r.Finished, r.HasError, r.RunAt = true, true, false
			r.Audits++
		}},
	}
}

func TestEveryTransitionFromEveryStatus(t *testing.T) {
	db := teststore.New(t)
	for _, tr := range transitions() {
		for _, from := range fanfare.JobStatuses() {
			t.Run(tr.name+"/"+string(from), func(t *testing.T) {
				job, lease := arrange(t, db, from)
				if tr.prepare != "" {
					db.Exec(`UPDATE jobs SET `+tr.prepare+` WHERE id = $1`, job.ID)
				}
				before, all := rowOf(t, db, job), everything(db, job)
				if err := tr.do(t, db, job, lease); err != nil {
					t.Fatal(err)
				}
				if !slices.Contains(tr.from, from) {
					if diff := cmp.Diff(all, everything(db, job)); diff != "" {
						t.Errorf("something was written (-before +after):\n%s", diff)
					}
					return
				}
				want := before
				want.Status = tr.to
				want.Sequence++
				want.Events++
				tr.want(&want)
				if diff := cmp.Diff(want, rowOf(t, db, job)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				db.Exec(`UPDATE jobs SET lease_expires_at = now() + interval '1 hour' WHERE id = $1 AND status = 'running'`, job.ID)
			})
		}
	}
}

// TestTransitionsAreThoseOfTheDomain holds the table above to JobStatus.CanBecome,
// in both directions.
func TestTransitionsAreThoseOfTheDomain(t *testing.T) {
	done := map[[2]fanfare.JobStatus]bool{}
	for _, tr := range transitions() {
		for _, from := range tr.from {
			done[[2]fanfare.JobStatus{from, tr.to}] = true
		}
	}
	for _, from := range fanfare.JobStatuses() {
		for _, to := range fanfare.JobStatuses() {
			if from != to && done[[2]fanfare.JobStatus{from, to}] != from.CanBecome(to) {
				t.Errorf("%s to %s: statements do it is %t, CanBecome is %t", from, to, !from.CanBecome(to), from.CanBecome(to))
			}
		}
	}
}

// TestCancelOfARunningJobOnlyTells: its worker ends it.
func TestCancelOfARunningJobOnlyTells(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running()
	want := rowOf(t, db, job)
	want.CancelRequested = true
	for range 2 {
		if _, err := db.Cancel(t.Context(), job.UserID, job.ID); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, rowOf(t, db, job)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	cancel, err := db.Heartbeat(t.Context(), "w1", []fanfare.Lease{lease}, time.Minute)
	if err != nil || !cancel[job.ID] {
		t.Errorf("Heartbeat = %v, %v; want it to tell of the cancel", cancel, err)
	}
}

// TestRedispatchIsForWaitingJobs: it renames the task and tells nobody.
func TestRedispatchIsForWaitingJobs(t *testing.T) {
	db := teststore.New(t)
	for _, status := range fanfare.JobStatuses() {
		job, _ := arrange(t, db, status)
		job = db.Now(job)
		want := rowOf(t, db, job)
		if status.Waiting() {
			want.Dispatch++
		}
		for n, renewed := range []bool{status.Waiting(), false} { // the second knows an older number
			if got, err := db.Redispatch(t.Context(), job); got != renewed || err != nil {
				t.Errorf("%s, call %d: Redispatch = %t, %v; want %t", status, n, got, err, renewed)
			}
		}
		if diff := cmp.Diff(want, rowOf(t, db, job)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
	}
}

// TestRunNowIsForWaitingJobs: it makes them due under a new number and tells
// nobody.
func TestRunNowIsForWaitingJobs(t *testing.T) {
	db := teststore.New(t)
	for _, status := range fanfare.JobStatuses() {
		job, _ := arrange(t, db, status)
		db.Exec(`UPDATE jobs SET run_at = now() + interval '1 hour' WHERE id = $1 AND finished_at IS NULL AND lease_token IS NULL`, job.ID)
		job = db.Now(job)
		want := rowOf(t, db, job)
		if status.Waiting() {
			want.Dispatch++
		}
		for n, done := range []bool{status.Waiting(), false} { // the second knows an older number
			due, got, err := db.RunNow(t.Context(), job)
			if got != done || err != nil {
				t.Errorf("%s, call %d: RunNow = %t, %v; want %t", status, n, got, err, done)
			}
			if got && (due.RunAt == nil || due.RunAt.After(db.Now(job).UpdatedAt) || !due.UpdatedAt.After(job.UpdatedAt)) {
				t.Errorf("%s: it is due at %v, changed at %s", status, due.RunAt, due.UpdatedAt)
			}
		}
		if diff := cmp.Diff(want, rowOf(t, db, job)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
		if status.Waiting() {
			db.Claimed(job)
		}
	}
}
