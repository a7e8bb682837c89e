package store_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
)

func forCampaign(campaign fanfare.Campaign) func(*fanfare.NewJob) {
	return func(job *fanfare.NewJob) {
		job.CampaignID = campaign.ID
		job.Settles = map[fanfare.JobStatus]fanfare.CampaignStatus{
			fanfare.JobQueued:    fanfare.CampaignGenerating,
			fanfare.JobSucceeded: fanfare.CampaignReady,
			fanfare.JobFailed:    fanfare.CampaignFailed,
			fanfare.JobExpired:   fanfare.CampaignLaunched, // distinguishable, no more
			fanfare.JobCanceled:  fanfare.CampaignDraft,
		}
	}
}

// TestACampaignIsSettledWithItsJob, whatever ends the job, and not before.
func TestACampaignIsSettledWithItsJob(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(t *testing.T, db *teststore.DB, job fanfare.Job)
		want fanfare.CampaignStatus
	}{
		"succeeds": {finishAs(fanfare.JobSucceeded), fanfare.CampaignReady},
		"fails":    {finishAs(fanfare.JobFailed), fanfare.CampaignFailed},
		"retries":  {finishAs(fanfare.JobRetrying), fanfare.CampaignGenerating},
		"is canceled while it waits": {func(t *testing.T, db *teststore.DB, job fanfare.Job) {
			if _, err := db.Cancel(t.Context(), job.UserID, job.ID); err != nil {
				t.Fatal(err)
			}
		}, fanfare.CampaignDraft},
		"is canceled while it runs": {func(t *testing.T, db *teststore.DB, job fanfare.Job) {
			lease := db.Claimed(job).Lease
			if _, err := db.Cancel(t.Context(), job.UserID, job.ID); err != nil {
				t.Fatal(err)
			}
			db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobRetrying})
		}, fanfare.CampaignDraft},
		"expires": {func(t *testing.T, db *teststore.DB, job fanfare.Job) {
			db.Exec(`UPDATE jobs SET deadline = now() WHERE id = $1`, job.ID)
			if _, err := db.Expire(t.Context(), 10); err != nil {
				t.Fatal(err)
			}
		}, fanfare.CampaignLaunched},
		"is tried again": {func(t *testing.T, db *teststore.DB, job fanfare.Job) {
			finishAs(fanfare.JobFailed)(t, db, job)
			if _, err := db.Retry(t.Context(), job.UserID, job.ID, false); err != nil {
				t.Fatal(err)
			}
		}, fanfare.CampaignGenerating},
		"is lost": {func(t *testing.T, db *teststore.DB, job fanfare.Job) { lose(t, db, job) }, fanfare.CampaignGenerating},
		"is lost three times": {func(t *testing.T, db *teststore.DB, job fanfare.Job) {
			for range 3 {
				lose(t, db, job)
			}
		}, fanfare.CampaignFailed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := teststore.New(t)
			campaign, other := db.NewCampaign(), db.NewCampaign()
			test.end(t, db, db.Queued(forCampaign(campaign)))
			if now, err := db.Campaign(t.Context(), db.User.ID, campaign.ID); err != nil || now.Status != test.want {
				t.Errorf("the campaign is %s, %v; want %s", now.Status, err, test.want)
			}
			if now, err := db.Campaign(t.Context(), db.User.ID, other.ID); err != nil || now.Status != fanfare.CampaignGenerating {
				t.Errorf("another campaign became %s, %v", now.Status, err)
			}
		})
	}
}

func finishAs(status fanfare.JobStatus) func(*testing.T, *teststore.DB, fanfare.Job) {
	return func(_ *testing.T, db *teststore.DB, job fanfare.Job) {
		db.Finished(fanfare.Outcome{Lease: db.Claimed(job).Lease, Status: status})
	}
}

