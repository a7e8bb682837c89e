package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
	"fanfare/internal/teststore"
)

func TestOneOfManyClaimersWins(t *testing.T) {
	const rounds, claimers = 200, 16
	db := teststore.New(t)
	for range rounds {
		job := db.Queued()
		won := make(chan fanfare.Claimed, claimers)
		var wg sync.WaitGroup
		for i := range claimers {
			wg.Go(func() {
				claimed, err := db.Claim(t.Context(), fmt.Sprint("w", i), []fanfare.Lease{teststore.NewLease(job)}, time.Minute)
				if err != nil {
					t.Error(err)
				}
				for _, c := range claimed {
					won <- c
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d of %d claimers won, want 1", len(won), claimers)
		}
		if winner := <-won; winner.Job.Attempt != 1 || winner.Job.Status != fanfare.JobRunning {
			t.Fatalf("the winner has attempt %d of a job that is %s", winner.Job.Attempt, winner.Job.Status)
		}
	}
}

func TestHeldIsWhatWasClaimed(t *testing.T) {
	db := teststore.New(t)
	job := db.Queued()
	claimed := db.Claimed(job)
	held, err := db.Held(t.Context(), claimed.Lease)
	if diff := cmp.Diff(&claimed, held); diff != "" || err != nil {
		t.Errorf("%v, (-claimed +held):\n%s", err, diff)
	}
	if held, err := db.Held(t.Context(), teststore.NewLease(job)); held != nil || err != nil {
		t.Errorf("another lease holds %v, %v", held, err)
	}
	db.Lost(job)
	if _, err := db.Reap(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	if held, err := db.Held(t.Context(), claimed.Lease); held != nil || err != nil {
		t.Errorf("a lease that was taken away holds %v, %v", held, err)
	}
}

func TestClaimTakesManyJobsAtOnce(t *testing.T) {
	db := teststore.New(t)
	free, taken, gone := db.Queued(), db.Queued(), db.Queued()
	db.Claimed(taken)
	db.Exec(`DELETE FROM jobs WHERE id = $1`, gone.ID)
	leases := []fanfare.Lease{teststore.NewLease(taken), teststore.NewLease(free), teststore.NewLease(gone)}
	claimed, err := db.Claim(t.Context(), "w2", leases, time.Minute)
	if err != nil || len(claimed) != 1 || claimed[0].Lease != leases[1] {
		t.Errorf("Claim = %v, %v; want the free one alone", claimed, err)
	}
}

// TestAJobThatCanNotBeRead, one of a newer version say, costs the others of its
// batch nothing.
func TestAJobThatCanNotBeRead(t *testing.T) {
	db := teststore.New(t)
	good, bad := db.Queued(), db.Queued()
	db.Exec(`UPDATE jobs SET progress = '"a new shape"' WHERE id = $1`, bad.ID)
	claimed, err := db.Claim(t.Context(), "w1", []fanfare.Lease{teststore.NewLease(bad), teststore.NewLease(good)}, time.Minute)
	if err == nil || len(claimed) != 1 || claimed[0].Job.ID != good.ID {
		t.Errorf("claimed %v, %v; want the good one, and an error", claimed, err)
	}
}

// TestBatchesOfTheSameJobsDoNotDeadlock, in whatever order they name them.
func TestBatchesOfTheSameJobsDoNotDeadlock(t *testing.T) {
	const rounds, workers, batch = 8, 4, 30
	address, err := url.Parse(testdb.New(t))
	if err != nil {
		t.Fatal(err)
	}
	settings := address.Query() // rows are looked up one by one, as in a table that is large
	for _, plan := range []string{"enable_hashjoin", "enable_mergejoin", "enable_seqscan"} {
		settings.Set(plan, "off")
	}
	address.RawQuery = settings.Encode()
	db := teststore.Open(t, address.String())
	for range rounds {
		var jobs []fanfare.Job
		for range batch {
			jobs = append(jobs, db.Queued())
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			var leases []fanfare.Lease
			for _, i := range rand.Perm(batch) {
				leases = append(leases, teststore.NewLease(jobs[i]))
			}
			wg.Go(func() {
				claimed, err := db.Claim(t.Context(), "w", leases, time.Minute)
				if err != nil {
					t.Error(err)
				}
				won.Add(int64(len(claimed)))
			})
		}
		wg.Wait()
		if won.Load() != batch {
			t.Fatalf("%d claims of %d jobs", won.Load(), batch)
		}
	}
}

// TestAStaleTokenWritesNothing: another attempt has the job now.
func TestAStaleTokenWritesNothing(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	conversation, err := db.StartConversation(t.Context(), db.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	job, stale := db.Running(forCampaign(campaign))
	db.Lost(job)
	if _, err := db.Reap(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	db.Claimed(job)
	before := everything(db, job)

	changed := campaign
	changed.Goal = "from a dead attempt"
	done, err := db.Finish(t.Context(), []fanfare.Outcome{teststore.Complete(fanfare.Outcome{
		Lease: stale, Status: fanfare.JobSucceeded, Usage: fanfare.Usage{InputTokens: 5}, Campaign: &changed,
		Reply: &fanfare.Reply{ConversationID: conversation, Content: "from a dead attempt"},
	})})
	if len(done) != 0 || err != nil {
		t.Errorf("Finish = %v, %v; want nothing", done, err)
	}
	steps, err := db.RecordSteps(t.Context(), []fanfare.StepDone{{Lease: stale, Name: "intent", Output: json.RawMessage(`1`)}})
	if len(steps) != 0 || err != nil {
		t.Errorf("RecordSteps = %v, %v; want nothing", steps, err)
	}
	held, err := db.Heartbeat(t.Context(), "w1", []fanfare.Lease{stale}, time.Hour)
	if len(held) != 0 || err != nil {
		t.Errorf("Heartbeat = %v, %v; want the lease to be lost", held, err)
	}
	if diff := cmp.Diff(before, everything(db, job)); diff != "" {
		t.Errorf("something was written (-before +after):\n%s", diff)
	}
	if now, err := db.Campaign(t.Context(), db.User.ID, campaign.ID); err != nil || now.Goal != campaign.Goal {
		t.Errorf("the campaign's goal is %q, %v", now.Goal, err)
	}
	if turns, err := db.History(t.Context(), db.User.ID, conversation); err != nil || len(turns) != 0 {
		t.Errorf("the conversation gained %v, %v", turns, err)
	}
}

func TestHeartbeatRenewsALease(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running()
	db.Lost(job)
	held, err := db.Heartbeat(t.Context(), "w1", []fanfare.Lease{lease}, time.Minute)
	if canceled, ok := held[job.ID]; !ok || canceled || err != nil {
		t.Fatalf("Heartbeat = %v, %v; want the lease held and no cancel", held, err)
	}
	if reaped, err := db.Reap(t.Context(), 10); len(reaped) != 0 || err != nil {
		t.Errorf("Reap = %v, %v after the lease was renewed", reaped, err)
	}
}

func TestAStepRecordedTwiceCountsOnce(t *testing.T) {
	db := teststore.New(t)
	_, lease := db.Running()
	cost := fanfare.Money(1_500)
	step := fanfare.StepDone{
		Lease: lease, Name: "intent", Output: json.RawMessage(`{"goal": "tea"}`),
		Progress: fanfare.Progress{Step: "intent", Completed: 1, Total: 3},
		Usage:    fanfare.Usage{InputTokens: 10, OutputTokens: 20, CostUSD: &cost, Model: "m"},
	}
	for range 2 {
		jobs, err := db.RecordSteps(t.Context(), []fanfare.StepDone{step})
		if err != nil || len(jobs) != 1 {
			t.Fatalf("RecordSteps = %v, %v", jobs, err)
		}
		if diff := cmp.Diff(step.Usage, jobs[0].Usage); diff != "" {
			t.Errorf("usage (-want +got):\n%s", diff)
		}
		if jobs[0].Progress != step.Progress || jobs[0].Sequence != 3 {
			t.Errorf("progress %v at sequence %d", jobs[0].Progress, jobs[0].Sequence)
		}
	}
}

func TestUsageAddsUpOverAttempts(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running()
	cost := fanfare.Money(7)
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobRetrying, Usage: fanfare.Usage{InputTokens: 1, OutputTokens: 2, Model: "a"}})
	done := db.Finished(fanfare.Outcome{
		Lease: db.Claimed(job).Lease, Status: fanfare.JobFailed, Usage: fanfare.Usage{InputTokens: 10, OutputTokens: 20, CostUSD: &cost},
	})
	want := fanfare.Usage{InputTokens: 11, OutputTokens: 22, CostUSD: &cost, Model: "a"}
	if diff := cmp.Diff(want, done.Usage); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFinishedStepsComeWithTheNextAttempt, from whatever attempt they are.
func TestFinishedStepsComeWithTheNextAttempt(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running()
	record(t, db, lease, "intent", `{"n": 1}`)
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobRetrying})
	second := db.Claimed(job)
	record(t, db, second.Lease, "email", `{"n": 2}`)
	db.Finished(fanfare.Outcome{Lease: second.Lease, Status: fanfare.JobRetrying})
	want := map[string]json.RawMessage{"intent": json.RawMessage(`{"n": 1}`), "email": json.RawMessage(`{"n": 2}`)}
	if diff := cmp.Diff(want, db.Claimed(job).Steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARetryWaitsForItsTime(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running()
	done := db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobRetrying, Delay: time.Minute})
	if wait := done.RunAt.Sub(done.UpdatedAt); wait != time.Minute {
		t.Errorf("the next attempt is due after %s, want 1m", wait)
	}
	for _, test := range []struct {
		early string
		want  int
	}{{"1 second", 0}, {"50 milliseconds", 1}} { // clocks differ a little: see claimSQL
		db.Exec(`UPDATE jobs SET run_at = now() + $2::interval WHERE id = $1`, job.ID, test.early)
		claimed, err := db.Claim(t.Context(), "w1", []fanfare.Lease{teststore.NewLease(job)}, time.Minute)
		if len(claimed) != test.want || err != nil {
			t.Errorf("%s early: %d claimed, %v; want %d", test.early, len(claimed), err, test.want)
		}
	}
}

// TestACancelThatFinishWaitsForCounts: the cancel commits while finish waits
// for the row, having read it before.
func TestACancelThatFinishWaitsForCounts(t *testing.T) {
	for _, status := range []fanfare.JobStatus{fanfare.JobRetrying, fanfare.JobQueued, fanfare.JobSucceeded} {
		t.Run(string(status), func(t *testing.T) {
			db := teststore.New(t)
			job, lease := db.Running()
			finished := make(chan fanfare.Job, 1)
			err := db.Atomic(t.Context(), func(ctx context.Context) error {
				if _, err := db.Cancel(ctx, job.UserID, job.ID); err != nil {
					return err
				}
				go func() { finished <- db.Finished(fanfare.Outcome{Lease: lease, Status: status, Delay: time.Hour}) }()
				await.True(t, "finish waits for the row", func() bool {
					return len(db.Query(`SELECT 1 FROM pg_locks WHERE NOT granted`)) > 0
				})
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			want := fanfare.JobCanceled
			if status == fanfare.JobSucceeded {
				want = status // the work was done before it was told
			}
			if got := await.Value(t, "the finished job", finished); got.Status != want {
				t.Errorf("the job is %s, want %s", got.Status, want)
			}
		})
	}
}
