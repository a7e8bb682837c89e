package store_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
)

// TestBacklogTellsWhatWaits, and since when, on the database's clock.
func TestBacklogTellsWhatWaits(t *testing.T) {
	db := teststore.New(t)
	empty := backlog(t, db)
	if diff := cmp.Diff(fanfare.Backlog{Queues: []fanfare.QueueBacklog{}}, empty); diff != "" {
		t.Errorf("of nothing (-want +got):\n%s", diff)
	}
	old, retrying, later := db.Queued(), db.Queued(), db.Queued()
	db.Running()
	db.Queued(func(n *fanfare.NewJob) { n.Queue = "launch" })
	db.Exec(`UPDATE jobs SET created_at = now() - interval '1 hour', relay_at = now() - interval '40 seconds' WHERE id = $1`, old.ID)
	db.Exec(`UPDATE jobs SET created_at = now() - interval '2 hours', run_at = now() + interval '1 minute' WHERE id IN ($1, $2)`, retrying.ID, later.ID)
	db.Exec(`INSERT INTO workers (id, seen_at) VALUES ('here', now()), ('gone', now() - interval '31 seconds')`)
	campaign := db.NewCampaign()
	db.Exec(`INSERT INTO schedules (campaign_id, user_id, cron, timezone, channels, misfire, next_at, next_local)
		VALUES ($1, $2, '0 9 * * *', 'UTC', '{email}', 'skip', now() - interval '90 seconds', 'x')`, campaign.ID, db.User.ID)
	db.Exec(`UPDATE audit_logs SET created_at = now() - interval '20 seconds'`)

	got := backlog(t, db)
	about(t, "the oldest on ai", got.Queues[0].Oldest, time.Hour)
	about(t, "the relay's lag", got.RelayLag, 40*time.Second)
	about(t, "the first overdue schedule", got.OverdueBy, 90*time.Second)
	about(t, "the first unsealed record", got.UnsealedAge, 20*time.Second)
	got.Queues[0].Oldest, got.Queues[1].Oldest, got.RelayLag, got.OverdueBy, got.UnsealedAge = 0, 0, 0, 0, 0
	if diff := cmp.Diff(fanfare.Backlog{
		Queues:   []fanfare.QueueBacklog{{Queue: "ai", Waiting: 3, Running: 1}, {Queue: "launch", Waiting: 1}},
		Unsealed: 1, // the start of the attempt
		Overdue:  1, Workers: 1,
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, _, err := db.SealAudit(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if sealed := backlog(t, db); sealed.Unsealed != 0 || sealed.UnsealedAge != 0 {
		t.Errorf("after sealing, %d records wait, for %s", sealed.Unsealed, sealed.UnsealedAge)
	}
}

func backlog(t *testing.T, db *teststore.DB) fanfare.Backlog {
	t.Helper()
	b, err := db.Backlog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func about(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+time.Minute {
		t.Errorf("%s has waited %s, want %s", what, got, want)
	}
}
