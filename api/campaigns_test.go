package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/apitest"
)

// next is the path in a Link header, "" without one.
func next(answer *apitest.Answer) string {
	path, found := strings.CutSuffix(answer.Header.Get("Link"), `>; rel="next"`)
	if !found {
		return ""
	}
	return strings.TrimPrefix(path, "<")
}

// pages follows the links of a list and returns the ids of each page.
func pages(t *testing.T, client *apitest.Client, path string) (all [][]string) {
	t.Helper()
	for path != "" {
		answer := client.Do(t, "GET "+path, nil).Want(t, http.StatusOK)
		var ids []string
		for i := 0; answer.At(fmt.Sprint(i)) != nil; i++ {
			ids = append(ids, answer.Text(fmt.Sprintf("%d.id", i)))
		}
		all, path = append(all, ids), next(answer)
	}
	return all
}

func TestLists(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	var jobs, campaigns []string
	for range 5 {
		job, campaign := submit(t, ada)
		jobs, campaigns = append([]string{job}, jobs...), append([]string{campaign}, campaigns...)
	}
	submit(t, a.User(t, "bob@example.com"))
	// The same instant, to be told apart by id.
	a.Exec(t, `UPDATE campaigns SET created_at = '2026-01-01'`)
	a.End(t, jobs[2], fanfare.JobSucceeded)
	for _, c := range []struct {
		path string
		want [][]string
	}{
		{"/api/campaign", [][]string{campaigns}},
		{"/api/campaign?limit=2", [][]string{campaigns[:2], campaigns[2:4], campaigns[4:]}},
		{"/api/campaign?limit=5", [][]string{campaigns}},
		{"/api/campaign?status=ready", [][]string{campaigns[2:3]}},
		{"/api/campaign?status=generating&limit=3", [][]string{{campaigns[0], campaigns[1], campaigns[3]}, campaigns[4:]}},
		{"/api/campaign?status=failed", [][]string{nil}},
		{"/api/jobs?limit=4", [][]string{jobs[:4], jobs[4:]}},
		{"/api/jobs?status=queued&kind=campaign.generate&limit=2", [][]string{{jobs[0], jobs[1]}, {jobs[3], jobs[4]}}},
		{"/api/jobs?campaignId=" + campaigns[1], [][]string{{jobs[1]}}},
		{"/api/jobs?status=succeeded", [][]string{{jobs[2]}}},
	} {
		if diff := cmp.Diff(c.want, pages(t, ada, c.path)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.path, diff)
		}
	}
	for range 20 {
		ada.Do(t, "POST /api/keys", `{"name": "k"}`).Want(t, http.StatusCreated)
	}
	if got := pages(t, ada, "/api/keys"); len(got) != 2 || len(got[0]) != 20 || len(got[1]) != 1 {
		t.Errorf("pages of keys: %v, want 20 and 1", got)
	}
	link := ada.Do(t, "GET /api/jobs?status=queued&limit=1", nil).Header.Get("Link")
	if !strings.Contains(link, "status=queued") || !strings.Contains(link, "limit=1&") {
		t.Errorf("the link %s does not keep the filter", link)
	}
}

