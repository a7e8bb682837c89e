package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
	"fanfare/store"
)

func TestSubmitStoresWhatWasAsked(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	job := db.Queued(func(job *fanfare.NewJob) {
		job.CampaignID, job.Payload, job.Expiry = campaign.ID, json.RawMessage(`{"text": "<b>“ü”</b>"}`), 15*time.Minute
	})
	want := fanfare.Job{
		ID: job.ID, UserID: db.User.ID, CampaignID: &campaign.ID, Kind: "campaign.generate", Queue: "ai",
		Status: fanfare.JobQueued, Payload: json.RawMessage(`{"text": "<b>“ü”</b>"}`), MaxAttempts: 5, Dispatch: 1, Sequence: 1,
		CreatedAt: job.CreatedAt, UpdatedAt: job.CreatedAt, Deadline: job.CreatedAt.Add(15 * time.Minute),
	}
	if diff := cmp.Diff(want, job); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(job, db.Now(job)); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	if age := time.Since(job.CreatedAt); age < -time.Minute || age > time.Minute {
		t.Errorf("createdAt is %s ago", age)
	}
}

func TestOneUnfinishedJobPerExclusiveKey(t *testing.T) {
	db := teststore.New(t)
	exclusive := func(job *fanfare.NewJob) { job.Exclusive = "generate:1" }
	job, lease := db.Running(exclusive)
	_, err := db.Submit(t.Context(), db.NewJob(exclusive))
	if err == nil {
		t.Fatal("a second unfinished job with the same key was taken")
	}
	db.Queued(func(job *fanfare.NewJob) { job.Exclusive = "generate:2" })
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed})
	db.Queued(exclusive)
	_, err = db.Retry(t.Context(), job.UserID, job.ID, false)
	wantCode(t, "retrying while a newer job runs", err, fanfare.CodeNotRetryable)
}

func TestCancelIsTheOwners(t *testing.T) {
	db := teststore.New(t)
	mine, second := db.Queued(), db.Queued()
	changed, err := db.Cancel(t.Context(), db.NewUser().ID, mine.ID)
	if len(changed) != 0 || err != nil || db.Now(mine).Status != fanfare.JobQueued {
		t.Errorf("somebody else's Cancel = %v, %v", changed, err)
	}
	changed, err = db.Cancel(t.Context(), mine.UserID, mine.ID, second.ID)
	if len(changed) != 2 || err != nil {
		t.Fatalf("Cancel = %v, %v; want both", changed, err)
	}
	want := fanfare.CanceledError()
	if diff := cmp.Diff(&want, changed[0].Error); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLiveJobsOfACampaign(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	live := db.Queued(forCampaign(campaign))
	_, lease := db.Running(forCampaign(campaign))
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobSucceeded})
	db.Queued(forCampaign(db.NewCampaign()))
	found, err := db.LiveJobs(t.Context(), db.User.ID, campaign.ID)
	if diff := cmp.Diff([]string{live.ID}, found); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if found, err := db.LiveJobs(t.Context(), db.NewUser().ID, campaign.ID); len(found) != 0 || err != nil {
		t.Errorf("somebody else sees %v, %v", found, err)
	}
}

func TestRetryGoesOnWhereTheJobEnded(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	_, lease := db.Running(forCampaign(campaign), func(job *fanfare.NewJob) { job.Exclusive = "generate:1" })
	record(t, db, lease, "intent", `{"goal": "tea"}`)
	old := db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed, Usage: fanfare.Usage{InputTokens: 9}})

	again, err := db.Retry(t.Context(), old.UserID, old.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	want := fanfare.Job{
		ID: again.ID, UserID: old.UserID, CampaignID: old.CampaignID, Kind: old.Kind, Queue: old.Queue,
		Status: fanfare.JobQueued, Payload: old.Payload, MaxAttempts: old.MaxAttempts, RetryOf: &old.ID,
		Dispatch: 1, Sequence: 1, CreatedAt: again.CreatedAt, UpdatedAt: again.CreatedAt,
		Deadline: again.CreatedAt.Add(old.Deadline.Sub(old.CreatedAt)),
	}
	if diff := cmp.Diff(want, again); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(old, db.Now(old)); diff != "" {
		t.Errorf("the old job changed (-want +got):\n%s", diff)
	}
	claimed := db.Claimed(again)
	if diff := cmp.Diff(map[string]json.RawMessage{"intent": json.RawMessage(`{"goal": "tea"}`)}, claimed.Steps); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	db.Finished(fanfare.Outcome{Lease: claimed.Lease, Status: fanfare.JobSucceeded})
	if now, err := db.Campaign(t.Context(), db.User.ID, campaign.ID); err != nil || now.Status != fanfare.CampaignReady {
		t.Errorf("the retried job settled its campaign as %s, %v", now.Status, err)
	}
}

func TestRetryIsForWhatEndedWithoutAResult(t *testing.T) {
	db := teststore.New(t)
	for _, status := range fanfare.JobStatuses() {
		job, _ := arrange(t, db, status)
		want := fanfare.CodeNotRetryable
		if status.Retryable() {
			want = ""
		}
		_, err := db.Retry(t.Context(), job.UserID, job.ID, false)
		wantCode(t, string(status), err, want)
		_, err = db.Retry(t.Context(), db.NewUser().ID, job.ID, false)
		wantCode(t, "somebody else's "+string(status), err, fanfare.CodeNotFound)
	}
	for _, id := range []string{store.NewID(), "no-id", ""} {
		_, err := db.Retry(t.Context(), db.User.ID, id, false)
		wantCode(t, "the id "+id, err, fanfare.CodeNotFound)
	}
}

func TestRetryNeedsTheCampaign(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	job := db.Queued(forCampaign(campaign))
	if _, err := db.Cancel(t.Context(), job.UserID, job.ID); err != nil {
		t.Fatal(err)
	}
	if err := db.DeleteCampaign(t.Context(), db.User.ID, campaign.ID); err != nil {
		t.Fatal(err)
	}
	_, err := db.Retry(t.Context(), job.UserID, job.ID, false)
	wantCode(t, "retrying without the campaign", err, fanfare.CodeNotRetryable)
	if err != nil && !strings.Contains(err.Error(), "deleted") {
		t.Errorf("%v does not say why", err)
	}
}

// TestOneRetryOfMany: many ask at once for the same exclusive job.
func TestOneRetryOfMany(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running(func(job *fanfare.NewJob) { job.Exclusive = "generate:1" })
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed})
	const askers = 8
	answers := make(chan error, askers)
	for range askers {
		go func() { _, err := db.Retry(background(t), job.UserID, job.ID, false); answers <- err }()
	}
	retried := 0
	for range askers {
		err := <-answers
		if err == nil {
			retried++
			continue
		}
		wantCode(t, "a second retry", err, fanfare.CodeNotRetryable)
	}
	if retried != 1 {
		t.Errorf("%d retries were taken, want 1", retried)
	}
}
