package scheduler_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
	"fanfare/jobs"
	"fanfare/scheduler"
)

// launcher launches for real, unless it is told to fail for a campaign.
type launcher struct {
	db    *teststore.DB
	fails map[string]error
}

func (l launcher) LaunchScheduled(ctx context.Context, userID, campaignID string, channels []fanfare.Channel) (fanfare.Job, error) {
	if err := l.fails[campaignID]; err != nil {
		return fanfare.Job{}, err
	}
	job, _, err := jobs.SubmitLaunch(ctx, l.db, jobs.LaunchRequest{UserID: userID, CampaignID: campaignID, Channels: channels})
	return job, err
}

// cart counts what is carried.
type cart struct {
	mu      sync.Mutex
	carried map[string]int
	err     error
}

func (c *cart) Enqueue(_ context.Context, job fanfare.Job) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.carried[job.ID]++
	return true, c.err
}

type dueRig struct {
	*teststore.DB
	t     *testing.T
	due   scheduler.Due
	heard *ears
	cart  *cart
	fails map[string]error
}

func newDueRig(t *testing.T) *dueRig {
	t.Helper()
	db := teststore.New(t)
	r := &dueRig{
		DB: db, t: t, heard: &ears{jobs: map[string]fanfare.JobStatus{}}, cart: &cart{carried: map[string]int{}}, fails: map[string]error{},
	}
	r.due = scheduler.Due{
		Schedules: db, Timetable: teststore.Timetable{}, Launcher: launcher{db: db, fails: r.fails}, Hints: r.heard, Carrier: r.cart,
	}
	return r
}