func TestPatch(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	job, id := submit(t, ada)
	line := "PATCH /api/campaign/" + id
	ada.Do(t, line, `{"goal": "Sell coffee"}`).WantError(t, http.StatusConflict, "campaign_busy")
	a.End(t, job, fanfare.JobSucceeded)
	run(t, ada, []scenario{
		{name: "goal", line: line, body: `{"goal": "Sell coffee"}`, status: 200, want: `"goal":"Sell coffee"`},
		{name: "as a merge patch", line: line, body: `{"goal": "Sell cocoa"}`, headers: []string{"Content-Type: application/merge-patch+json"}, status: 200, want: `"goal":"Sell cocoa"`},
		{name: "nothing", line: line, body: `{}`, status: 200, want: `"goal":"Sell cocoa"`},
		{name: "channels", line: line, body: `{"channels": ["sms", "email", "sms"]}`, status: 200, want: `"channels":["sms","email"]`},
		{name: "content", line: line, body: `{"content": {"sms": {"text": "Tea"}, "social": {"post": "Tea!", "hashtags": ["#tea"]}}}`, status: 200, want: `"sms":{"text":"Tea"}`},
		{name: "one part of it", line: line, body: `{"content": {"social": {"post": "More tea"}}}`, status: 200, want: `"social":{"post":"More tea","hashtags":["#tea"]},"sms":{"text":"Tea"}`},
		{name: "away with a part", line: line, body: `{"content": {"social": null}}`, status: 200, want: `"content":{"sms":{"text":"Tea"}}`},
		{name: "HTML is cleaned", line: line, body: `{"content": {"email": {"subject": "Tea", "preview": "Tea", "body": "<p onclick=x()>Tea<script>alert(1)</script><img src=x></p>"}}}`, status: 200, want: `"body":"<p>Tea</p>"`},
		{name: "budget", line: line, body: `{"budget": 1234.50}`, status: 200, want: `"budget":1234.5`},
		{name: "budget with an exponent", line: line, body: `{"budget": 1e3}`, status: 200, want: `"budget":1000`},
		{name: "largest budget", line: line, body: `{"budget": 999999999}`, status: 200, want: `"budget":999999999`},
		{name: "no budget", line: line, body: `{"budget": null}`, status: 200, want: `"budget":null`},
		{name: "audience", line: line, body: `{"audience": {"age": "18-30", "recipients": {"email": ["a@example.com"]}}}`, status: 200, want: `"age":"18-30"`},
		{name: "audience merged", line: line, body: `{"audience": {"age": null, "region": "EU"}}`, status: 200, want: `"region":"EU"`},
		{name: "no audience", line: line, body: `{"audience": null}`, status: 200, want: `"audience":{}`},
		{name: "read-only", line: line, body: `{"id": "1", "status": "launched", "metrics": 5, "createdAt": 1, "colour": "green", "launchedAt": "x"}`, status: 200, want: `"status":"ready"`},

		{name: "no goal", line: line, body: `{"goal": null}`, status: 400, code: "invalid_request", want: `"field":"goal","message":"must have 1 to 2000 characters"`},
		{name: "long goal", line: line, body: `{"goal": "` + strings.Repeat("a", 2001) + `"}`, status: 400, code: "invalid_request", want: `"field":"goal"`},
		{name: "goal no text", line: line, body: `{"goal": 5}`, status: 400, code: "invalid_request", want: `{"field":"goal","message":"can't be a number"}`},
		{name: "no channels", line: line, body: `{"channels": []}`, status: 400, code: "invalid_request", want: `"field":"channels"`},
		{name: "null channels", line: line, body: `{"channels": null}`, status: 400, code: "invalid_request", want: `"field":"channels"`},
		{name: "unknown channel", line: line, body: `{"channels": ["fax"]}`, status: 400, code: "invalid_request", want: "email, social, ppc, sms"},
		{name: "channels no list", line: line, body: `{"channels": "sms"}`, status: 400, code: "invalid_request", want: `{"field":"channels","message":"can't be a string"}`},
		{name: "part of content", line: line, body: `{"content": {"email": {"subject": 5}}}`, status: 400, code: "invalid_request", want: `{"field":"content.email.subject","message":"can't be a number"}`},
		{name: "large content", line: line, body: `{"content": {"sms": {"text": "` + strings.Repeat("a", 300_000) + `"}}}`, status: 400, code: "invalid_request", want: `"field":"content"`},
		{name: "budget no number", line: line, body: `{"budget": "much"}`, status: 400, code: "invalid_request", want: `"field":"budget"`},
		{name: "negative budget", line: line, body: `{"budget": -1}`, status: 400, code: "invalid_request", want: `"field":"budget"`},
		{name: "budget of three decimals", line: line, body: `{"budget": 0.005}`, status: 400, code: "invalid_request", want: `"field":"budget"`},
		{name: "large budget", line: line, body: `{"budget": 1000000000}`, status: 400, code: "invalid_request", want: `"field":"budget"`},
		{name: "very large budget", line: line, body: `{"budget": 1e300}`, status: 400, code: "invalid_request", want: `"field":"budget"`},
		{name: "audience a list", line: line, body: `{"audience": []}`, status: 400, code: "invalid_request", want: `"field":"audience"`},
		{name: "large audience", line: line, body: `{"audience": {"x": "` + strings.Repeat("a", 64<<10) + `"}}`, status: 400, code: "invalid_request", want: `"field":"audience"`},
		{name: "a list", line: line, body: `[]`, status: 400, code: "invalid_request", want: `"field":"body"`},
		{name: "null", line: line, body: `null`, status: 400, code: "invalid_request", want: `"field":"body"`},
		{name: "no body", line: line, status: 400, code: "invalid_request", want: `"field":"body"`},
		{name: "text", line: line, body: `{}`, headers: []string{"Content-Type: text/plain"}, status: 415, code: "unsupported_media_type"},
		{name: "unknown campaign", line: "PATCH /api/campaign/01a204f5-ed6d-77fe-bfbc-ed33a961c0ee", body: `{}`, status: 404, code: "not_found"},
	})
	after := ada.Do(t, "GET /api/campaign/"+id, nil).Want(t, http.StatusOK)
	if after.Text("goal") != "Sell cocoa" || after.Text("content.sms.text") != "Tea" || after.Text("updatedAt") <= after.Text("createdAt") {
		t.Errorf("after all that: %s", after.Body)
	}
	a.Exec(t, `UPDATE campaigns SET status = 'launching'`)
	ada.Do(t, line, `{"goal": "Sell coffee"}`).WantError(t, http.StatusConflict, "campaign_busy")
}

