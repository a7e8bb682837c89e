package app

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/config"
	"fanfare/internal/testdb"
	"fanfare/internal/testqueue"
	"fanfare/internal/teststore"
	"fanfare/jobs"
	"fanfare/store"
)

// ops is an operator's terminal.
type ops struct {
	Process
	db *teststore.DB
	q  *testqueue.Queue
}

func newOps(t *testing.T) ops {
	t.Helper()
	database, redis := testdb.New(t), testdb.Redis(t)
	return ops{
		Process: Process{Config: config.Config{DatabaseURL: database, RedisURL: redis}},
		db:      teststore.Open(t, database), q: testqueue.Open(t, redis),
	}
}

func printed(t *testing.T, do func(context.Context, io.Writer) error) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := do(t.Context(), &out)
	return out.String(), err
}

func (o ops) list(t *testing.T, q JobQuery) (string, error) {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 20
	}
	return printed(t, func(ctx context.Context, out io.Writer) error { return o.ListJobs(ctx, q, out) })
}

func (o ops) failed(changes ...func(*fanfare.NewJob)) fanfare.Job {
	_, lease := o.db.Running(changes...)
	return o.db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed,
		Error: &fanfare.JobError{Code: fanfare.CodeAIUnavailable, Message: "The model is away.", Retryable: true}})
}

// TestListJobs of everybody, newest first, and of those that are asked for.
func TestListJobs(t *testing.T) {
	o := newOps(t)
	other := o.db.NewUser()
	queued, failed := o.db.Queued(), o.failed()
	theirs := o.db.Queued(func(job *fanfare.NewJob) { job.UserID, job.Kind = other.ID, "analytics.analyze" })
	for name, c := range map[string]struct {
		query JobQuery
		want  []string
	}{
		"all":           {JobQuery{}, []string{theirs.ID, failed.ID, queued.ID}},
		"two":           {JobQuery{Limit: 2}, []string{theirs.ID, failed.ID}},
		"by status":     {JobQuery{Status: "failed"}, []string{failed.ID}},
		"by kind":       {JobQuery{Kind: "analytics.analyze"}, []string{theirs.ID}},
		"by user":       {JobQuery{Email: " " + strings.ToUpper(o.db.User.Email)}, []string{failed.ID, queued.ID}},
		"by everything": {JobQuery{Status: "queued", Kind: "campaign.generate", Email: o.db.User.Email}, []string{queued.ID}},
		"none":          {JobQuery{Status: "expired"}, nil},
	} {
		text, err := o.list(t, c.query)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got []string
		for _, line := range strings.Split(strings.TrimSpace(text), "\n")[1:] {
			got = append(got, strings.Fields(line)[0])
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		c.query.JSON = true
		text, err = o.list(t, c.query)
		got = nil
		for line := range strings.Lines(text) {
			var job struct{ ID, Object string }
			if err := json.Unmarshal([]byte(line), &job); err != nil || job.Object != "job" {
				t.Errorf("%s: %v in %s", name, err, line)
			}
			got = append(got, job.ID)
		}
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s as JSON: %v (-want +got):\n%s", name, err, diff)
		}
	}
	text, _ := o.list(t, JobQuery{Status: "failed"})
	for _, want := range []string{"ID", "AGE", "campaign.generate", "1/5", o.db.User.Email} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, q := range []JobQuery{{Kind: "nothing"}, {Email: "nobody@example.org"}, {Email: "none"}} {
		if text, err := o.list(t, q); err == nil || text != "" || strings.Contains(err.Error(), "invalid_request") {
			t.Errorf("%+v: %q, %v; want a sentence", q, text, err)
		}
	}
}

