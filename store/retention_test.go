package store_test

import (
	"strings"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/teststore"
)

// TestJobsAreKeptForTheirTime, and so are the deliveries of their launches.
func TestJobsAreKeptForTheirTime(t *testing.T) {
	db := teststore.New(t)
	over := func() fanfare.Job {
		_, lease := db.Running()
		return db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobSucceeded})
	}
	old, recent, waiting := over(), over(), db.Queued()
	db.Exec(`UPDATE jobs SET finished_at = now() - interval '31 days' WHERE id = $1`, old.ID)
	db.Exec(`UPDATE jobs SET created_at = now() - interval '31 days' WHERE id = $1`, waiting.ID)

	launched := func(age string) (launch string) {
		campaign := db.NewCampaign()
		l, err := db.CreateLaunch(t.Context(), fanfare.Launch{UserID: db.User.ID, CampaignID: campaign.ID})
		if err != nil {
			t.Fatal(err)
		}
		db.Exec(`UPDATE launches SET created_at = now() - $2::interval WHERE id = $1`, l.ID, age)
		db.Exec(`INSERT INTO deliveries (launch_id, campaign_id, user_id, channel, recipient)
			SELECT $1, $2, $3, 'email', 'r' || i FROM generate_series(1, 10) AS i`, l.ID, campaign.ID, db.User.ID)
		return l.ID
	}
	gone, young, retried := launched("31 days"), launched("29 days"), launched("31 days")
	db.Exec(`UPDATE jobs SET payload = jsonb_build_object('launchId', $2::text),
		campaign_id = (SELECT campaign_id FROM launches WHERE id::text = $2) WHERE id = $1`, recent.ID, retried)

	if err := db.PruneJobs(t.Context(), 30*24*time.Hour); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		query string
		want  []string
	}{
		{`SELECT id FROM jobs ORDER BY id`, []string{recent.ID, waiting.ID}},
		{`SELECT id FROM launches ORDER BY id`, []string{young, retried}},
		{`SELECT DISTINCT launch_id FROM deliveries ORDER BY launch_id`, []string{young, retried}},
		{`SELECT job_id FROM job_events WHERE job_id = '` + old.ID + `'`, nil},
		{`SELECT launch_id FROM deliveries WHERE launch_id = '` + gone + `'`, nil},
	} {
		if got := db.Query(c.query); strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%s: %q, want %q", c.query, got, c.want)
		}
	}
}
