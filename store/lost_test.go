package store_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
)

func record(t *testing.T, db *teststore.DB, lease fanfare.Lease, name, output string) {
	t.Helper()
	jobs, err := db.RecordSteps(t.Context(), []fanfare.StepDone{{Lease: lease, Name: name, Output: json.RawMessage(output)}})
	if err != nil || len(jobs) != 1 {
		t.Fatalf("RecordSteps = %v, %v", jobs, err)
	}
}

// lose claims a job, records the steps, and lets the worker die.
func lose(t *testing.T, db *teststore.DB, job fanfare.Job, steps ...string) fanfare.Job {
	t.Helper()
	lease := db.Claimed(job).Lease
	for _, step := range steps {
		record(t, db, lease, step, `1`)
	}
	db.Lost(job)
	reaped, err := db.Reap(t.Context(), 10)
	if err != nil || len(reaped) != 1 {
		t.Fatalf("Reap = %v, %v; want one job", reaped, err)
	}
	return reaped[0]
}

func TestThreeLossesInARowEndAJob(t *testing.T) {
	db := teststore.New(t)
	job := db.Queued()
	for n := 1; n <= 2; n++ {
		if lost := lose(t, db, job); lost.Status != fanfare.JobRetrying || lost.Attempt != 0 || lost.Losses != n {
			t.Fatalf("loss %d: %s, attempt %d, losses %d", n, lost.Status, lost.Attempt, lost.Losses)
		}
	}
	lost := lose(t, db, job)
	want := fanfare.LostError()
	if diff := cmp.Diff(&want, lost.Error); lost.Status != fanfare.JobFailed || diff != "" {
		t.Errorf("after three losses: %s, error (-want +got):\n%s", lost.Status, diff)
	}
}

// TestProgressForgivesLosses: neither a step nor an attempt that came to its
// end leaves losses in a row.
func TestProgressForgivesLosses(t *testing.T) {
	db := teststore.New(t)
	job := db.Queued()
	lose(t, db, job)
	lose(t, db, job)
	if lost := lose(t, db, job, "intent"); lost.Losses != 1 || lost.Status != fanfare.JobRetrying {
		t.Errorf("a loss after progress: %s, losses %d", lost.Status, lost.Losses)
	}
	lose(t, db, job)
	db.Finished(fanfare.Outcome{Lease: db.Claimed(job).Lease, Status: fanfare.JobRetrying})
	if lost := lose(t, db, job); lost.Losses != 1 || lost.Attempt != 1 {
		t.Errorf("a loss after an attempt that ended: losses %d, attempt %d", lost.Losses, lost.Attempt)
	}
}

func TestALostJobEndsWithTheReason(t *testing.T) {
	for status, test := range map[fanfare.JobStatus]struct {
		set  string
		want fanfare.JobError
	}{
		fanfare.JobCanceled: {`cancel_requested = true`, fanfare.CanceledError()},
		fanfare.JobExpired:  {`deadline = now()`, fanfare.ExpiredError()},
	} {
		db := teststore.New(t)
		job, _ := db.Running()
		db.Exec(`UPDATE jobs SET `+test.set+` WHERE id = $1`, job.ID)
		db.Lost(job)
		reaped, err := db.Reap(t.Context(), 10)
		if err != nil || len(reaped) != 1 || reaped[0].Status != status || reaped[0].Attempt != 1 {
			t.Fatalf("Reap = %+v, %v; want one job that is %s", reaped, err, status)
		}
		if diff := cmp.Diff(&test.want, reaped[0].Error); diff != "" {
			t.Errorf("%s (-want +got):\n%s", status, diff)
		}
	}
}

func TestSweepsTakeTheOldestFirstAndNoMoreThanAsked(t *testing.T) {
	db := teststore.New(t)
	var lost, late []string
	for range 3 {
		job, _ := db.Running()
		db.Lost(job)
		lost = append(lost, job.ID)
	}
	for range 3 {
		job := db.Queued()
		db.Exec(`UPDATE jobs SET deadline = clock_timestamp() WHERE id = $1`, job.ID)
		late = append(late, job.ID)
	}
	reaped, err := db.Reap(t.Context(), 2)
	if diff := cmp.Diff(lost[:2], ids(reaped)); diff != "" || err != nil {
		t.Errorf("Reap: %v (-want +got):\n%s", err, diff)
	}
	expired, err := db.Expire(t.Context(), 2)
	if diff := cmp.Diff(late[:2], ids(expired)); diff != "" || err != nil {
		t.Errorf("Expire: %v (-want +got):\n%s", err, diff)
	}
}

func ids(jobs []fanfare.Job) []string {
	found := make([]string, len(jobs))
	for i, job := range jobs {
		found[i] = job.ID
	}
	return found
}