// TestFinishWritesCampaignAndReply in the statement that ends the job.
func TestFinishWritesCampaignAndReply(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	conversation, err := db.StartConversation(t.Context(), db.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	_, lease := db.Running(forCampaign(campaign))
	budget := fanfare.Money(1_250_500_000_000)
	campaign.Goal, campaign.Budget, campaign.Channels = "sell ☕ – “now”", &budget, []fanfare.Channel{fanfare.SMS, fanfare.PPC}
	campaign.Content = fanfare.Content{SMS: &fanfare.SMSContent{Text: "Grüße 👋"}}
	campaign.Intent = &fanfare.Intent{Goal: "sell", Channels: campaign.Channels}
	campaign.UpdatedAt = time.Now().UTC().Truncate(time.Microsecond)
	campaign.DescribeAudience("tea people")
	campaign.Status, campaign.LaunchedAt = fanfare.CampaignPartiallyLaunched, &campaign.UpdatedAt // before what the job settles
	db.Finished(fanfare.Outcome{
		Lease: lease, Status: fanfare.JobSucceeded, Campaign: &campaign,
		Reply: &fanfare.Reply{ConversationID: conversation, Content: "Here you are."},
	})

	got, err := db.Campaign(t.Context(), db.User.ID, campaign.ID)
	if err != nil {
		t.Fatal(err)
	}
	sameJSON := cmp.Transformer("json", func(raw json.RawMessage) (v any) { _ = json.Unmarshal(raw, &v); return v })
	if diff := cmp.Diff(campaign, got, sameJSON); diff != "" {
		t.Errorf("campaign (-want +got):\n%s", diff)
	}
	turns, err := db.History(t.Context(), db.User.ID, conversation)
	want := []fanfare.Turn{{Role: fanfare.MessageAssistant, Content: "Here you are."}}
	if diff := cmp.Diff(want, turns); diff != "" || err != nil {
		t.Errorf("history: %v (-want +got):\n%s", err, diff)
	}
}

// TestAJobEndsWithoutItsCampaign: it was deleted meanwhile.
func TestAJobEndsWithoutItsCampaign(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	_, lease := db.Running(forCampaign(campaign))
	if err := db.DeleteCampaign(t.Context(), db.User.ID, campaign.ID); err != nil {
		t.Fatal(err)
	}
	done := db.Finished(fanfare.Outcome{
		Lease: lease, Status: fanfare.JobSucceeded, Campaign: &campaign,
		Reply: &fanfare.Reply{ConversationID: "0198c0de-0000-7000-8000-000000000000", Content: "to nobody"},
	})
	if done.Status != fanfare.JobSucceeded {
		t.Errorf("the job is %s", done.Status)
	}
}

// TestAttemptsLeaveRecordsThatPair by their lease, and say how they ended.
func TestAttemptsLeaveRecordsThatPair(t *testing.T) {
	db := teststore.New(t)
	job := db.Queued()
	first := db.Claimed(job).Lease
	db.Finished(fanfare.Outcome{Lease: first, Status: fanfare.JobRetrying, Unspent: true, Reason: "snoozed"})
	second := db.Claimed(job).Lease
	db.Lost(job)
	if _, err := db.Reap(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	third := db.Claimed(job).Lease
	db.Finished(fanfare.Outcome{Lease: third, Status: fanfare.JobRetrying})
	fourth := db.Claimed(job).Lease
	db.Finished(fanfare.Outcome{Lease: fourth, Status: fanfare.JobFailed, Error: &fanfare.JobError{Code: "ai_refused", Message: "No."}})

	got := db.Query(`SELECT concat_ws(' ', action, status, user_id = $2, metadata->>'kind', metadata->>'attempt',
		metadata->>'lease', metadata->>'outcome', metadata->>'code', metadata->>'worker')
		FROM audit_logs WHERE resource = $1 ORDER BY position, action DESC`, job.ID, db.User.ID)
	var want []string
	for _, attempt := range []struct{ number, lease, end string }{
		{"1", first.Token, "failure|snoozed"}, {"1", second.Token, "failure|abandoned"},
		{"1", third.Token, "failure|retrying"}, {"2", fourth.Token, "failure|failed ai_refused"},
	} {
		status, outcome, _ := strings.Cut(attempt.end, "|")
		want = append(want,
			"job.attempt.start success t campaign.generate "+attempt.number+" "+attempt.lease+" w1",
			"job.attempt.end "+status+" t campaign.generate "+attempt.number+" "+attempt.lease+" "+outcome)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
