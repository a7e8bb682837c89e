package store_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/testdb"
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

// BenchmarkPruneBacklog deletes 50,000 old jobs with five events and two steps
// each and 50,000 deliveries, and tells the longest time for which a transaction
// held the streams back meanwhile. The older way is one step of 5,000 jobs.
func BenchmarkPruneBacklog(b *testing.B) {
	db := teststore.Open(b, testdb.New(b))
	for b.Loop() {
		b.StopTimer()
		db.Exec(`INSERT INTO jobs (id, user_id, kind, queue, status, payload, max_attempts, relay_at, deadline, finished_at, result)
			SELECT uuidv7(), $1, 'k', 'ai', 'succeeded', '{}', 5, now(), now(), now() - interval '31 days', '{}' FROM generate_series(1, 50000)`, db.User.ID)
		db.Exec(`INSERT INTO job_events SELECT id, n, 'job.progress', '{}', user_id, last_position, now() FROM jobs, generate_series(1, 5) n`)
		db.Exec(`INSERT INTO job_steps SELECT id, 's' || n, '{}' FROM jobs, generate_series(1, 2) n`)
		db.Exec(`INSERT INTO launches (user_id, campaign_id, channels, created_at) VALUES ($1, uuidv7(), '{email}', now() - interval '31 days')`, db.User.ID)
		db.Exec(`INSERT INTO deliveries (launch_id, campaign_id, user_id, channel, recipient)
			SELECT id, campaign_id, user_id, 'email', 'r' || n FROM launches, generate_series(1, 50000) n`)
		db.Exec(`ANALYZE`)
		longest, done := time.Duration(0), make(chan struct{})
		ctx, stop := context.WithCancel(b.Context())
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				var held float64
				if err := db.SQL.QueryRow(`SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
					WHERE backend_xid IS NOT NULL AND datname = current_database()`).Scan(&held); err != nil {
					b.Error(err)
				}
				longest = max(longest, time.Duration(held*float64(time.Second)))
				time.Sleep(2 * time.Millisecond)
			}
		}()
		b.StartTimer()
		if err := db.PruneJobs(b.Context(), 30*24*time.Hour); err != nil {
			b.Error(err)
		}
		b.StopTimer()
		stop()
		<-done
		b.ReportMetric(float64(longest.Milliseconds()), "longest-ms")
		b.StartTimer()
	}
}

// BenchmarkPruneNothing looks at 20,000 lists that campaigns have.
func BenchmarkPruneNothing(b *testing.B) {
	db := teststore.Open(b, testdb.New(b))
	db.Exec(`INSERT INTO campaigns (user_id, goal, recipient_list) SELECT $1, 'g', uuidv7() FROM generate_series(1, 20000)`, db.User.ID)
	db.Exec(`INSERT INTO recipient_lists (id, campaign_id, created_at) SELECT recipient_list, id, now() - interval '2 hours' FROM campaigns`)
	db.Exec(`ANALYZE`)
	for b.Loop() {
		if err := db.Prune(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
