package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
)

func TestUncarriedJobsGoToOneRelay(t *testing.T) {
	db := teststore.New(t)
	const jobs, relays = 60, 4
	var want []string
	for range jobs {
		want = append(want, db.Queued().ID)
	}
	running, _ := db.Running()
	db.Exec(`UPDATE jobs SET relay_at = now()`)
	found := make(chan []string, relays)
	for range relays {
		go func() {
			var mine []string
			for range jobs / 10 {
				due, err := db.Uncarried(background(t), 10, time.Minute)
				if err != nil {
					t.Error(err)
				}
				mine = append(mine, ids(due)...)
			}
			found <- mine
		}()
	}
	var got []string
	for range relays {
		got = append(got, <-found...)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the running job is %s (-want +got):\n%s", running.ID, diff)
	}
}

// TestSweepsLeaveWhatAnotherHas: while one settles rows, another neither waits
// for them nor settles them again.
func TestSweepsLeaveWhatAnotherHas(t *testing.T) {
	db := teststore.New(t)
	lost, _ := db.Running()
	db.Lost(lost)
	late := db.Queued()
	db.Exec(`UPDATE jobs SET deadline = now() WHERE id = $1`, late.ID)
	uncarried := db.Queued()
	db.Exec(`UPDATE jobs SET relay_at = now() WHERE id = $1`, uncarried.ID)
	for _, test := range []struct {
		name  string
		sweep func(context.Context) ([]fanfare.Job, error)
		want  fanfare.Job
	}{
		{"Uncarried", func(ctx context.Context) ([]fanfare.Job, error) { return db.Uncarried(ctx, 10, time.Hour) }, uncarried},
		{"Expire", func(ctx context.Context) ([]fanfare.Job, error) { return db.Expire(ctx, 10) }, late},
		{"Reap", func(ctx context.Context) ([]fanfare.Job, error) { return db.Reap(ctx, 10) }, lost},
	} {
		err := db.Atomic(t.Context(), func(ctx context.Context) error {
			first, err := test.sweep(ctx)
			if len(first) != 1 || first[0].ID != test.want.ID {
				t.Errorf("%s = %v, want %s", test.name, ids(first), test.want.ID)
			}
			second := make(chan []fanfare.Job, 1)
			go func() {
				found, err := test.sweep(background(t))
				if err != nil {
					t.Error(err)
				}
				second <- found
			}()
			if found := await.Value(t, "a second "+test.name, second); len(found) != 0 {
				t.Errorf("a second %s = %v", test.name, ids(found))
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestTheRelayLooksAfterAJobWhenItsTaskShouldHaveArrived: ten seconds after it
// may start.
func TestTheRelayLooksAfterAJobWhenItsTaskShouldHaveArrived(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running()
	for name, test := range map[string]struct {
		job  fanfare.Job
		want string
	}{
		"a new job":   {db.Queued(), "00:00:10"},
		"a later try": {db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobRetrying, Delay: 30 * time.Second}), "00:00:40"},
	} {
		got := db.Query(`SELECT relay_at - updated_at FROM jobs WHERE id = $1`, test.job.ID)
		if diff := cmp.Diff([]string{test.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	lost := lose(t, db, db.Queued())
	if due, err := db.Uncarried(t.Context(), 10, time.Minute); err != nil || len(due) != 1 || due[0].ID != lost.ID {
		t.Errorf("Uncarried = %v, %v; want the job that lost its worker (%s), not %s", ids(due), err, lost.ID, job.ID)
	}
	if due, err := db.Uncarried(t.Context(), 10, time.Minute); len(due) != 0 || err != nil {
		t.Errorf("Uncarried = %v, %v right after", ids(due), err)
	}
}

func TestWorkersAreUpWhileTheyAreHeardOf(t *testing.T) {
	db := teststore.New(t)
	wantUp := func(want bool) {
		t.Helper()
		if up, err := db.WorkersUp(t.Context(), time.Minute); up != want || err != nil {
			t.Errorf("WorkersUp = %t, %v; want %t", up, err, want)
		}
	}
	wantUp(false)
	for range 2 {
		if _, err := db.Heartbeat(t.Context(), "w1", nil, time.Minute); err != nil {
			t.Fatal(err)
		}
		wantUp(true)
		db.Exec(`UPDATE workers SET seen_at = now() - interval '1 minute'`)
		wantUp(false)
	}
}

func TestPruneDeletesWhatHasHadItsTime(t *testing.T) {
	db := teststore.New(t)
	for _, age := range []string{"25 hours", "1 minute"} {
		db.Exec(`INSERT INTO idempotency_keys (user_id, method, path, key, body_digest, status, location, response, created_at)
			VALUES ($1, 'POST', '/', $2, '', 202, '', '{}', now() - $2::text::interval)`, db.User.ID, age)
		db.Exec(`INSERT INTO workers (id, seen_at) VALUES ($1, now() - $1::text::interval)`, age)
		db.Exec(`INSERT INTO schedulers (id, seen_at) VALUES ($1, now() - $1::text::interval)`, age)
		db.Exec(`INSERT INTO sessions (user_id, digest, expires_at)
			VALUES ($1, convert_to($2, 'UTF8'), now() + interval '12 hours' - $2::text::interval)`, db.User.ID, age)
	}
	for _, age := range []string{"31 days", "29 days"} {
		db.Exec(`INSERT INTO schedule_occurrences (schedule_id, local_time, at, outcome, created_at)
			VALUES ($1, $2, now(), 'missed', now() - $2::text::interval)`, db.User.ID, age)
	}
	if err := db.Prune(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"idempotency_keys", "workers", "schedulers", "sessions", "schedule_occurrences"} {
		if left := db.Query(`SELECT count(*) FROM ` + table); left[0] != "1" {
			t.Errorf("%s has %s rows, want the young one", table, left[0])
		}
	}
}

func TestPruneMakesTheMonthsOfTheAudit(t *testing.T) {
	db := teststore.New(t)
	months := `SELECT relname FROM pg_class WHERE relname ~ '^audit_logs_\d{4}_\d\d$' AND relkind = 'r' ORDER BY 1`
	want := db.Query(months)
	for _, month := range want {
		db.Exec(`DROP TABLE ` + month)
	}
	for range 2 {
		if err := db.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, db.Query(months)); diff != "" || len(want) != 4 {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}
