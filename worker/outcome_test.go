package worker_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
	"fanfare/worker"
)

func TestAnAttemptThatSucceeds(t *testing.T) {
	r := newRig(t)
	job := r.submit()
	if status := r.handle(job); status != fanfare.JobSucceeded {
		t.Fatalf("the job is %s", status)
	}
	done := r.db.Now(job)
	content := fanfare.Content{
		SMS: &fanfare.SMSContent{Text: "Tea!"},
		PPC: &fanfare.PPCContent{Headlines: []string{"Tea"}, Descriptions: []string{"Hot"}},
	}
	got := result(t, done)
	if diff := cmp.Diff(content, got.Campaign.Content); diff != "" {
		t.Errorf("result (-want +got):\n%s", diff)
	}
	campaign, err := r.db.Campaign(t.Context(), job.UserID, *job.CampaignID)
	if err != nil || campaign.Status != fanfare.CampaignReady || cmp.Diff(content, campaign.Content) != "" {
		t.Errorf("the campaign is %+v, %v", campaign, err)
	}
	turns, err := r.db.History(t.Context(), job.UserID, got.ConversationID)
	if err != nil || len(turns) != 1 || !strings.Contains(turns[0].Content, "Tea!") {
		t.Errorf("the conversation gained %v, %v", turns, err)
	}
	if want := (fanfare.Usage{InputTokens: 30, OutputTokens: 3, Model: "m"}); cmp.Diff(want, done.Usage) != "" {
		t.Errorf("usage %+v, want %+v", done.Usage, want)
	}
	if p := done.Progress; p.Completed != 3 || p.Total != 3 {
		t.Errorf("progress %+v", p)
	}
	want := []fanfare.JobStatus{"running", "running", "running", "running", "succeeded"}
	if diff := cmp.Diff(want, r.ears.statuses); diff != "" {
		t.Errorf("listeners heard (-want +got):\n%s", diff)
	}
	r.model.asked()
	if status := r.handle(job); status != "" || len(r.model.asked()) != 0 {
		t.Errorf("a second task for the job left it %q", status)
	}
}

// final says that no other attempt mends it.
func final(e *fanfare.Error) error { e.Final = true; return e }

func aiError(code string, retryAfter time.Duration) *fanfare.Error {
	e := fanfare.Errorf(code, "The model says so.").WithCause(errors.New("inner secret"))
	e.RetryAfter = retryAfter
	return e
}

// TestAnAttemptThatFails, by what the model's error says.
func TestAnAttemptThatFails(t *testing.T) {
	plain := errors.New("inner secret")
	ours := fanfare.JobError{Code: fanfare.CodeInternal, Retryable: true, Message: "Something went wrong on our side; it has been reported. Retry the job, or ask the operator to look into it."}
	for name, test := range map[string]struct {
		err     error
		change  func(*fanfare.NewJob)
		status  fanfare.JobStatus
		attempt int
		delay   [2]time.Duration
		want    *fanfare.JobError
	}{
		"some error":             {err: plain, status: "retrying", attempt: 1, delay: [2]time.Duration{time.Second, 2 * time.Second}},
		"some error, at the end": {err: plain, change: lastAttempt, status: "failed", attempt: 1, want: &ours},
		"unavailable":            {err: aiError("ai_unavailable", 0), status: "retrying", attempt: 1, delay: [2]time.Duration{time.Second, 2 * time.Second}},
		"unavailable, at the end": {err: aiError("ai_unavailable", 0), change: lastAttempt, status: "failed", attempt: 1,
			want: &fanfare.JobError{Code: "ai_unavailable", Message: "The model says so.", Retryable: true}},
		"refused": {err: final(aiError("ai_refused", 0)), status: "failed", attempt: 1,
			want: &fanfare.JobError{Code: "ai_refused", Message: "The model says so."}},
		"invalid output": {err: final(aiError("ai_invalid_output", 0)), status: "failed", attempt: 1,
			want: &fanfare.JobError{Code: "ai_invalid_output", Message: "The model says so.", Retryable: true}},
		"come back later":         {err: aiError("ai_rate_limited", 7*time.Second), status: "retrying", delay: [2]time.Duration{7 * time.Second, 7 * time.Second}},
		"come back, last attempt": {err: aiError("ai_rate_limited", 7*time.Second), change: lastAttempt, status: "retrying", delay: [2]time.Duration{7 * time.Second, 7 * time.Second}},
		"come back too late": {err: aiError("ai_rate_limited", time.Hour), status: "failed", attempt: 1,
			want: &fanfare.JobError{Code: "ai_rate_limited", Message: "The model says so.", Retryable: true}},
	} {
		for _, call := range []string{"intent", "ppc"} {
			t.Run(name+"/"+call, func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				r.model.fail = map[string]error{call: test.err}
				change := test.change
				if change == nil {
					change = func(*fanfare.NewJob) {}
				}
				job := r.submit(change)
				if status := r.handle(job); status != test.status {
					t.Fatalf("the job is %s, want %s", status, test.status)
				}
				now := r.db.Now(job)
				if diff := cmp.Diff(test.want, now.Error); diff != "" || now.Attempt != test.attempt {
					t.Errorf("attempt %d, error (-want +got):\n%s", now.Attempt, diff)
				}
				wantTokens := 10
				if call == "ppc" {
					wantTokens = 30
				}
				if now.Usage.InputTokens != wantTokens {
					t.Errorf("%d tokens are counted, want %d: failed calls cost too", now.Usage.InputTokens, wantTokens)
				}
				if test.status.Waiting() {
					if delay := now.RunAt.Sub(now.UpdatedAt); delay < test.delay[0] || delay > test.delay[1] {
						t.Errorf("the next attempt comes after %s, want %v", delay, test.delay)
					}
					r.wantCarried(now)
				}
				if reported := len(r.ears.reports) == 1; reported != (test.status == fanfare.JobFailed) {
					t.Errorf("operators were told %v", r.ears.reports)
				}
			})
		}
	}
}

