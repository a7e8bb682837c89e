package store_test

import (
	"testing"

	"fanfare"
	"fanfare/internal/teststore"
)

// TestAnOldJobDoesNotUndoANewerOne: what failed first must not write over what
// its retry has made, and somebody has edited since.
func TestAnOldJobDoesNotUndoANewerOne(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	first, lease := db.Running(func(j *fanfare.NewJob) {
		j.CampaignID = campaign.ID
		j.Settles = map[fanfare.JobStatus]fanfare.CampaignStatus{fanfare.JobQueued: fanfare.CampaignGenerating}
	})
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed})
	second, err := db.Retry(t.Context(), db.User.ID, first.ID, false)
	if err != nil {
		t.Fatal(err)
	}
	db.Finished(fanfare.Outcome{Lease: db.Claimed(second).Lease, Status: fanfare.JobSucceeded})
	_, err = db.Retry(t.Context(), db.User.ID, first.ID, false)
	wantCode(t, "retrying the first", err, fanfare.CodeNotRetryable)
}
