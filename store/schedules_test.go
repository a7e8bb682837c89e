package store_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
	"fanfare/store"
)

// scheduled gives a new campaign a schedule whose first occurrence is so far
// from now.
func scheduled(t *testing.T, db *teststore.DB, in time.Duration) fanfare.Schedule {
	t.Helper()
	cron := "0 9 * * *"
	s, err := db.PutSchedule(t.Context(), fanfare.Schedule{
		CampaignID: db.NewCampaign().ID, UserID: db.User.ID, Cron: &cron, Timezone: "Europe/Berlin",
		Channels: []fanfare.Channel{fanfare.SMS}, Misfire: fanfare.MisfireRunOnce,
	}, occurrence(in))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func occurrence(in time.Duration) fanfare.Occurrence {
	at := time.Now().Add(in).UTC().Truncate(time.Microsecond)
	return fanfare.Occurrence{Local: at.Format("2006-01-02T15:04"), At: at}
}

func TestAScheduleIsItsCampaigns(t *testing.T) {
	db := teststore.New(t)
	first := scheduled(t, db, time.Hour)
	if !first.Enabled || first.ID == "" || *first.Cron != "0 9 * * *" || first.Reason != nil || first.UserID != db.User.ID {
		t.Errorf("%+v", first)
	}
	campaign, err := db.Campaign(t.Context(), db.User.ID, first.CampaignID)
	if diff := cmp.Diff(&first, campaign.Schedule); diff != "" || err != nil {
		t.Errorf("the campaign shows it, %v (-want +got):\n%s", err, diff)
	}
	listed, err := db.Campaigns(t.Context(), db.User.ID, "", fanfare.Page{Limit: 10})
	if err != nil || len(listed) != 1 {
		t.Fatalf("%v, %v", listed, err)
	}
	if diff := cmp.Diff(&first, listed[0].Schedule); diff != "" {
		t.Errorf("so does the list (-want +got):\n%s", diff)
	}
	runAt := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	second, err := db.PutSchedule(t.Context(), fanfare.Schedule{
		CampaignID: first.CampaignID, UserID: db.User.ID, RunAt: &runAt, Timezone: "UTC", Misfire: fanfare.MisfireSkip,
	}, occurrence(time.Hour))
	if err != nil || second.ID == first.ID || second.Cron != nil || !second.RunAt.Equal(runAt) || len(second.Channels) != 0 {
		t.Errorf("its successor: %+v, %v", second, err)
	}
	deleted, err := db.DeleteSchedule(t.Context(), db.User.ID, first.CampaignID)
	if diff := cmp.Diff(second, deleted); diff != "" || err != nil {
		t.Errorf("deleted, %v (-want +got):\n%s", err, diff)
	}
	if campaign, err = db.Campaign(t.Context(), db.User.ID, first.CampaignID); err != nil || campaign.Schedule != nil {
		t.Errorf("still shown: %+v, %v", campaign.Schedule, err)
	}
}

func TestAScheduleGoesWithItsCampaign(t *testing.T) {
	db := teststore.New(t)
	s := scheduled(t, db, -time.Second)
	if err := db.DeleteCampaign(t.Context(), db.User.ID, s.CampaignID); err != nil {
		t.Fatal(err)
	}
	if due := dueNow(t, db); due != nil {
		t.Errorf("still due: %+v", due)
	}
}

func dueNow(t *testing.T, db *teststore.DB, except ...string) (due *fanfare.DueSchedule) {
	t.Helper()
	err := db.Atomic(background(t), func(ctx context.Context) (err error) {
		due, err = db.DueSchedule(ctx, except)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return due
}

func TestWhatIsDue(t *testing.T) {
	db := teststore.New(t)
	later, early, earlier := scheduled(t, db, time.Minute), scheduled(t, db, -time.Minute), scheduled(t, db, -time.Hour)
	if due := dueNow(t, db); due == nil || due.ID != earlier.ID || due.OwnerDisabled || time.Since(due.Now).Abs() > time.Minute {
		t.Errorf("due: %+v", due)
	}
	due := dueNow(t, db, earlier.ID)
	if due == nil || due.ID != early.ID {
		t.Fatalf("due beside that: %+v", due)
	}
	if diff := cmp.Diff(early, due.Schedule); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if due := dueNow(t, db, earlier.ID, early.ID); due != nil {
		t.Errorf("%s is due before its time, want none but %s", due.ID, later.ID)
	}
	next := occurrence(time.Hour)
	if err := db.AdvanceSchedule(t.Context(), *due, &next, ""); err != nil {
		t.Fatal(err)
	}
	if err := db.AdvanceSchedule(t.Context(), *due, &next, ""); !errors.Is(err, store.ErrScheduleMoved) {
		t.Errorf("advancing from where it is no more: %v", err)
	}
	if err := db.AdvanceSchedule(t.Context(), *dueNow(t, db), nil, "Enough."); err != nil {
		t.Fatal(err)
	}
	if due := dueNow(t, db); due != nil {
		t.Errorf("still due: %+v", due)
	}
	stopped, err := db.Schedule(t.Context(), db.User.ID, earlier.CampaignID)
	if err != nil || stopped.Enabled || stopped.Reason == nil || *stopped.Reason != "Enough." {
		t.Errorf("%+v, %v", stopped, err)
	}
	db.Exec(`UPDATE schedules SET next_at = now() WHERE enabled`)
	if err := db.DisableUser(t.Context(), db.User.ID); err != nil {
		t.Fatal(err)
	}
	if due := dueNow(t, db); due == nil || !due.OwnerDisabled {
		t.Errorf("of an owner who is locked out: %+v", due)
	}
}

// TestADueScheduleGoesToOne scheduler, and the others don't wait for it. Nor
// do they wait for whoever changes the campaign.
func TestADueScheduleGoesToOne(t *testing.T) {
	db := teststore.New(t)
	s := scheduled(t, db, -time.Second)
	for name, take := range map[string]func(context.Context) error{
		"another scheduler": func(ctx context.Context) error { _, err := db.DueSchedule(ctx, nil); return err },
		"the campaign's owner": func(ctx context.Context) error {
			_, err := db.CampaignForUpdate(ctx, db.User.ID, s.CampaignID)
			return err
		},
	} {
		err := db.Atomic(t.Context(), func(ctx context.Context) error {
			if err := take(ctx); err != nil {
				return err
			}
			found := make(chan *fanfare.DueSchedule, 1)
			go func() { found <- dueNow(t, db) }()
			if due := await.Value(t, "a second look", found); due != nil {
				t.Errorf("while %s has it: %+v", name, due)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if dueNow(t, db) == nil {
			t.Errorf("after %s had it, it is gone", name)
		}
	}
}

func TestAnOccurrenceIsReservedOnce(t *testing.T) {
	db := teststore.New(t)
	s, o := scheduled(t, db, time.Hour), occurrence(0)
	var firsts atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			first, err := db.ReserveOccurrence(background(t), s.ID, o)
			if err != nil {
				t.Error(err)
			}
			if first {
				firsts.Add(1)
			}
		})
	}
	wg.Wait()
	if n := firsts.Load(); n != 1 {
		t.Errorf("%d have reserved it", n)
	}
}

func TestWhatBecameOfAnOccurrence(t *testing.T) {
	db := teststore.New(t)
	s := scheduled(t, db, time.Hour)
	first, second := occurrence(-time.Hour), occurrence(-time.Minute)
	job, reason := store.NewID(), "Not ready."
	launched := fanfare.OccurrenceRun{LocalTime: first.Local, At: first.At, Outcome: fanfare.OccurrenceLaunched, JobID: &job}
	skipped := fanfare.OccurrenceRun{LocalTime: second.Local, At: second.At, Outcome: fanfare.OccurrenceSkipped, Reason: &reason}
	for i, run := range []fanfare.OccurrenceRun{launched, skipped} {
		if _, err := db.ReserveOccurrence(t.Context(), s.ID, []fanfare.Occurrence{first, second}[i]); err != nil {
			t.Fatal(err)
		}
		if err := db.SettleOccurrence(t.Context(), s.ID, run); err != nil {
			t.Fatal(err)
		}
		now, err := db.Schedule(t.Context(), db.User.ID, s.CampaignID)
		if err != nil || now.LastRun == nil || !now.LastRun.Equal(first.At) {
			t.Errorf("last run %v, %v", now.LastRun, err)
		}
		if diff := cmp.Diff(&run, now.LastOccurrence); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	got := db.Query(`SELECT concat_ws(' ', local_time, outcome, reason, job_id) FROM schedule_occurrences ORDER BY at`)
	want := []string{first.Local + " launched " + job, second.Local + " skipped Not ready."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAnAttemptThatFailsLeavesTheTransactionUsable, also when the database
// itself refused something.
func TestAnAttemptThatFailsLeavesTheTransactionUsable(t *testing.T) {
	db := teststore.New(t)
	exclusive := func(job *fanfare.NewJob) { job.Exclusive = "one" }
	db.Queued(exclusive)
	var kept fanfare.Campaign
	err := db.Atomic(t.Context(), func(ctx context.Context) (err error) {
		failed := db.Attempt(ctx, func(ctx context.Context) error {
			if _, err := db.CreateCampaign(ctx, fanfare.Campaign{UserID: db.User.ID, Goal: "undone", Status: fanfare.CampaignDraft}); err != nil {
				return err
			}
			_, err := db.Submit(ctx, db.NewJob(exclusive))
			return err
		})
		if failed == nil {
			t.Error("two exclusive jobs")
		}
		return db.Attempt(ctx, func(ctx context.Context) error {
			kept, err = db.CreateCampaign(ctx, fanfare.Campaign{UserID: db.User.ID, Goal: "kept", Status: fanfare.CampaignDraft})
			return err
		})
	})
	if diff := cmp.Diff([]string{kept.ID}, db.Query(`SELECT id FROM campaigns`)); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