// TestShowJob tells what happened and what to do.
func TestShowJob(t *testing.T) {
	o := newOps(t)
	job := o.failed()
	text, err := printed(t, func(ctx context.Context, out io.Writer) error { return o.ShowJob(ctx, job.ID, false, out) })
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		job.ID, "failed, attempt 1 of 5", o.db.User.Email, "ai_unavailable: The model is away.", "job.attempt.start", "worker w1",
		"job.attempt.end", "code ai_unavailable", "fanfare jobs retry " + job.ID, "Deadline",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, id := range []string{store.NewID(), "none", ""} {
		if text, err := printed(t, func(ctx context.Context, out io.Writer) error { return o.ShowJob(ctx, id, false, out) }); err == nil || text != "" || !strings.Contains(err.Error(), "fanfare jobs list") {
			t.Errorf("%q: %q, %v", id, text, err)
		}
	}
}

// TestRetryAndCancelJob act as the API does, say who did it, and have the job
// carried.
func TestRetryAndCancelJob(t *testing.T) {
	o := newOps(t)
	handler, taken := testqueue.Collect(fanfare.JobSucceeded)
	o.q.Serve("ai", handler)
	old := o.failed()
	retry := func(id string) (string, error) {
		return printed(t, func(ctx context.Context, out io.Writer) error { return o.RetryJob(ctx, id, false, out) })
	}
	cancel := func(id string) string {
		text, err := printed(t, func(ctx context.Context, out io.Writer) error { return o.CancelJob(ctx, id, out) })
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	text, err := retry(old.ID)
	if err != nil {
		t.Fatal(err)
	}
	id := strings.TrimSpace(text)
	if got := <-taken; got != id {
		t.Errorf("job %s was carried, want %s", got, id)
	}
	job, err := o.db.AnyJob(t.Context(), id)
	if err != nil || job.RetryOf == nil || *job.RetryOf != old.ID {
		t.Errorf("%+v, %v", job, err)
	}
	if _, err := retry(id); err == nil || !strings.Contains(err.Error(), "this one is queued") || strings.Contains(err.Error(), "not_retryable") {
		t.Errorf("retrying a queued job: %v", err)
	}
	_, lease := o.db.Running()
	for _, c := range []struct{ id, want string }{
		{id, "is canceled"}, {id, "over already: it is canceled"}, {lease.JobID, "told to stop; "}, {lease.JobID, "before"},
	} {
		if text := cancel(c.id); !strings.Contains(text, c.want) {
			t.Errorf("cancel says %q, want %q", text, c.want)
		}
	}
	records := o.db.Query(`SELECT concat_ws(' ', action, resource, user_id, user_agent, metadata->>'operator') FROM audit_logs
		WHERE action IN ('job.cancel', 'job.retry') ORDER BY position, id`)
	by := " " + o.db.User.ID + " fanfare jobs (command line) command line"
	want := []string{"job.retry " + id + by, "job.cancel " + id + by, "job.cancel " + lease.JobID + by}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("audit records (-want +got):\n%s", diff)
	}
}

// TestJobsWithoutRedis are changed all the same: the relay carries them.
func TestJobsWithoutRedis(t *testing.T) {
	o := newOps(t)
	old := o.failed()
	o.Config.RedisURL = "redis://127.0.0.1:1"
	text, err := printed(t, func(ctx context.Context, out io.Writer) error { return o.RetryJob(ctx, old.ID, false, out) })
	if err != nil || !strings.Contains(text, "scheduler carries") || len(o.db.Query(`SELECT 1 FROM jobs WHERE retry_of = $1`, old.ID)) != 1 {
		t.Errorf("%q, %v", text, err)
	}
}

// A launch has succeeded though nothing went out: who looks must see it.
func TestShowJobTellsOfChannels(t *testing.T) {
	job := fanfare.Job{Kind: jobs.LaunchCampaign.Name, Status: fanfare.JobSucceeded, Result: json.RawMessage(
		`{"launchResults": [{"channel": "email", "status": "failed", "failed": 3, "error": "The provider refuses the password."}]}`)}
	page := string(describe(job, fanfare.User{}, nil, time.Now()))
	if want := "email: failed; 0 sent, 3 failed, 0 unknown, 0 skipped. The provider refuses the password."; !strings.Contains(page, want) {
		t.Errorf("the page lacks %q:\n%s", want, page)
	}
}
