package scheduler_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
	"fanfare/internal/testqueue"
	"fanfare/internal/teststore"
	"fanfare/scheduler"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// overdue stores a job whose task should have arrived by now.
func overdue(db *teststore.DB) fanfare.Job {
	job := db.Queued()
	db.Exec(`UPDATE jobs SET relay_at = now() WHERE id = $1`, job.ID)
	return job
}

func tick(t *testing.T, db *teststore.DB, q *testqueue.Queue) {
	t.Helper()
	tickCounted(t, db, q)
}

// tickCounted is tick, and returns what was counted.
func tickCounted(t *testing.T, db *teststore.DB, q *testqueue.Queue) counts {
	t.Helper()
	counted := counts{}
	if err := (scheduler.Relay{Outbox: db, Carrier: q, Meter: counted}).Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	return counted
}

func wantCarried(t *testing.T, db *teststore.DB, q *testqueue.Queue, job fanfare.Job, dispatch int) {
	t.Helper()
	now := db.Now(job)
	carried, err := q.Carried(t.Context(), now)
	if !carried || err != nil || now.Dispatch != dispatch {
		t.Errorf("dispatch %d is carried: %t, %v; want dispatch %d to be", now.Dispatch, carried, err, dispatch)
	}
}

func TestALostTaskIsCarriedAgain(t *testing.T) {
	db, q := teststore.New(t), testqueue.New(t)
	job := overdue(db)
	q.Add(job)
	if err := q.Redis.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	tickCounted(t, db, q).want(t, "restored ai")
	wantCarried(t, db, q, job, 1)
	if queues := q.Redis.SMembers(t.Context(), "asynq:queues").Val(); len(queues) == 0 {
		t.Error("operators see no queue")
	}
}

func TestWhatIsCarriedIsLeftAlone(t *testing.T) {
	db, q := teststore.New(t), testqueue.New(t)
	waits, young, running := overdue(db), db.Queued(), overdue(db)
	q.Add(waits)
	db.Claimed(running)
	tick(t, db, q)
	wantCarried(t, db, q, waits, 1)
	for _, job := range []fanfare.Job{young, running} {
		if carried, err := q.Carried(t.Context(), job); carried || err != nil {
			t.Errorf("a task was made for a job that is %s: %v", db.Now(job).Status, err)
		}
	}
}

// TestATaskThatWillNotStartItsJobIsReplaced: it failed before the claim.
func TestATaskThatWillNotStartItsJobIsReplaced(t *testing.T) {
	db, q := teststore.New(t), testqueue.New(t)
	job := overdue(db)
	handler, ids := testqueue.Collect(fanfare.JobFailed)
	server := q.Serve(job.Queue, handler)
	q.Add(job)
	await.Value(t, "the task", ids)
	await.True(t, "the task is archived", func() bool { return q.Redis.ZCard(t.Context(), "asynq:{ai}:archived").Val() == 1 })
	server.Stop()
	tick(t, db, q)
	wantCarried(t, db, q, job, 2)
	db.Exec(`UPDATE jobs SET relay_at = now()`)
	tick(t, db, q)
	wantCarried(t, db, q, job, 2)
}

func TestRelaysDoNotDouble(t *testing.T) {
	db, q := teststore.New(t), testqueue.New(t)
	const jobs, relays = 100, 4
	for range jobs {
		overdue(db)
	}
	var wg sync.WaitGroup
	for range relays {
		wg.Go(func() { tick(t, db, q) })
	}
	wg.Wait()
	if pending := q.Redis.LLen(t.Context(), "asynq:{ai}:pending").Val(); pending != jobs {
		t.Errorf("%d tasks for %d jobs", pending, jobs)
	}
	if diff := cmp.Diff([]string{fmt.Sprint(jobs)}, db.Query(`SELECT sum(dispatch) FROM jobs`)); diff != "" {
		t.Errorf("dispatches (-want +got):\n%s", diff)
	}
}

// TestWithoutRedisTheOutboxWaits: nothing is taken from it that would then
// have to wait for its next turn.
func TestWithoutRedisTheOutboxWaits(t *testing.T) {
	t.Parallel()
	db, server := teststore.New(t), testdb.OwnRedis(t)
	q := testqueue.Open(t, server.URL())
	job := overdue(db)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := (scheduler.Relay{Outbox: db, Carrier: q}).Tick(t.Context()); err == nil {
		t.Error("an outage of Redis is no error")
	}
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	tick(t, db, q)
	wantCarried(t, db, q, job, 1)
}

// TestManyLostTasksAreCarriedInOneTick, more than a batch.
func TestManyLostTasksAreCarriedInOneTick(t *testing.T) {
	outbox := &endless{left: 1203}
	if err := (scheduler.Relay{Outbox: outbox, Carrier: outbox}).Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
	if outbox.left != 0 || outbox.carried != 1203 {
		t.Errorf("%d carried, %d left", outbox.carried, outbox.left)
	}
}

// endless is an outbox with many jobs, and what carries them.
type endless struct{ left, carried int }

func (e *endless) Uncarried(_ context.Context, limit int, _ time.Duration) ([]fanfare.Job, error) {
	n := min(limit, e.left)
	e.left -= n
	return make([]fanfare.Job, n), nil
}

func (e *endless) Redispatch(context.Context, fanfare.Job) (bool, error) { return false, nil }
func (e *endless) Carried(context.Context, fanfare.Job) (bool, error)    { return false, nil }
func (e *endless) Restore(context.Context) error                         { return nil }
func (e *endless) Enqueue(context.Context, fanfare.Job) (bool, error) {
	e.carried++
	return true, nil
}
