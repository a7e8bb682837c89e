package worker_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
	"fanfare/internal/teststore"
)

func (r *rig) cancel(job fanfare.Job) {
	r.t.Helper()
	if _, err := r.db.Cancel(r.t.Context(), job.UserID, job.ID); err != nil {
		r.t.Fatal(err)
	}
}

// wrote waits until a job has recorded n steps.
func (r *rig) wrote(job fanfare.Job, n int) {
	r.t.Helper()
	await.True(r.t, fmt.Sprint(n, " steps are recorded"), func() bool { return r.db.Now(job).Progress.Completed == n })
}

func TestACanceledJobNeverRuns(t *testing.T) {
	r := newRig(t)
	job := r.submit()
	r.cancel(job)
	if status := r.handle(job); status != "" || len(r.model.asked()) != 0 {
		t.Errorf("its task left it %q", status)
	}
}

// TestACancelCutsTheModelOff within a heartbeat.
func TestACancelCutsTheModelOff(t *testing.T) {
	r := newRig(t)
	r.beat()
	gate := r.model.hold("sms", true)
	job := r.submit()
	ended := r.begin(job)
	call := gate.wait(t)
	if call.Err() != nil {
		t.Fatal("the call was cut off before the cancel")
	}
	r.wrote(job, 2) // no step is left that could tell
	r.cancel(job)
	await.Value(t, "the call is cut off", call.Done())
	if status := await.Value(t, "the attempt's end", ended); status != fanfare.JobCanceled {
		t.Errorf("the job is %s", status)
	}
	now, want := r.db.Now(job), fanfare.CanceledError()
	if diff := cmp.Diff(&want, now.Error); diff != "" || now.Usage.InputTokens != 30 {
		t.Errorf("usage %+v, error (-want +got):\n%s", now.Usage, diff)
	}
}

// TestACancelIsHeededAtTheLastStep, and what was recorded with it counts once.
func TestACancelIsHeededAtTheLastStep(t *testing.T) {
	r := newRig(t)
	gate := r.model.hold("sms", false)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	r.wrote(job, 2)
	r.cancel(job)
	close(gate.release)
	if status := await.Value(t, "the attempt's end", ended); status != fanfare.JobCanceled {
		t.Errorf("the job is %s", status)
	}
	if now := r.db.Now(job); now.Usage.InputTokens != 30 || now.Progress.Completed != 3 {
		t.Errorf("usage %+v, progress %+v", now.Usage, now.Progress)
	}
}

