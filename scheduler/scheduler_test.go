package scheduler_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
	"fanfare/scheduler"
)

// ears hear which jobs changed.
type ears struct {
	mu      sync.Mutex
	jobs    map[string]fanfare.JobStatus
	reports []string
}

func (e *ears) Report(ctx context.Context, err error, tags map[string]string) {
	for _, attr := range fanfare.LogAttrs(ctx) {
		e.reports = append(e.reports, fanfare.ErrorCode(err)+" "+tags["kind"]+" "+attr.Value.String())
	}
}

func (e *ears) Trace(ctx context.Context, op fanfare.Op, name string, _ ...slog.Attr) (context.Context, fanfare.EndTrace) {
	return fanfare.Trace(ctx, op, name) // measures nothing
}

func (e *ears) Publish(_ context.Context, jobs ...fanfare.Job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, job := range jobs {
		e.jobs[job.ID] = job.Status
	}
}

// TestTheReaperSettlesLostAndLateJobs, and tells listeners.
func TestTheReaperSettlesLostAndLateJobs(t *testing.T) {
	db := teststore.New(t)
	lost, _ := db.Running()
	doomed, _ := db.Running()
	held, _ := db.Running()
	late, early := db.Queued(), db.Queued()
	db.Lost(lost)
	db.Lost(doomed)
	db.Exec(`UPDATE jobs SET losses = 2 WHERE id = $1`, doomed.ID)
	db.Exec(`UPDATE jobs SET deadline = now() WHERE id = $1`, late.ID)
	heard := &ears{jobs: map[string]fanfare.JobStatus{}}
	counted := counts{}
	reaper := scheduler.NewReaper(db, heard, heard, counted, 50*time.Millisecond)
	await.True(t, "the lost job is settled", func() bool {
		if err := reaper.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		return db.Now(lost).Status != fanfare.JobRunning
	})
	want := map[string]fanfare.JobStatus{lost.ID: fanfare.JobRetrying, late.ID: fanfare.JobExpired, doomed.ID: fanfare.JobFailed}
	if diff := cmp.Diff(want, heard.jobs); diff != "" {
		t.Errorf("listeners heard (-want +got):\n%s", diff)
	}
	counted.want(t, "done expired", "done failed", "lost campaign.generate")
	if n := counted["lost campaign.generate"]; n != 2 {
		t.Errorf("%d lost leases were counted", n)
	}
	if diff := cmp.Diff([]string{"worker_lost campaign.generate " + doomed.ID}, heard.reports); diff != "" {
		t.Errorf("reported were (-want +got):\n%s", diff)
	}
	if h, e := db.Now(held).Status, db.Now(early).Status; h != fanfare.JobRunning || e != fanfare.JobQueued {
		t.Errorf("the others are %s and %s", h, e)
	}
}

type task struct {
	name  string
	ticks chan string
	err   error
}

func (k task) Name() string         { return k.name }
func (k task) Every() time.Duration { return time.Millisecond }
func (k task) Tick(ctx context.Context) error {
	select {
	case k.ticks <- k.name:
	case <-ctx.Done():
	}
	return k.err
}

// TestRunGoesOnAfterErrors, with each task on its own, until it is told to stop.
func TestRunGoesOnAfterErrors(t *testing.T) {
	good := task{name: "good", ticks: make(chan string)}
	bad := task{name: "bad", ticks: make(chan string), err: errors.New("no")}
	stuck := task{name: "stuck", ticks: make(chan string)}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		scheduler.Run(ctx, slog.New(slog.DiscardHandler), good, bad, stuck)
		close(ended)
	}()
	for range 3 {
		await.Value(t, "a tick of the good task", good.ticks)
		await.Value(t, "a tick of the bad task", bad.ticks)
	}
	stop()
	await.Value(t, "the end", ended)
}
