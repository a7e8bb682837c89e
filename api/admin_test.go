package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/apitest"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
	"fanfare/internal/testqueue"
)

const dashboard = "/admin/queues"

// desk is an operator's place: an API, its queues, an admin, and a user with jobs.
type desk struct {
	*apitest.App
	q          *testqueue.Queue
	meter      *counts
	admin, ada *apitest.Client
	working    atomic.Int64 // handlers that have not returned
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	url := testdb.Redis(t)
	a, meter := counted(t, func(s *apitest.Setup) { s.RedisURL = url })
	d := &desk{App: a, q: testqueue.Open(t, url), meter: meter}
	d.admin, d.ada = d.SignedIn(t, d.Admin(t, "root@example.com")), d.User(t, "ada@example.com")
	if err := d.q.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// work is what a worker does with a task: it claims the job, and leaves it in a
// status, asked of leave.
func (d *desk) work(t *testing.T, leave func() fanfare.JobStatus) func(ctx context.Context, kind, jobID string) (fanfare.JobStatus, error) {
	return func(ctx context.Context, _, jobID string) (fanfare.JobStatus, error) {
		d.working.Add(1)
		defer d.working.Add(-1)
		lease := fanfare.Lease{JobID: jobID, Token: leaseToken()}
		claimed, err := d.Store.Claim(ctx, "test", []fanfare.Lease{lease}, leaseTime)
		if err != nil || len(claimed) == 0 {
			return "", err
		}
		status := leave()
		if status == "" { // still at it
			return "", nil
		}
		d.Finish(t, claimed[0], status)
		if job, err := d.Store.AnyJob(ctx, jobID); err == nil && job.Status.Waiting() {
			_, _ = d.q.Enqueue(ctx, job) // or the relay does
		}
		return status, nil
	}
}

// arrange submits a job and brings its task into a state.
func (d *desk) arrange(t *testing.T, state string) (job, task string) {
	t.Helper()
	job, _ = submit(t, d.ada)
	leave := map[string]fanfare.JobStatus{"scheduled": fanfare.JobRetrying, "archived": fanfare.JobFailed}[state]
	switch {
	case state == "active":
		hold, held := make(chan struct{}), make(chan struct{})
		d.q.Serve("ai", d.work(t, func() fanfare.JobStatus { close(held); <-hold; return "" }))
		t.Cleanup(func() { close(hold) })
		await.Value(t, "a claim", held)
	case leave != "":
		server := d.q.Serve("ai", d.work(t, func() fanfare.JobStatus { return leave }))
		await.True(t, "the task is "+state, func() bool { return len(d.tasks(t, state)) == 1 })
		server.Stop()
		if err := server.Shutdown(); err != nil {
			t.Fatal(err)
		}
	}
	tasks := d.tasks(t, state)
	if len(tasks) != 1 {
		t.Fatalf("%d tasks are %s, want one", len(tasks), state)
	}
	return job, tasks[0]
}

// tasks are the ids that the dashboard shows of a state, and it shows nothing
// else of a job.
func (d *desk) tasks(t testing.TB, state string) (ids []string) {
	t.Helper()
	var list struct {
		Tasks []struct{ ID, Payload string }
	}
	answer := d.admin.Do(t, "GET "+dashboard+"/api/queues/ai/"+state+"_tasks?size=1000", nil).Want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(answer.Body), &list); err != nil {
		t.Fatal(err)
	}
	for _, task := range list.Tasks {
		ids = append(ids, task.ID)
		if id, _, _ := strings.Cut(task.ID, ":"); task.Payload != id {
			t.Errorf("the payload of %s is shown as %q", task.ID, task.Payload)
		}
	}
	return ids
}

// all is how many tasks are in each state, those that are none left out.
func (d *desk) all(t testing.TB) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, state := range []string{"active", "pending", "scheduled", "retry", "archived", "completed"} {
		if n := len(d.tasks(t, state)); n > 0 {
			found[state] = n
		}
	}
	return found
}

type button struct {
	state, verb string
	// what comes of it; "" for the refusal
	status fanfare.JobStatus
	action string
	left   map[string]int // tasks that the queue then holds
	new    int            // jobs
}

func buttons() []button {
	return []button{
		{state: "active", verb: "cancel", status: fanfare.JobRunning, action: "job.cancel", left: map[string]int{"active": 1}},
		{state: "pending", verb: "delete", status: fanfare.JobCanceled, action: "job.cancel", left: map[string]int{}},
		{state: "pending", verb: "archive", status: fanfare.JobQueued, left: map[string]int{"pending": 1}},
		{state: "scheduled", verb: "delete", status: fanfare.JobCanceled, action: "job.cancel", left: map[string]int{}},
		{state: "scheduled", verb: "run", status: fanfare.JobRetrying, action: "job.run", left: map[string]int{"pending": 1}},
		{state: "scheduled", verb: "archive", status: fanfare.JobRetrying, left: map[string]int{"scheduled": 1}},
		{state: "archived", verb: "run", status: fanfare.JobFailed, action: "job.retry", left: map[string]int{"pending": 1}, new: 1},
		{state: "archived", verb: "delete", status: fanfare.JobFailed, action: "queue.tidy", left: map[string]int{}},
	}
}

