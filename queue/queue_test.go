package queue_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"fanfare"
	"fanfare/internal/testdb"
	"fanfare/internal/testqueue"
	"fanfare/jobs"
	"fanfare/queue"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func inspector(q *testqueue.Queue) *asynq.Inspector {
	return asynq.NewInspectorFromRedisClient(q.Redis)
}

// task returns what asynq knows of a dispatch of a job, nil if nothing.
func task(q *testqueue.Queue, id string) *asynq.TaskInfo {
	info, err := inspector(q).GetTaskInfo("ai", id)
	if err != nil {
		return nil
	}
	return info
}

func TestADispatchIsOneTask(t *testing.T) {
	q := testqueue.New(t)
	job := testqueue.Job()
	for n, want := range []bool{true, false, false} {
		if added, err := q.Enqueue(t.Context(), job); added != want || err != nil {
			t.Errorf("call %d: Enqueue = %t, %v; want %t", n, added, err, want)
		}
	}
	second := job
	second.Dispatch++
	q.Add(second)
	pending, err := inspector(q).ListPendingTasks("ai")
	if err != nil || len(pending) != 2 {
		t.Fatalf("%d tasks, %v; want one a dispatch", len(pending), err)
	}
	for _, info := range pending {
		if string(info.Payload) != job.ID || info.Type != job.Kind || info.Deadline.After(time.Time{}) {
			t.Errorf("a task of kind %q holds %q, deadline %s; want the id alone and no deadline", info.Type, info.Payload, info.Deadline)
		}
	}
}

func TestALaterAttemptWaitsInRedis(t *testing.T) {
	q := testqueue.New(t)
	due := time.Now().Add(time.Hour + 300*time.Millisecond)
	job := testqueue.Job()
	job.RunAt = &due
	q.Add(job)
	info := task(q, job.ID+":1")
	if info == nil || info.State != asynq.TaskStateScheduled || info.NextProcessAt.Before(due) || info.NextProcessAt.After(due.Add(time.Second)) {
		t.Errorf("the task is %+v, want it scheduled for %s or less than a second later", info, due)
	}
	past := time.Now().Add(-time.Hour)
	late := testqueue.Job()
	late.RunAt = &past
	q.Add(late)
	if info := task(q, late.ID+":1"); info == nil || info.State != asynq.TaskStatePending {
		t.Errorf("a task that is due is %+v, want it pending", info)
	}
}

func TestWholeSecondIsNeverEarly(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	times := []time.Time{now, now.Add(1), now.Add(time.Second - 1), now.Add(time.Millisecond)}
	for range 1000 {
		times = append(times, now.Add(time.Duration(rand.Int64N(int64(time.Minute)))))
	}
	for _, at := range times {
		got := queue.WholeSecond(at)
		if got.Before(at) || got.Sub(at) >= time.Second || got.Nanosecond() != 0 {
			t.Fatalf("%s becomes %s", at.Format(time.RFC3339Nano), got.Format(time.RFC3339Nano))
		}
	}
}

func TestCarried(t *testing.T) {
	for name, test := range map[string]struct {
		arrange func(t *testing.T, q *testqueue.Queue, job fanfare.Job)
		want    bool
	}{
		"nothing": {func(*testing.T, *testqueue.Queue, fanfare.Job) {}, false},
		"no such task": {func(_ *testing.T, q *testqueue.Queue, _ fanfare.Job) {
			q.Add(testqueue.Job())
		}, false},
		"an earlier dispatch": {func(_ *testing.T, q *testqueue.Queue, job fanfare.Job) {
			job.Dispatch--
			q.Add(job)
		}, false},
		"pending": {func(_ *testing.T, q *testqueue.Queue, job fanfare.Job) { q.Add(job) }, true},
		"scheduled": {func(_ *testing.T, q *testqueue.Queue, job fanfare.Job) {
			later := time.Now().Add(time.Hour)
			job.RunAt = &later
			q.Add(job)
		}, true},
		"archived": {func(t *testing.T, q *testqueue.Queue, job fanfare.Job) {
			q.Add(job)
			if err := inspector(q).ArchiveTask("ai", job.ID+":2"); err != nil {
				t.Fatal(err)
			}
		}, false},
		"active": {func(t *testing.T, q *testqueue.Queue, job fanfare.Job) {
			q.Add(job)
			hold(t, q)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			q := testqueue.New(t)
			job := testqueue.Job()
			job.Dispatch = 2
			test.arrange(t, q, job)
			if got, err := q.Carried(t.Context(), job); got != test.want || err != nil {
				t.Errorf("Carried = %t, %v; want %t", got, err, test.want)
			}
		})
	}
}

func TestRedisAwayIsAnError(t *testing.T) {
	t.Parallel()
	server := testdb.OwnRedis(t)
	q := testqueue.Open(t, server.URL())
	q.Add(testqueue.Job())
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	if added, err := q.Enqueue(t.Context(), testqueue.Job()); added || err == nil {
		t.Errorf("Enqueue = %t, %v", added, err)
	}
	if carried, err := q.Carried(t.Context(), testqueue.Job()); carried || err == nil {
		t.Errorf("Carried = %t, %v", carried, err)
	}
	if err := q.Restore(t.Context()); err == nil {
		t.Error("Restore worked")
	}
}

// TestRestoreShowsQueuesToOperators, after all of Redis was lost under a client
// that goes on.
func TestRestoreShowsQueuesToOperators(t *testing.T) {
	q := testqueue.New(t)
	q.Add(testqueue.Job())
	if err := q.Redis.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	q.Add(testqueue.Job())
	for _, want := range [][]string{{}, jobs.Queues()} { // the first is why there is a Restore
		queues, err := inspector(q).Queues()
		slices.Sort(queues)
		if diff := cmp.Diff(want, append([]string{}, queues...)); diff != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
		if err := q.Restore(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}
