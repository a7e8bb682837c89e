package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
)

func TestRepeatedRequests(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	failed, _ := submit(t, ada)
	a.End(t, failed, fanfare.JobFailed)
	for _, c := range []struct {
		line, body, other string
		rows              string
	}{
		{"POST /api/campaign", `{"prompt": "Sell tea"}`, `{"prompt": "Sell coffee"}`, `SELECT count(*) FROM campaigns`},
		{"POST /api/keys", `{"name": "k"}`, `{"name": "l"}`, `SELECT count(*) FROM api_keys`},
		{"POST /api/jobs/" + failed + "/retry", ``, `{}`, `SELECT count(*) FROM jobs`},
	} {
		t.Run(c.line, func(t *testing.T) {
			before := a.Count(t, c.rows)
			keyed := ada.With("Idempotency-Key: the key")
			first := keyed.Do(t, c.line, c.body)
			if first.Status >= 300 || first.Header.Get("Idempotent-Replayed") != "" {
				t.Fatalf("first: %d %s %v", first.Status, first.Body, first.Header)
			}
			again := keyed.Do(t, c.line+"?x=1", c.body).Want(t, first.Status)
			header(t, again, "Idempotent-Replayed", "true")
			header(t, again, "Location", first.Header.Get("Location"))
			for _, id := range []string{"id", "job.id", "campaign.id", "conversationId", "name", "job.kind", "job.createdAt", "createdAt"} {
				if again.At(id) != first.At(id) {
					t.Errorf("%s: %v, then %v", id, first.At(id), again.At(id))
				}
			}
			if again.At("key") != nil {
				t.Errorf("a secret is shown again: %s", again.Body)
			}
			mismatch := keyed.Do(t, c.line, c.other).WantError(t, http.StatusUnprocessableEntity, "idempotency_mismatch")
			header(t, mismatch, "Idempotent-Replayed", "")
			if made := a.Count(t, c.rows) - before; made != 1 {
				t.Errorf("%d were made, want 1", made)
			}
		})
	}
	other := bob.With("Idempotency-Key: the key").Do(t, "POST /api/keys", `{"name": "other"}`).Want(t, http.StatusCreated)
	header(t, other, "Idempotent-Replayed", "")
	longest := ada.With("Idempotency-Key: "+strings.Repeat("ä", 255)).Do(t, "POST /api/keys", `{"name": "k"}`).Want(t, http.StatusCreated)
	header(t, longest, "Idempotent-Replayed", "")
	ada.With("Idempotency-Key: "+strings.Repeat("ä", 256)).Do(t, "POST /api/keys", `{"name": "k"}`).WantError(t, http.StatusBadRequest, "invalid_request")
	a.Exec(t, `UPDATE idempotency_keys SET created_at = now() - interval '25 hours'`)
	late := ada.With("Idempotency-Key: the key").Do(t, "POST /api/keys", `{"name": "k"}`).Want(t, http.StatusCreated)
	header(t, late, "Idempotent-Replayed", "")
}

func TestRefusalsAreNotKept(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com").With("Idempotency-Key: k")
	job, _ := submit(t, ada.With("Idempotency-Key: other"))
	ada.Do(t, "POST /api/campaign", `{"prompt": ""}`).WantError(t, http.StatusBadRequest, "invalid_request")
	ada.Do(t, "POST /api/campaign", `{"prompt": "tea", "conversationId": "none"}`).WantError(t, http.StatusNotFound, "not_found")
	ada.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusAccepted)
	retry := "POST /api/jobs/" + job + "/retry"
	ada.Do(t, retry, nil).WantError(t, http.StatusConflict, "not_retryable")
	a.End(t, job, fanfare.JobFailed)
	answer := ada.Do(t, retry, nil).Want(t, http.StatusAccepted)
	header(t, answer, "Idempotent-Replayed", "")
}

// slow is a store in which the first submission waits for the test.
type slow struct {
	api.Store
	entered, leave chan struct{}
}

func (s slow) Submit(ctx context.Context, job fanfare.NewJob) (fanfare.Job, error) {
	s.entered <- struct{}{}
	<-s.leave
	return s.Store.Submit(ctx, job)
}

func TestARepeatWhileTheFirstRuns(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Store = slow{d.Store, entered, leave} }
	})
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	keyed := ada.With("Idempotency-Key: k")
	first := make(chan *apitest.Answer)
	go func() { first <- keyed.Do(t, "POST /api/campaign", `{"prompt": "tea"}`) }()
	<-entered
	keyed.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).WantError(t, http.StatusConflict, "idempotency_in_flight")
	bob.With("Idempotency-Key: k").Do(t, "POST /api/keys", `{"name": "k"}`).Want(t, http.StatusCreated)
	close(leave)
	accepted := (<-first).Want(t, http.StatusAccepted)
	again := keyed.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusAccepted)
	if again.Text("job.id") != accepted.Text("job.id") {
		t.Errorf("another job: %s", again.Body)
	}
}

func TestARepeatWaitsAgain(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com").With("Idempotency-Key: k", "Prefer: wait=0")
	first := ada.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusAccepted)
	job := first.Text("job.id")
	claimed := a.Claim(t, job)
	second := ada.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusAccepted)
	header(t, second, "Idempotent-Replayed", "true")
	if second.Text("job.status") != "running" || second.Text("job.id") != job {
		t.Errorf("the job as it stands: %s", second.Body)
	}
	stored := ada.With("Prefer: respond-async").Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusAccepted)
	if stored.Text("job.status") != "queued" {
		t.Errorf("what is stored: %s", stored.Body)
	}
	a.Finish(t, claimed, fanfare.JobSucceeded)
	third := ada.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusOK)
	header(t, third, "Idempotent-Replayed", "true")
	header(t, third, "Preference-Applied", "wait")
	if third.Text("campaign.id") != first.Text("campaign.id") || third.At("job") != nil {
		t.Errorf("the result: %s", third.Body)
	}
}