// TestButtons presses each button for one task, for several, and for all that
// there are.
func TestButtons(t *testing.T) {
	for _, b := range buttons() {
		for _, scope := range []string{"one", "batch", "all"} {
			t.Run(b.verb+" "+b.state+" "+scope, func(t *testing.T) {
				t.Parallel()
				d := newDesk(t)
				job, task := d.arrange(t, b.state)
				before := d.Audits(t)
				answer := d.press(t, d.admin, b.state, b.verb, scope, task)
				b.check(t, answer, scope, task)
				want := before
				if b.action != "" {
					resource := job
					if b.new > 0 {
						resource = d.Text(t, `SELECT id FROM jobs WHERE retry_of = $1`, job)
					}
					want = append(want, apitest.Audit{Action: b.action, Status: "success", UserID: d.ada.UserID, Resource: resource, UserAgent: "the operators' dashboard"})
					if by := d.Text(t, `SELECT metadata->>'operator' FROM audit_logs WHERE action = $1`, b.action); by != d.admin.UserID {
						t.Errorf("the record names %q", by)
					}
				}
				if diff := cmp.Diff(want, d.Audits(t)); diff != "" {
					t.Errorf("audit records (-want +got):\n%s", diff)
				}
				now, err := d.Store.AnyJob(t.Context(), job)
				if err != nil || now.Status != b.status || now.CancelRequested != (b.action == "job.cancel") {
					t.Errorf("the job is %s (told to stop: %t), %v; want %s", now.Status, now.CancelRequested, err, b.status)
				}
				if diff := cmp.Diff(b.left, d.all(t)); diff != "" {
					t.Errorf("tasks (-want +got):\n%s", diff)
				}
				ended := map[string]int{}
				if b.status == fanfare.JobCanceled {
					ended["done canceled"] = 1
				}
				d.meter.want(t, ended)
				if n := d.Count(t, `SELECT count(*) FROM jobs`); n != 1+b.new {
					t.Errorf("%d jobs", n)
				}
			})
		}
	}
}

// press presses a button, as asynqmon's page does.
func (d *desk) press(t testing.TB, by *apitest.Client, state, verb, scope string, tasks ...string) *apitest.Answer {
	t.Helper()
	tasksOf := dashboard + "/api/queues/ai/" + state + "_tasks"
	switch {
	case scope == "batch":
		return by.Do(t, "POST "+tasksOf+":batch_"+verb, object{"task_ids": tasks})
	case scope == "all" && verb == "delete":
		return by.Do(t, "DELETE "+tasksOf+":delete_all", nil)
	case scope == "all":
		return by.Do(t, "POST "+tasksOf+":"+verb+"_all", nil)
	case verb == "delete":
		return by.Do(t, "DELETE "+tasksOf+"/"+tasks[0], nil)
	default:
		return by.Do(t, "POST "+tasksOf+"/"+tasks[0]+":"+verb, nil)
	}
}

// check holds an answer to what asynqmon's page expects, and to a sentence.
func (b button) check(t *testing.T, answer *apitest.Answer, scope, task string) {
	t.Helper()
	if b.action == "" && scope != "batch" {
		answer.WantError(t, http.StatusConflict, "not_possible")
		return
	}
	answer.Want(t, http.StatusOK)
	if answer.Text("message") == "" {
		t.Errorf("%s says nothing", answer.Body)
	}
	done := map[string]string{"cancel": "canceled", "delete": "deleted", "run": "pending", "archive": "archived"}[b.verb]
	failed := map[bool]string{true: "failed_ids", false: "error_ids"}[b.verb == "delete"]
	counted := map[string]string{"delete": "deleted", "run": "scheduled", "cancel": "canceled"}[b.verb]
	switch {
	case scope == "batch" && b.action == "" && (answer.Text(failed+".0") != task || answer.At(done+"_ids.0") != nil):
		t.Errorf("%s, want the task among %s", answer.Body, failed)
	case scope == "batch" && b.action != "" && (answer.Text(done+"_ids.0") != task || answer.At(failed+".0") != nil):
		t.Errorf("%s, want the task among %s_ids", answer.Body, done)
	case scope == "all" && answer.At(counted) != 1.0:
		t.Errorf("%s, want %s to be 1", answer.Body, counted)
	}
}