// TestACancelStopsAtTheNextStep even where no heartbeat tells.
func TestACancelStopsAtTheNextStep(t *testing.T) {
	r := newRig(t)
	gate := r.model.hold("intent", false)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	r.cancel(job)
	close(gate.release)
	if status := await.Value(t, "the attempt's end", ended); status != fanfare.JobCanceled {
		t.Errorf("the job is %s", status)
	}
	if diff := cmp.Diff([]string{"intent"}, r.model.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestACancelComesTooLate(t *testing.T) {
	r := newRig(t)
	job := r.submit()
	r.handle(job)
	r.cancel(job)
	if now := r.db.Now(job); now.Status != fanfare.JobSucceeded || now.CancelRequested {
		t.Errorf("the job is %s, cancel requested %t", now.Status, now.CancelRequested)
	}
}

func TestTheHeartbeatRenewsLeases(t *testing.T) {
	r := newRig(t)
	r.beat()
	gate := r.model.hold("sms", false)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	r.db.Lost(job) // as if it had not been renewed for long
	await.True(t, "the lease is renewed", func() bool {
		return r.db.Query(`SELECT lease_expires_at > now() + interval '30 seconds' FROM jobs WHERE id = $1`, job.ID)[0] == "true"
	})
	close(gate.release)
	if status := await.Value(t, "the attempt's end", ended); status != fanfare.JobSucceeded {
		t.Errorf("the job is %s", status)
	}
}

// TestAnAttemptThatLostItsLeaseWritesNothing, whether a heartbeat told it or it
// goes on to its next step.
func TestAnAttemptThatLostItsLeaseWritesNothing(t *testing.T) {
	for _, beating := range []bool{true, false} {
		t.Run(fmt.Sprintf("heartbeat %t", beating), func(t *testing.T) {
			r := newRig(t)
			gate := r.model.hold("sms", beating)
			job := r.submit()
			ended := r.begin(job)
			call := gate.wait(t)
			r.wrote(job, 2)
			r.db.Lost(job)
			if reaped, err := r.db.Reap(t.Context(), 1); len(reaped) != 1 || err != nil {
				t.Fatalf("Reap = %v, %v", reaped, err)
			}
			before := r.db.Now(job)
			if beating {
				r.beat()
				await.Value(t, "the call is cut off", call.Done())
			}
			close(gate.release)
			if status := await.Value(t, "the attempt's end", ended); status != "" {
				t.Errorf("the stale attempt left the job %s", status)
			}
			if diff := cmp.Diff(before, r.db.Now(job)); diff != "" {
				t.Errorf("(-before +after):\n%s", diff)
			}
			r.model.do = nil
			r.model.asked()
			r.due(job)
			if status := r.handle(job); status != fanfare.JobSucceeded {
				t.Errorf("the next attempt left the job %s", status)
			}
			if diff := cmp.Diff([]string{"sms"}, r.model.asked()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnAttemptThatLostItsLeaseAsksNoMore of the model than it was asking.
func TestAnAttemptThatLostItsLeaseAsksNoMore(t *testing.T) {
	r := newRig(t)
	gate := r.model.hold("intent", false)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	r.db.Lost(job)
	if reaped, err := r.db.Reap(t.Context(), 1); len(reaped) != 1 || err != nil {
		t.Fatalf("Reap = %v, %v", reaped, err)
	}
	close(gate.release)
	if status := await.Value(t, "the attempt's end", ended); status != "" {
		t.Errorf("the stale attempt left the job %s", status)
	}
	if diff := cmp.Diff([]string{"intent"}, r.model.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestADrainLetsJobsFinish(t *testing.T) {
	r := newRig(t)
	gate := r.model.hold("sms", true)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	drained := make(chan struct{})
	go func() { r.worker.Drain(t.Context()); close(drained) }()
	close(gate.release)
	await.Value(t, "the drain's end", drained)
	if now := r.db.Now(job); now.Status != fanfare.JobSucceeded {
		t.Errorf("after the drain, the job is %s", now.Status)
	}
	await.Value(t, "the attempt's end", ended)
}

// TestADrainGivesBackWhatDoesNotFinish, unspent and for another worker at once.
func TestADrainGivesBackWhatDoesNotFinish(t *testing.T) {
	r := newRig(t)
	gate := r.model.hold("sms", true)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	r.wrote(job, 2)
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	r.worker.Drain(impatient)
	if status := await.Value(t, "the attempt's end", ended); status != fanfare.JobQueued {
		t.Fatalf("the job is %s", status)
	}
	now := r.db.Now(job)
	if now.Attempt != 0 || now.Dispatch != 2 {
		t.Errorf("attempt %d, dispatch %d; want the attempt unspent and a new dispatch", now.Attempt, now.Dispatch)
	}
	r.wantCarried(now)

	late := r.submit() // a task that was taken before the drain
	if status, err := r.worker.Handle(t.Context(), late.Kind, late.ID); status != "" || err == nil || r.db.Now(late).Status != fanfare.JobQueued {
		t.Errorf("after the drain a job was begun: %s, %v", status, err)
	}

	other := rigOn(t, r.db)
	if status := other.handle(job); status != fanfare.JobSucceeded {
		t.Errorf("another worker left the job %s", status)
	}
	if diff := cmp.Diff([]string{"sms"}, other.model.asked()); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// TestOneOfManyTasksRunsAJob, and many jobs run side by side.
func TestOneOfManyTasksRunsAJob(t *testing.T) {
	r := newRig(t)
	const jobs, tasks = 20, 3
	ended := make(chan fanfare.JobStatus, jobs*tasks)
	for range jobs {
		job := r.submit()
		for range tasks {
			go func() { ended <- r.handle(job) }()
		}
	}
	got := map[fanfare.JobStatus]int{}
	for range jobs * tasks {
		got[await.Value(t, "a task's end", ended)]++
	}
	want := map[fanfare.JobStatus]int{fanfare.JobSucceeded: jobs, "": jobs * (tasks - 1)}
	if diff := cmp.Diff(want, got); diff != "" || len(r.model.asked()) != 3*jobs {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWhatWasDoneSurvivesAnOutage: the database is away when a step and the
// outcome are to be written, and comes back.
func TestWhatWasDoneSurvivesAnOutage(t *testing.T) {
	t.Parallel()
	servers := testdb.OwnServers(t)
	r := rigOn(t, teststore.Open(t, servers.DatabaseURL()))
	gate := r.model.hold("sms", false)
	job := r.submit()
	ended := r.begin(job)
	gate.wait(t)
	if err := servers.Postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	second := r.begin(job)
	close(gate.release)
	if err := servers.Postgres.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := await.Value(t, "the attempt's end", ended); status != fanfare.JobSucceeded {
		t.Errorf("the job is %s", status)
	}
	if status := await.Value(t, "the second task's end", second); status != "" {
		t.Errorf("the second task left the job %s", status)
	}
	if calls := r.model.asked(); len(calls) != 3 || r.db.Now(job).Attempt != 1 {
		t.Errorf("asked %v in %d attempts; want nothing twice", calls, r.db.Now(job).Attempt)
	}
}

// deaf is a database whose first answer to a claim gets lost.
type deaf struct {
	*teststore.DB
	meanwhile func()
	asked     atomic.Int32
}

func (d *deaf) Claim(ctx context.Context, id string, leases []fanfare.Lease, ttl time.Duration) ([]fanfare.Claimed, error) {
	claimed, err := d.DB.Claim(ctx, id, leases, ttl)
	if d.asked.Add(1) > 1 || err != nil {
		return claimed, err
	}
	d.meanwhile()
	return nil, fanfare.Errorf(fanfare.CodeUnavailable, "The database can't be reached right now.")
}

// TestAClaimWhoseAnswerIsLost goes on, unless its attempt was given to nobody
// meanwhile: then another begins, and each has an audit trail of its own.
func TestAClaimWhoseAnswerIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		reaped   bool
		attempts []string
	}{
		"at once":              {false, []string{"succeeded"}},
		"after its lease ends": {true, []string{"abandoned", "succeeded"}},
	} {
		t.Run(name, func(t *testing.T) {
			db := &deaf{DB: teststore.New(t)}
			r := rigWith(t, db.DB, db)
			job := r.submit()
			db.meanwhile = func() {
				if !test.reaped {
					return
				}
				db.Lost(job)
				if _, err := db.Reap(t.Context(), 10); err != nil {
					t.Error(err)
				}
			}
			if status := r.handle(job); status != fanfare.JobSucceeded {
				t.Errorf("the job is %s", status)
			}
			ends := db.Query(`SELECT e.metadata->>'outcome' FROM audit_logs s JOIN audit_logs e ON e.metadata->>'lease' = s.metadata->>'lease'
				WHERE s.action = 'job.attempt.start' AND e.action = 'job.attempt.end' AND s.resource = $1 ORDER BY e.id`, job.ID)
			if diff := cmp.Diff(test.attempts, ends); diff != "" {
				t.Errorf("attempts (-want +got):\n%s", diff)
			}
		})
	}
}