// A campaign whose channels are not known yet can be edited all the same.
func TestPatchOfADraft(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	job, id := submit(t, ada)
	ada.Do(t, "POST /api/jobs/"+job+"/cancel", nil).Want(t, http.StatusOK)
	answer := ada.Do(t, "PATCH /api/campaign/"+id, `{"goal": "Sell coffee"}`).Want(t, http.StatusOK)
	if answer.Text("status") != "draft" || answer.Text("goal") != "Sell coffee" {
		t.Errorf("%s", answer.Body)
	}
}

func TestDelete(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	queued, first := submit(t, ada)
	running, second := submit(t, ada)
	claimed := a.Claim(t, running)
	over, third := submit(t, ada)
	a.End(t, over, fanfare.JobSucceeded)
	for _, id := range []string{first, second, third} {
		ada.Do(t, "DELETE /api/campaign/"+id, nil).Want(t, http.StatusNoContent)
		for _, line := range []string{"GET", "DELETE"} {
			ada.Do(t, line+" /api/campaign/"+id, nil).WantError(t, http.StatusNotFound, "not_found")
		}
	}
	a.Finish(t, claimed, fanfare.JobRetrying) // a worker that noticed in time, or did not
	for job, want := range map[string]string{queued: "canceled", running: "canceled", over: "succeeded"} {
		if answer := ada.Do(t, "GET /api/jobs/"+job, nil).Want(t, http.StatusOK); answer.Text("status") != want {
			t.Errorf("%s, want it %s", answer.Body, want)
		}
	}
	ada.Do(t, "POST /api/jobs/"+queued+"/retry", nil).WantError(t, http.StatusConflict, "not_retryable")
}

// Whoever waits for a job hears of its end, also when its campaign is gone.
func TestDeleteWhileSomebodyWaits(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	answered := make(chan *apitest.Answer)
	go func() {
		answered <- ada.With("Prefer: wait=25").Do(t, "POST /api/campaign", `{"prompt": "Sell tea"}`)
	}()
	var campaign string
	for campaign == "" {
		campaign = ada.Do(t, "GET /api/campaign", nil).Text("0.id")
	}
	ada.Do(t, "DELETE /api/campaign/"+campaign, nil).Want(t, http.StatusNoContent)
	answer := (<-answered).Want(t, http.StatusAccepted)
	if answer.Text("job.status") != "canceled" || answer.Text("campaign.id") != campaign {
		t.Errorf("%s", answer.Body)
	}
}