// TestButtonsThatAreTooLate are refused with the reason, or only tidy, and change
// nothing else.
func TestButtonsThatAreTooLate(t *testing.T) {
	for name, c := range map[string]struct {
		state, verb string
		meanwhile   func(t *testing.T, d *desk, job string)
		code        string // "" for an entry that is removed
		reason      string
	}{
		"cancel of a job that is over": {"active", "cancel", func(t *testing.T, d *desk, job string) {
			d.Exec(t, `UPDATE jobs SET status = 'succeeded', result = '{}', finished_at = now(), lease_token = NULL, lease_expires_at = NULL WHERE id = $1`, job)
		}, "not_possible", "succeeded"},
		"cancel again": {"active", "cancel", func(t *testing.T, d *desk, job string) {
			d.ada.Do(t, "POST /api/jobs/"+job+"/cancel", nil).Want(t, http.StatusOK)
		}, "not_possible", "told to stop"},
		"cancel of a job that is gone": {"active", "cancel", deleteJob, "not_possible", "not in the database"},
		"run of a canceled job": {"scheduled", "run", func(t *testing.T, d *desk, job string) {
			d.ada.Do(t, "POST /api/jobs/"+job+"/cancel", nil).Want(t, http.StatusOK)
		}, "not_possible", "canceled"},
		"run of a running job": {"scheduled", "run", startJob, "not_possible", "running"},
		"run of an old entry": {"scheduled", "run", func(t *testing.T, d *desk, job string) {
			d.Exec(t, `UPDATE jobs SET dispatch = dispatch + 1 WHERE id = $1`, job)
		}, "not_possible", "old one"},
		"retry of a job whose campaign is gone": {"archived", "run", func(t *testing.T, d *desk, job string) {
			d.ada.Do(t, "DELETE /api/campaign/"+d.Text(t, `SELECT campaign_id FROM jobs WHERE id = $1`, job), nil).Want(t, http.StatusNoContent)
		}, "not_retryable", "deleted"},
		"delete of a running job": {"pending", "delete", startJob, "not_possible", "running"},
		"delete of an old entry": {"scheduled", "delete", func(t *testing.T, d *desk, job string) {
			d.Exec(t, `UPDATE jobs SET dispatch = dispatch + 1 WHERE id = $1`, job)
		}, "", "stays retrying"},
		"delete of a job that is gone": {"pending", "delete", deleteJob, "", "not in the database"},
		"delete of a task that is gone": {"archived", "delete", func(t *testing.T, d *desk, _ string) {
			if err := d.Redis.FlushDB(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
			if err := d.q.Restore(t.Context()); err != nil {
				t.Fatal(err)
			}
		}, "not_possible", "no such task"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			job, task := d.arrange(t, c.state)
			c.meanwhile(t, d, job)
			const rows = `SELECT coalesce(jsonb_agg(to_jsonb(j) ORDER BY id), '[]')::text FROM jobs j`
			before, audits, tasks := d.Text(t, rows), d.Audits(t), d.all(t)
			answer := d.press(t, d.admin, c.state, c.verb, "one", task)
			if c.code != "" {
				answer.WantError(t, http.StatusConflict, c.code)
			} else {
				answer.Want(t, http.StatusOK)
				tasks = map[string]int{}
				audits = append(audits, apitest.Audit{Action: "queue.tidy", Status: "success"})
			}
			if !strings.Contains(answer.Body, c.reason) {
				t.Errorf("%s, want %q in it", answer.Body, c.reason)
			}
			if diff := cmp.Diff(before, d.Text(t, rows)); diff != "" {
				t.Errorf("jobs (-before +after):\n%s", diff)
			}
			if diff := cmp.Diff(tasks, d.all(t)); diff != "" {
				t.Errorf("tasks (-want +got):\n%s", diff)
			}
			if got := d.Audits(t); len(got) != len(audits) || len(got) > 0 && got[len(got)-1].Action != audits[len(audits)-1].Action {
				t.Errorf("audit records %v, want %v", got, audits)
			}
		})
	}
}

func startJob(t *testing.T, d *desk, job string) {
	t.Helper()
	d.Exec(t, `UPDATE jobs SET run_at = NULL WHERE id = $1`, job)
	d.Claim(t, job)
}

func deleteJob(t *testing.T, d *desk, job string) {
	t.Helper()
	d.Exec(t, `DELETE FROM jobs WHERE id = $1`, job)
}