func (r *dueRig) tick() {
	r.t.Helper()
	if err := r.due.Tick(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

// plan schedules a campaign that can be launched: hourly, by another cron, or
// once where that is "". Its occurrence of so long ago, for a cron on the minute,
// is the first that nobody has looked after.
func (r *dueRig) plan(cron string, misfire fanfare.Misfire, ago time.Duration) fanfare.Schedule {
	r.t.Helper()
	campaign := r.NewCampaign()
	r.Exec(`UPDATE campaigns SET status = 'ready', channels = '{sms}', content = '{"sms": {"text": "Tea"}}' WHERE id = $1`, campaign.ID)
	precision := time.Second
	if cron != "" {
		precision = time.Minute
	}
	at := time.Now().UTC().Truncate(precision).Add(-ago)
	s := fanfare.Schedule{CampaignID: campaign.ID, UserID: r.User.ID, Timezone: "UTC", Misfire: misfire, RunAt: &at}
	first := fanfare.Occurrence{Local: at.Format(time.RFC3339), At: at}
	if cron != "" {
		text := cron
		if cron == "hourly" {
			text = fmt.Sprintf("%d * * * *", at.Minute())
		}
		s.Cron, s.RunAt, first.Local = &text, nil, at.Format("2006-01-02T15:04")
	}
	stored, err := r.PutSchedule(r.t.Context(), s, first)
	if err != nil {
		r.t.Fatal(err)
	}
	return stored
}

func (r *dueRig) now(s fanfare.Schedule) fanfare.Schedule {
	r.t.Helper()
	now, err := r.Schedule(r.t.Context(), s.UserID, s.CampaignID)
	if err != nil {
		r.t.Fatal(err)
	}
	return now
}

// records are the actions of the schedules' audit records, oldest first.
func (r *dueRig) records() []string {
	return r.Query(`SELECT action FROM audit_logs WHERE action LIKE 'schedule.%' ORDER BY position, action DESC`)
}

func (r *dueRig) launches() []string {
	return r.Query(`SELECT id FROM jobs WHERE kind = 'campaign.launch'`)
}

func TestWhatIsDueIsLaunchedOnce(t *testing.T) {
	r := newDueRig(t)
	s := r.plan("", fanfare.MisfireRunOnce, 0)
	r.tick()
	r.tick()
	launched := r.launches()
	if len(launched) != 1 {
		t.Fatalf("%d jobs", len(launched))
	}
	now := r.now(s)
	if now.Enabled || now.Reason == nil || now.LastRun == nil || !now.LastRun.Equal(*s.RunAt) || now.LastOccurrence == nil ||
		now.LastOccurrence.Outcome != fanfare.OccurrenceLaunched || *now.LastOccurrence.JobID != launched[0] {
		t.Errorf("%+v, last %+v", now, now.LastOccurrence)
	}
	if diff := cmp.Diff(map[string]fanfare.JobStatus{launched[0]: fanfare.JobQueued}, r.heard.jobs); diff != "" {
		t.Errorf("heard of (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]int{launched[0]: 1}, r.cart.carried); diff != "" {
		t.Errorf("carried (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{fanfare.ActionScheduleFire}, r.records()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	metadata := r.Query(`SELECT metadata->>'job' FROM audit_logs WHERE action = 'schedule.fire' AND resource = $1 AND user_id = $2`, s.CampaignID, s.UserID)
	if diff := cmp.Diff(launched, metadata); diff != "" {
		t.Errorf("the record (-want +got):\n%s", diff)
	}
}

// TestAnOccurrenceThatWasLaunchedIsNotLaunchedAgain, though the schedule says
// that it is due: clocks of databases may go back.
func TestAnOccurrenceThatWasLaunchedIsNotLaunchedAgain(t *testing.T) {
	r := newDueRig(t)
	s := r.plan("hourly", fanfare.MisfireRunOnce, 0)
	before := r.Query(`SELECT next_at || '|' || next_local FROM schedules`)
	r.tick()
	r.Exec(`UPDATE jobs SET status = 'canceled', finished_at = now(), error = '{}'`)
	r.Exec(`UPDATE campaigns SET status = 'ready'`)
	r.Exec(`UPDATE schedules SET next_at = split_part($1, '|', 1)::timestamptz, next_local = split_part($1, '|', 2)`, before[0])
	r.tick()
	if n := len(r.launches()); n != 1 || !r.now(s).Enabled {
		t.Errorf("%d launches of one occurrence", n)
	}
	r.Exec(`DELETE FROM jobs`) // made by hand: no history to check
}

func TestWhatWasMissed(t *testing.T) {
	fire, skip := fanfare.ActionScheduleFire, fanfare.ActionScheduleSkip
	for _, test := range []struct {
		name, cron string
		misfire    fanfare.Misfire
		ago        time.Duration
		want       []string // records
		goesOn     bool
	}{
		{"just now, skip", "", fanfare.MisfireSkip, 0, []string{fire}, false},
		{"just now, run once", "hourly", fanfare.MisfireRunOnce, 0, []string{fire}, true},
		{"one, skip", "hourly", fanfare.MisfireSkip, 10 * time.Minute, []string{skip}, true},
		{"one, run once", "hourly", fanfare.MisfireRunOnce, 10 * time.Minute, []string{fire}, true},
		{"many, the latest is on time, skip", "* * * * *", fanfare.MisfireSkip, 10 * time.Minute, []string{skip, fire}, true},
		{"many, run once", "* * * * *", fanfare.MisfireRunOnce, 10 * time.Minute, []string{skip, fire}, true},
		{"several hours, run once", "hourly", fanfare.MisfireRunOnce, 5*time.Hour + 10*time.Minute, []string{skip, fire}, true},
		{"several hours, skip", "hourly", fanfare.MisfireSkip, 5*time.Hour + 10*time.Minute, []string{skip}, true},
		{"too late, run once", "", fanfare.MisfireRunOnce, 62 * time.Minute, []string{skip}, false},
		{"a single one, run once", "", fanfare.MisfireRunOnce, 58 * time.Minute, []string{fire}, false},
		{"a single one, skip", "", fanfare.MisfireSkip, 2 * time.Minute, []string{skip}, false},
		{"each minute of a year", "* * * * *", fanfare.MisfireRunOnce, 365 * 24 * time.Hour, []string{skip, fire}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newDueRig(t)
			s := r.plan(test.cron, test.misfire, test.ago)
			r.tick()
			if diff := cmp.Diff(test.want, r.records()); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			launched := test.want[len(test.want)-1] == fire
			if n := len(r.launches()); (n == 1) != launched || n > 1 {
				t.Errorf("%d launches", n)
			}
			now := r.now(s)
			if now.Enabled != test.goesOn || (now.LastRun != nil) != launched || now.LastOccurrence == nil {
				t.Errorf("%+v", now)
			}
			if launched && test.cron == "* * * * *" && time.Since(*now.LastRun) > time.Minute+10*time.Second {
				t.Errorf("it launched that of %s, not the latest", now.LastRun)
			}
			if !launched && (now.LastOccurrence.Outcome != fanfare.OccurrenceMissed || now.LastOccurrence.Reason == nil) {
				t.Errorf("%+v", now.LastOccurrence)
			}
			if late := r.Query(`SELECT next_at <= now() FROM schedules WHERE enabled`); test.goesOn && late[0] != "false" {
				t.Error("the next one is not in the future")
			}
		})
	}
}

// TestWhatCannotBeLaunchedIsLeftOut, and the schedule goes on.
func TestWhatCannotBeLaunchedIsLeftOut(t *testing.T) {
	r := newDueRig(t)
	running, odd, empty := r.plan("hourly", fanfare.MisfireRunOnce, 0), r.plan("hourly", fanfare.MisfireRunOnce, 0), r.plan("hourly", fanfare.MisfireRunOnce, 0)
	for _, s := range []fanfare.Schedule{running, odd} {
		if _, _, err := jobs.SubmitLaunch(t.Context(), r, jobs.LaunchRequest{UserID: s.UserID, CampaignID: s.CampaignID}); err != nil {
			t.Fatal(err)
		}
	}
	r.Exec(`UPDATE campaigns SET status = 'ready' WHERE id = $1`, odd.CampaignID) // the database itself refuses the job
	r.Exec(`UPDATE campaigns SET content = '{}' WHERE id = $1`, empty.CampaignID)
	r.tick()
	for s, code := range map[*fanfare.Schedule]string{
		&running: fanfare.CodeLaunchInProgress, &odd: fanfare.CodeLaunchInProgress, &empty: fanfare.CodeNotReady,
	} {
		now := r.now(*s)
		if !now.Enabled || now.LastRun != nil || now.LastOccurrence == nil || now.LastOccurrence.Outcome != fanfare.OccurrenceSkipped || *now.LastOccurrence.Reason == "" {
			t.Errorf("%s: %+v, %+v", code, now, now.LastOccurrence)
		}
		got := r.Query(`SELECT metadata->>'code' FROM audit_logs WHERE action = 'schedule.skip' AND status = 'failure' AND resource = $1`, s.CampaignID)
		if diff := cmp.Diff([]string{code}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if n := len(r.launches()); n != 2 {
		t.Errorf("%d launches, want only those that run", n)
	}
}

func TestASchedulesEnd(t *testing.T) {
	for reason, end := range map[string]func(*dueRig, fanfare.Schedule){
		"The account of its owner is disabled.": func(r *dueRig, s fanfare.Schedule) {
			if err := r.DisableUser(t.Context(), s.UserID); err != nil {
				t.Fatal(err)
			}
		},
		"Its cron or its time zone can't be read any more.": func(r *dueRig, _ fanfare.Schedule) {
			r.Exec(`UPDATE schedules SET timezone = 'Europe/Atlantis'`)
		},
		"The campaign was deleted.": func(r *dueRig, s fanfare.Schedule) {
			r.fails[s.CampaignID] = fanfare.Errorf(fanfare.CodeNotFound, "gone")
		},
	} {
		r := newDueRig(t)
		s := r.plan("hourly", fanfare.MisfireRunOnce, 0)
		end(r, s)
		r.tick()
		if now := r.now(s); now.Enabled || *now.Reason != reason {
			t.Errorf("%+v", now)
		}
		why := r.Query(`SELECT metadata->>'reason' FROM audit_logs WHERE action = 'schedule.stop'`)
		if diff := cmp.Diff([]string{reason}, why); diff != "" || len(r.launches()) != 0 {
			t.Errorf("%d launches (-want +got):\n%s", len(r.launches()), diff)
		}
	}
}

// TestWhatFailsIsTriedAgain, and keeps no other from its time.
func TestWhatFailsIsTriedAgain(t *testing.T) {
	r := newDueRig(t)
	broken, fine := r.plan("hourly", fanfare.MisfireRunOnce, time.Minute), r.plan("hourly", fanfare.MisfireRunOnce, 0)
	trouble := errors.New("trouble")
	r.fails[broken.CampaignID] = trouble
	r.cart.err = errors.New("Redis is away")
	if err := r.due.Tick(t.Context()); !errors.Is(err, trouble) {
		t.Errorf("the tick says %v", err)
	}
	if diff := cmp.Diff([]string{fine.CampaignID}, r.Query(`SELECT campaign_id FROM jobs`)); diff != "" {
		t.Errorf("launched (-want +got):\n%s", diff)
	}
	if left := r.Query(`SELECT local_time FROM schedule_occurrences WHERE schedule_id = $1`, broken.ID); len(left) != 0 {
		t.Errorf("a failure left %v", left)
	}
	delete(r.fails, broken.CampaignID)
	r.tick()
	if n := len(r.launches()); n != 2 {
		t.Errorf("%d launches in the end", n)
	}
}

func TestManySchedulersLaunchEachOccurrenceOnce(t *testing.T) {
	r := newDueRig(t)
	const schedules, schedulers = 40, 5
	for range schedules {
		r.plan("hourly", fanfare.MisfireRunOnce, 0)
	}
	var wg sync.WaitGroup
	for range schedulers {
		wg.Go(func() { r.tick() })
	}
	wg.Wait()
	r.tick() // a scheduler passes over what another has at the moment
	got := r.Query(`SELECT count(*) || ' ' || count(DISTINCT campaign_id) FROM jobs`)
	got = append(got, r.Query(`SELECT count(*) FROM launches`)...)
	want := fmt.Sprint(schedules)
	if diff := cmp.Diff([]string{want + " " + want, want}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
