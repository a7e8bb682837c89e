package api_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
)

func TestJob(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, campaign := submit(t, ada)
	job := ada.Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
	same(t, "fields", job.Keys(""), []string{
		"id", "object", "kind", "status", "done", "campaignId", "progress", "usage", "attempt", "maxAttempts", "cancelRequested", "createdAt",
		"startedAt", "finishedAt", "deadline", "nextAttemptAt", "result", "error", "retryOf", "urls",
	})
	same(t, "progress", job.Keys("progress"), []string{"step", "completed", "total"})
	same(t, "usage", job.Keys("usage"), []string{"inputTokens", "outputTokens", "costUsd"})
	same(t, "urls", job.Keys("urls"), []string{"self", "events", "cancel"})
	for path, want := range map[string]any{
		"id": id, "object": "job", "kind": "campaign.generate", "status": "queued", "done": false, "campaignId": campaign,
		"attempt": 0.0, "maxAttempts": 5.0, "result": nil, "error": nil, "retryOf": nil, "startedAt": nil,
		"urls.self": "/api/jobs/" + id, "urls.events": "/api/jobs/" + id + "/events", "urls.cancel": "/api/jobs/" + id + "/cancel",
	} {
		if got := job.At(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	header(t, job, "Retry-After", "1")
	created, _ := time.Parse(time.RFC3339, job.Text("createdAt"))
	deadline, _ := time.Parse(time.RFC3339, job.Text("deadline"))
	if deadline.Sub(created) != 15*time.Minute || !strings.HasSuffix(job.Text("createdAt"), "Z") {
		t.Errorf("created %s, deadline %s", created, deadline)
	}

	claimed := a.Claim(t, id)
	running := ada.Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
	if running.Text("status") != "running" || running.At("attempt") != 1.0 || running.Text("startedAt") == "" {
		t.Errorf("running: %s", running.Body)
	}
	a.Finish(t, claimed, fanfare.JobFailed)
	failed := ada.Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
	same(t, "error", failed.Keys("error"), []string{"code", "message", "retryable"})
	if failed.At("done") != true || failed.At("result") != nil || failed.Text("error.code") != "ai_unavailable" || failed.Text("finishedAt") == "" {
		t.Errorf("failed: %s", failed.Body)
	}
	header(t, failed, "Retry-After", "")
}

func TestETag(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, _ := submit(t, ada)
	line := "GET /api/jobs/" + id
	seen := map[string]bool{}
	look := func(what string) {
		t.Helper()
		etag := ada.Do(t, line, nil).Want(t, http.StatusOK).Header.Get("ETag")
		if !strings.HasPrefix(etag, `"`) || seen[etag] {
			t.Errorf("%s: ETag %s, after %v", what, etag, seen)
		}
		seen[etag] = true
		for _, known := range []string{etag, "W/" + etag, `"x", ` + etag, "*"} {
			answer := ada.With("If-None-Match: "+known).Do(t, line, nil).Want(t, http.StatusNotModified)
			if answer.Body != "" || answer.Header.Get("ETag") != etag {
				t.Errorf("%s: 304 with %q, ETag %s", what, answer.Body, answer.Header.Get("ETag"))
			}
		}
		ada.With(`If-None-Match: "x"`).Do(t, line, nil).Want(t, http.StatusOK)
	}
	look("queued")
	claimed := a.Claim(t, id)
	look("running")
	ada.Do(t, "POST /api/jobs/"+id+"/cancel", nil).Want(t, http.StatusOK)
	look("asked to stop")
	a.Finish(t, claimed, fanfare.JobCanceled)
	look("canceled")
}

// byStatus makes a job of each status.
func byStatus(t *testing.T, a *apitest.App, client *apitest.Client) map[fanfare.JobStatus]string {
	t.Helper()
	ids := map[fanfare.JobStatus]string{}
	for _, status := range fanfare.JobStatuses() {
		id, _ := submit(t, client)
		ids[status] = id
		switch status {
		case fanfare.JobQueued:
		case fanfare.JobScheduled:
			a.Exec(t, `UPDATE jobs SET status = 'scheduled' WHERE id = $1`, id)
		case fanfare.JobRunning:
			a.Claim(t, id)
		default:
			a.End(t, id, status)
		}
	}
	return ids
}

func TestCancelInEachStatus(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	for status, id := range byStatus(t, a, ada) {
		t.Run(string(status), func(t *testing.T) {
			for range 2 {
				answer := ada.Do(t, "POST /api/jobs/"+id+"/cancel", nil).Want(t, http.StatusOK)
				same(t, "fields", answer.Keys(""), []string{"job"})
				want := status
				if status.Waiting() {
					want = fanfare.JobCanceled
				}
				if answer.Text("job.status") != string(want) || answer.At("job.cancelRequested") != (!status.Done()) {
					t.Errorf("%s", answer.Body)
				}
			}
		})
	}
}

func TestRetryInEachStatus(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	for status, id := range byStatus(t, a, ada) {
		t.Run(string(status), func(t *testing.T) {
			answer := ada.Do(t, "POST /api/jobs/"+id+"/retry", nil)
			if !status.Retryable() {
				answer.WantError(t, http.StatusConflict, "not_retryable")
				return
			}
			answer.Want(t, http.StatusAccepted)
			again := answer.Text("job.id")
			header(t, answer, "Location", "/api/jobs/"+again)
			if answer.Text("job.retryOf") != id || answer.Text("job.status") != "queued" || answer.Header.Get("Retry-After") == "" {
				t.Errorf("%s", answer.Body)
			}
			ada.Do(t, "POST /api/jobs/"+id+"/retry", nil).WantError(t, http.StatusConflict, "not_retryable")
			campaign := ada.Do(t, "GET /api/campaign/"+answer.Text("job.campaignId"), nil)
			if campaign.Text("status") != "generating" {
				t.Errorf("while it is tried again the campaign is %s", campaign.Text("status"))
			}
		})
	}
}

func TestWaiting(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	t.Run("POST until it is done", func(t *testing.T) {
		answered := make(chan *apitest.Answer)
		go func() {
			answered <- ada.With("Prefer: respond-async, wait=25").Do(t, "POST /api/campaign", `{"prompt": "Sell tea"}`)
		}()
		var id string
		for id == "" {
			id = ada.Do(t, "GET /api/jobs?status=queued", nil).Text("0.id")
		}
		a.End(t, id, fanfare.JobSucceeded)
		answer := (<-answered).Want(t, http.StatusOK)
		same(t, "fields", answer.Keys(""), []string{"campaign", "conversationId"})
		header(t, answer, "Preference-Applied", "wait")
		header(t, answer, "Location", "/api/jobs/"+id)
		header(t, answer, "Retry-After", "")
	})
	t.Run("POST of a job that fails", func(t *testing.T) {
		answered := make(chan *apitest.Answer)
		go func() {
			answered <- ada.With("Prefer: wait=25").Do(t, "POST /api/campaign", `{"prompt": "Sell tea"}`)
		}()
		var id string
		for id == "" {
			id = ada.Do(t, "GET /api/jobs?status=queued", nil).Text("0.id")
		}
		a.End(t, id, fanfare.JobFailed)
		answer := (<-answered).Want(t, http.StatusAccepted)
		same(t, "fields", answer.Keys(""), []string{"job", "campaign", "conversationId"})
		if answer.Text("job.status") != "failed" || answer.Text("campaign.status") != "failed" {
			t.Errorf("%s", answer.Body)
		}
	})
	id, _ := submit(t, ada)
	t.Run("POST for a second", func(t *testing.T) {
		started := time.Now()
		answer := ada.With("Prefer: wait=1").Do(t, "POST /api/campaign", `{"prompt": "Sell tea"}`).Want(t, http.StatusAccepted)
		if took := time.Since(started); took < time.Second || answer.Text("job.status") != "queued" || answer.Header.Get("Retry-After") == "" {
			t.Errorf("after %s: %s", took, answer.Body)
		}
	})
	t.Run("GET for a second", func(t *testing.T) {
		started := time.Now()
		answer := ada.With(`Prefer: wait="1"; x=y`).Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
		header(t, answer, "Preference-Applied", "wait")
		if took := time.Since(started); took < time.Second || answer.At("done") != false {
			t.Errorf("after %s: %s", took, answer.Body)
		}
	})
	for _, prefer := range []string{"wait=-1", "wait=soon", "wait", "return=minimal", "waiting=5"} {
		answer := ada.With("Prefer: "+prefer).Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
		header(t, answer, "Preference-Applied", "")
	}
	t.Run("GET until it is done", func(t *testing.T) {
		answered := make(chan *apitest.Answer)
		go func() {
			answered <- ada.With("Prefer: wait=99999999999999999999").Do(t, "GET /api/jobs/"+id, nil)
		}()
		a.End(t, id, fanfare.JobSucceeded)
		if answer := (<-answered).Want(t, http.StatusOK); answer.At("done") != true || answer.At("result") == nil {
			t.Errorf("%s", answer.Body)
		}
		ada.With("Prefer: wait=25").Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
	})
	t.Run("until the process stops", func(t *testing.T) {
		id, _ := submit(t, ada)
		a.API.Drain()
		started := time.Now()
		answer := ada.With("Prefer: wait=25").Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
		if took := time.Since(started); answer.At("done") != false || took >= 25*time.Second {
			t.Errorf("after %s: %s", took, answer.Body)
		}
	})
}

// told is a hub whose signals the test gives.
type told struct {
	api.Hub
	signal chan struct{}
}

func (h told) Listen(string) (<-chan struct{}, func()) { return h.signal, func() {} }

// Whoever waits looks again at each signal, and not only now and then.
func TestWaitingListens(t *testing.T) {
	signal := make(chan struct{})
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Hub = told{d.Hub, signal} }
	})
	ada := a.User(t, "ada@example.com")
	id, _ := submit(t, ada)
	answered := make(chan *apitest.Answer)
	go func() { answered <- ada.With("Prefer: wait=5").Do(t, "GET /api/jobs/"+id, nil) }()
	for range 3 {
		select {
		case signal <- struct{}{}:
		case answer := <-answered:
			t.Fatalf("answered before it was told: %s", answer.Body)
		}
	}
	a.End(t, id, fanfare.JobSucceeded)
	if answer := (<-answered).Want(t, http.StatusOK); answer.At("done") != true {
		t.Errorf("%s", answer.Body)
	}
}

