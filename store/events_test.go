package store_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
	"fanfare/store"
)

func TestEventsOfAJob(t *testing.T) {
	db := teststore.New(t)
	job, lease := db.Running()
	record(t, db, lease, "intent", `1`)
	done := db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed})
	events, err := db.Events(t.Context(), job.UserID, job.ID, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	var types []fanfare.EventType
	for i, event := range events {
		types = append(types, event.Type)
		if event.JobID != job.ID || event.Sequence != int64(i+1) || event.Job.Sequence != event.Sequence {
			t.Errorf("event %d: %+v", i, event)
		}
	}
	if diff := cmp.Diff([]fanfare.EventType{"job.queued", "job.started", "job.progress", "job.failed"}, types); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	done.Payload = nil // no client's business
	if diff := cmp.Diff(done, events[3].Job); diff != "" {
		t.Errorf("the last event's job (-want +got):\n%s", diff)
	}
	rest, err := db.Events(t.Context(), job.UserID, job.ID, 2, 1)
	if diff := cmp.Diff(events[2:3], rest); diff != "" || err != nil {
		t.Errorf("after 2: %v (-want +got):\n%s", err, diff)
	}
	if foreign, err := db.Events(t.Context(), db.NewUser().ID, job.ID, 0, 10); len(foreign) != 0 || err != nil {
		t.Errorf("somebody else sees %v, %v", foreign, err)
	}
}

// stream reads all of a user's events from a cursor on.
func stream(t *testing.T, db *teststore.DB, after fanfare.Cursor, limit int) (got []string, next fanfare.Cursor, behind bool) {
	t.Helper()
	for {
		events, cursors, more, err := db.UserEvents(background(t), db.User.ID, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for i, event := range events {
			got = append(got, fmt.Sprint(event.JobID, " ", event.Sequence))
			after = cursors[i]
		}
		if more || len(events) < limit {
			return got, after, more
		}
	}
}

func start(t *testing.T, db *teststore.DB) fanfare.Cursor {
	t.Helper()
	_, cursor, err := db.Unfinished(t.Context(), db.User.ID, 100)
	if err != nil {
		t.Fatal(err)
	}
	return cursor
}

// TestAUsersStreamWaitsForWhoCommitsLate: else it would have passed them by.
func TestAUsersStreamWaitsForWhoCommitsLate(t *testing.T) {
	db := teststore.New(t)
	cursor := start(t, db)
	var late, early fanfare.Job
	err := db.Atomic(t.Context(), func(ctx context.Context) (err error) {
		if late, err = db.Submit(ctx, db.NewJob()); err != nil {
			return err
		}
		early = db.Queued() // commits at once
		got, next, behind := stream(t, db, cursor, 10)
		if len(got) != 0 || !behind || next != cursor {
			t.Errorf("while one is being written: %v, behind %t", got, behind)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	await.True(t, "nobody else writes on this server", func() (behind bool) {
		got, _, behind = stream(t, db, cursor, 1)
		return !behind
	})
	if diff := cmp.Diff([]string{late.ID + " 1", early.ID + " 1"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestPositionsOfAJobNeverFall: its next change may come from a transaction
// that began earlier.
func TestPositionsOfAJobNeverFall(t *testing.T) {
	db := teststore.New(t) // looks at positions at the end
	job := db.Queued()
	err := db.Atomic(t.Context(), func(ctx context.Context) error {
		if err := db.Audit(ctx, fanfare.AuditRecord{Action: "begin"}); err != nil { // takes this transaction's number
			return err
		}
		lease := db.Claimed(job).Lease // in a later one
		_, err := db.Finish(ctx, []fanfare.Outcome{{Lease: lease, Status: fanfare.JobRetrying}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAUsersStreamShowsEachEventOnce, to a reader who follows many writers.
func TestAUsersStreamShowsEachEventOnce(t *testing.T) {
	db := teststore.New(t)
	const writers, jobs = 8, 15
	cursor := start(t, db)
	var writing sync.WaitGroup
	for range writers {
		writing.Go(func() {
			for range jobs {
				_, lease := db.Running()
				db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed})
			}
		})
	}
	seen := map[string]int{}
	await.True(t, "all events are shown", func() bool {
		var got []string
		got, cursor, _ = stream(t, db, cursor, 7)
		for _, event := range got {
			seen[event]++
		}
		return len(seen) == writers*jobs*3
	})
	writing.Wait()
	for event, n := range seen {
		if n != 1 {
			t.Errorf("%s was shown %d times", event, n)
		}
	}
	if more, _, _ := stream(t, db, cursor, 7); len(more) != 0 {
		t.Errorf("then %v were shown", more)
	}
}

func TestUnfinishedJobsAndWhereTheirEventsGoOn(t *testing.T) {
	db := teststore.New(t)
	_, lease := db.Running()
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed})
	first, second := db.Queued(), db.Queued()
	unfinished, cursor, err := db.Unfinished(t.Context(), db.User.ID, 100)
	if diff := cmp.Diff([]string{second.ID, first.ID}, ids(unfinished)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	db.Claimed(first)
	await.True(t, "the next event comes after the cursor", func() bool {
		got, _, _ := stream(t, db, cursor, 10)
		return len(got) > 0 && got[len(got)-1] == first.ID+" 2"
	})
	origin, err := db.Origin(t.Context())
	if err != nil || origin == "" || cursor.Origin != origin {
		t.Errorf("origin %q, %v; the cursor's %q", origin, err, cursor.Origin)
	}
	if other, err := teststore.New(t).Origin(t.Context()); err != nil || other == origin {
		t.Errorf("another database is called %q too, %v", other, err)
	}
}

func TestVersionsChangeWithEachEvent(t *testing.T) {
	db := teststore.New(t)
	job, quiet := db.Queued(), db.Queued()
	stranger := db.NewUser()
	look := func() map[string]string {
		t.Helper()
		versions, err := db.Versions(t.Context(), []string{job.ID, quiet.ID, store.NewID()}, []string{db.User.ID, stranger.ID})
		if err != nil || len(versions) != 3 {
			t.Fatalf("Versions = %v, %v; want two jobs and one user", versions, err)
		}
		return versions
	}
	before := look()
	db.Claimed(job)
	after := look()
	if before[job.ID] == after[job.ID] || before[db.User.ID] == after[db.User.ID] || before[quiet.ID] != after[quiet.ID] {
		t.Errorf("before %v, after %v", before, after)
	}
}

func TestLiveCredentials(t *testing.T) {
	db := teststore.New(t)
	var sessions, keys []string
	for _, identity := range signedIn(t, db, db.User) {
		who, err := identity()
		if err != nil {
			t.Fatal(err)
		}
		if who.Session != nil {
			sessions = append(sessions, who.Session.ID)
		} else {
			keys = append(keys, who.KeyID)
		}
	}
	want := map[string]bool{sessions[0]: true, keys[0]: true}
	for _, step := range []struct {
		sql  string
		live map[string]bool
	}{
		{`SELECT 1`, want},
		{`UPDATE sessions SET expires_at = now()`, map[string]bool{keys[0]: true}},
		{`UPDATE users SET disabled_at = now()`, map[string]bool{}},
	} {
		db.Exec(step.sql)
		live, err := db.LiveCredentials(t.Context(), append(sessions, store.NewID()), keys)
		if diff := cmp.Diff(step.live, live); diff != "" || err != nil {
			t.Errorf("after %s: %v (-want +got):\n%s", step.sql, err, diff)
		}
	}
}