// TestAPanicEndsItsAttemptOnly, also in a goroutine of the work's own.
func TestAPanicEndsItsAttemptOnly(t *testing.T) {
	for _, call := range []string{"intent", "sms"} {
		r := newRig(t)
		r.model.do = func(_ context.Context, name string) {
			if name == call {
				panic("inner secret")
			}
		}
		job := r.submit()
		if status := r.handle(job); status != fanfare.JobRetrying {
			t.Fatalf("%s: the job is %s", call, status)
		}
		r.model.do = nil
		r.due(job)
		if status := r.handle(job); status != fanfare.JobSucceeded {
			t.Errorf("%s: after it, the job is %s", call, status)
		}
		job = r.submit(lastAttempt)
		r.model.do = func(context.Context, string) { panic("inner secret") }
		if status := r.handle(job); status != fanfare.JobFailed || strings.Contains(r.db.Now(job).Error.Message, "secret") {
			t.Errorf("%s: the job is %s, error %+v", call, status, r.db.Now(job).Error)
		}
	}
}

// TestOnlyWhatIsMissingIsAskedFor again: one channel fails, the others and the
// intent are kept.
func TestOnlyWhatIsMissingIsAskedFor(t *testing.T) {
	r := newRig(t)
	r.model.fail = map[string]error{"ppc": errors.New("no")}
	job := r.submit()
	if status := r.handle(job); status != fanfare.JobRetrying || len(r.model.asked()) != 3 {
		t.Fatalf("the first attempt left the job %s", status)
	}
	r.model.fail = nil
	r.due(job)
	if status := r.handle(job); status != fanfare.JobSucceeded {
		t.Fatalf("the job is %s", status)
	}
	if diff := cmp.Diff([]string{"ppc"}, r.model.asked()); diff != "" {
		t.Errorf("asked again (-want +got):\n%s", diff)
	}
	done := r.db.Now(job)
	if content := result(t, done).Campaign.Content; content.SMS == nil || content.PPC == nil || done.Usage.InputTokens != 40 {
		t.Errorf("usage %+v, content %+v", done.Usage, content)
	}
}

func TestAnAttemptHasItsTime(t *testing.T) {
	short := func(c *worker.Config) { c.Settings.JobTimeout = 50 * time.Millisecond }
	for name, test := range map[string]struct {
		change func(*fanfare.NewJob)
		status fanfare.JobStatus
		code   string
	}{
		"more attempts": {func(*fanfare.NewJob) {}, fanfare.JobRetrying, ""},
		"the last":      {lastAttempt, fanfare.JobFailed, fanfare.CodeAITimeout},
	} {
		r := newRig(t, short)
		r.model.hold("sms", true)
		job := r.submit(test.change)
		if status := await.Value(t, "the attempt's end", r.begin(job)); status != test.status {
			t.Errorf("%s: the job is %s, want %s", name, status, test.status)
		}
		if e := r.db.Now(job).Error; (e == nil) != (test.code == "") || e != nil && e.Code != test.code {
			t.Errorf("%s: error %+v, want %q", name, e, test.code)
		}
	}
}

func TestAJobEndsAtItsDeadline(t *testing.T) {
	r := newRig(t)
	r.model.hold("sms", true)
	job := r.submit()
	r.db.Exec(`UPDATE jobs SET deadline = now() + interval '300 milliseconds' WHERE id = $1`, job.ID)
	if status := await.Value(t, "the attempt's end", r.begin(job)); status != fanfare.JobExpired {
		t.Errorf("the job is %s", status)
	}
	want := fanfare.ExpiredError()
	if diff := cmp.Diff(&want, r.db.Now(job).Error); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAJobWithoutItsCampaignFails: there is nothing to write for.
func TestAJobWithoutItsCampaignFails(t *testing.T) {
	r := newRig(t)
	job := r.submit()
	if err := r.db.DeleteCampaign(t.Context(), job.UserID, *job.CampaignID); err != nil {
		t.Fatal(err)
	}
	if status := r.handle(job); status != fanfare.JobFailed || len(r.model.asked()) != 0 {
		t.Errorf("the job is %s", status)
	}
}

func TestAnUnknownKindIsAnError(t *testing.T) {
	r := newRig(t)
	job := r.db.Queued(func(job *fanfare.NewJob) { job.Kind = "campaign.paint" })
	if _, err := r.worker.Handle(t.Context(), job.Kind, job.ID); err == nil || !strings.Contains(err.Error(), "campaign.paint") {
		t.Errorf("Handle: %v", err)
	}
	if now := r.db.Now(job); now.Status != fanfare.JobQueued {
		t.Errorf("the job is %s; a newer worker could do it", now.Status)
	}
	if status := r.handle(fanfare.Job{ID: teststore.NewLease(job).Token, Kind: "campaign.generate"}); status != "" {
		t.Errorf("a job that is not there is %s", status)
	}
}