// Who looks at each job at the pace that the API advises stays below the limit.
func TestThePaceOfPolling(t *testing.T) {
	a := apitest.New(t, limits("", "", "", "12/2m"))
	ada := a.User(t, "ada@example.com")
	before := 0
	for unfinished := 1; unfinished <= 12; unfinished++ {
		answer := ada.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusAccepted)
		pace, err := strconv.Atoi(answer.Header.Get("Retry-After"))
		if err != nil || pace < before || float64(unfinished)/float64(pace) >= 0.1 {
			t.Errorf("%d jobs: Retry-After %q, that is %f looks a second of the 0.1 allowed", unfinished, answer.Header.Get("Retry-After"), float64(unfinished)/float64(pace))
		}
		before = pace
		header(t, ada.Do(t, "GET "+answer.Header.Get("Location"), nil).Want(t, http.StatusOK), "Retry-After", answer.Header.Get("Retry-After"))
	}
	if before < 120 {
		t.Errorf("12 jobs: every %d seconds", before)
	}
}

func TestResultsAreWhatWasStored(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, campaign := submit(t, ada)
	a.End(t, id, fanfare.JobSucceeded)
	var job struct {
		Result struct {
			Campaign       struct{ ID string }
			ConversationID string
		}
		Error *json.RawMessage
	}
	answer := ada.Do(t, "GET /api/jobs/"+id, nil).Want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(answer.Body), &job); err != nil || job.Result.Campaign.ID != campaign || job.Error != nil {
		t.Errorf("%s, %v", answer.Body, err)
	}
}