// TestWhatHasNoButton is refused, whatever asynqmon would make of it.
func TestWhatHasNoButton(t *testing.T) {
	d := newDesk(t)
	_, task := d.arrange(t, "pending")
	before := d.Audits(t)
	ai := dashboard + "/api/queues/ai"
	conflict := func(line string) scenario {
		return scenario{name: line, line: line, status: 409, code: "not_possible"}
	}
	scenarios := []scenario{
		{name: "delete a queue", line: "DELETE " + ai, status: 409, code: "not_possible", want: "Pause it"},
		{name: "another queue", line: "POST " + dashboard + "/api/queues/mine:pause", status: 404, code: "not_found"},
		{name: "no list", line: "POST " + ai + "/pending_tasks:batch_delete", status: 400, code: "invalid_request"},
		{name: "an empty list", line: "POST " + ai + "/pending_tasks:batch_delete", body: `{"task_ids": []}`, status: 400, code: "invalid_request"},
		{name: "too long a list", line: "POST " + ai + "/pending_tasks:batch_delete", body: object{"task_ids": make([]string, 501)}, status: 400, code: "invalid_request"},
		{name: "another list", line: "POST " + ai + "/pending_tasks:batch_delete", body: `{"tasks": []}`, status: 400, code: "invalid_request"},
	}
	for _, line := range []string{
		"POST " + dashboard, "PUT " + ai + ":pause", "DELETE " + ai + ":pause", "POST " + ai, "PATCH " + ai + "/pending_tasks/" + task,
		"POST " + ai + "/pending_tasks/" + task + ":run", "POST " + ai + "/pending_tasks/" + task + ":cancel", "DELETE " + ai + "/active_tasks/" + task,
		"POST " + ai + "/pending_tasks:delete_all", "DELETE " + ai + "/pending_tasks:archive_all", "POST " + ai + "/archived_tasks:archive_all",
		"POST " + ai + "/pending_tasks:batch_delete_all", "POST " + ai + "/pending_tasks:delete", "POST " + ai + "/groups/g/aggregating_tasks:run_all",
		"DELETE " + ai + "/groups/g/aggregating_tasks/" + task, "POST " + ai + "/pending_tasks", "POST " + dashboard + "/api/scheduler_entries",
		"POST " + dashboard + "/api//queues/ai:pause", "POST " + dashboard + "/x/../api/queues/ai:pause", "BREW " + dashboard,
	} {
		scenarios = append(scenarios, conflict(line))
	}
	run(t, d.admin, scenarios)
	if diff := cmp.Diff(map[string]int{"pending": 1}, d.all(t)); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, d.Audits(t)); diff != "" {
		t.Errorf("audit records (-want +got):\n%s", diff)
	}
}

// TestAPausedQueueIsLeftAlone by its workers, until it is resumed.
func TestAPausedQueueIsLeftAlone(t *testing.T) {
	d := newDesk(t)
	pause, resume := "POST "+dashboard+"/api/queues/ai:pause", "POST "+dashboard+"/api/queues/ai:resume"
	d.admin.Do(t, resume, nil).WantError(t, http.StatusConflict, "not_possible")
	d.admin.Do(t, pause, nil).Want(t, http.StatusOK)
	d.admin.Do(t, pause, nil).WantError(t, http.StatusConflict, "not_possible")
	if paused := d.admin.Do(t, "GET "+dashboard+"/api/queues/ai", nil).At("current.paused"); paused != true {
		t.Errorf("the dashboard shows paused: %v", paused)
	}
	handler, taken := testqueue.Collect(fanfare.JobSucceeded)
	d.q.Serve("ai", handler)
	job, _ := submit(t, d.ada)
	// Another queue's server takes a job that came later: this one had its turn.
	other, othersTaken := testqueue.Collect(fanfare.JobSucceeded)
	d.q.Serve("launch", other)
	later := testqueue.Job()
	later.Queue = "launch"
	d.q.Add(later)
	await.Value(t, "a job of another queue", othersTaken)
	select {
	case id := <-taken:
		t.Fatalf("job %s was taken from a paused queue", id)
	default:
	}
	if diff := cmp.Diff(map[string]int{"pending": 1}, d.all(t)); diff != "" {
		t.Errorf("tasks (-want +got):\n%s", diff)
	}
	d.admin.Do(t, resume, nil).Want(t, http.StatusOK)
	if id := await.Value(t, "the job", taken); id != job {
		t.Errorf("job %s was taken, want %s", id, job)
	}
	var got []apitest.Audit
	for _, record := range d.Audits(t) {
		if strings.HasPrefix(record.Action, "queue.") {
			got = append(got, record)
		}
	}
	want := []apitest.Audit{
		{Action: "queue.pause", Status: "success", UserID: d.admin.UserID, Resource: "ai", IPAddress: "127.0.0.1", UserAgent: "Go-http-client/1.1"},
		{Action: "queue.resume", Status: "success", UserID: d.admin.UserID, Resource: "ai", IPAddress: "127.0.0.1", UserAgent: "Go-http-client/1.1"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("audit records (-want +got):\n%s", diff)
	}
}
