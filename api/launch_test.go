package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"fanfare"
	"fanfare/internal/apitest"
)

// launchable makes a campaign that was generated, with content for email.
func launchable(t *testing.T, a *apitest.App, client *apitest.Client) (campaign string) {
	t.Helper()
	campaign = ready(t, a, client)
	body := "<p>" + strings.Repeat("tea ", fanfare.EmailBodyMinWords) + "</p>"
	client.Do(t, "PATCH /api/campaign/"+campaign, object{
		"channels": []string{"email"}, "content": object{"email": object{"subject": "Tea", "preview": "Here", "body": body}},
	}).Want(t, http.StatusOK)
	return campaign
}

func connectSMTP(t *testing.T, client *apitest.Client) (integration string) {
	t.Helper()
	return client.Do(t, "POST /api/integrations", object{"name": "SMTP", "type": "email", "credentials": object{"host": "mail.example"}}).
		Want(t, http.StatusCreated).Text("id")
}

func TestSubmitLaunch(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	campaign := launchable(t, a, ada)
	keyed := ada.With("Idempotency-Key: k")
	answer := keyed.Do(t, "POST /api/campaign/launch", object{"campaignId": campaign}).Want(t, http.StatusAccepted)
	same(t, "fields", answer.Keys(""), []string{"job", "campaign"})
	id := answer.Text("job.id")
	header(t, answer, "Location", "/api/jobs/"+id)
	if answer.Text("job.kind") != "campaign.launch" || answer.Text("job.campaignId") != campaign || answer.Text("campaign.status") != "launching" {
		t.Errorf("%s", answer.Body)
	}
	replay := keyed.Do(t, "POST /api/campaign/launch", object{"campaignId": campaign}).Want(t, http.StatusAccepted)
	header(t, replay, "Idempotent-Replayed", "true")
	if replay.Text("job.id") != id || a.Count(t, `SELECT count(*) FROM launches`) != 1 {
		t.Error("a repeat launched again")
	}
	ada.Do(t, "POST /api/campaign/launch", object{"campaignId": campaign}).WantError(t, http.StatusConflict, "launch_in_progress")
	ada.Do(t, "PATCH /api/campaign/"+campaign, `{"goal": "x"}`).WantError(t, http.StatusConflict, "campaign_busy")
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'campaign.launch.submit' AND status = 'failure' AND user_id = $1`, ada.UserID); n != 1 {
		t.Errorf("%d refused launches in the audit", n)
	}
	ada.Do(t, "DELETE /api/campaign/"+campaign, nil).Want(t, http.StatusNoContent)
	if status := ada.Do(t, "GET /api/jobs/"+id, nil).Text("status"); status != "canceled" {
		t.Errorf("the launch of a deleted campaign is %s", status)
	}
}

func TestLaunchesThatAreRefused(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	campaign, integration := launchable(t, a, ada), connectSMTP(t, ada)
	_, generating := submit(t, ada)
	job, empty := submit(t, ada)
	a.End(t, job, fanfare.JobFailed)
	foreign := connectSMTP(t, bob)
	line := "POST /api/campaign/launch"
	run(t, ada, []scenario{
		{name: "no campaign", line: line, body: `{}`, status: 400, code: "invalid_request"},
		{name: "another's integration", line: line, body: `{"campaignId": "` + campaign + `", "integrations": {"email": "` + foreign + `"}}`, status: 400, code: "invalid_request"},
		{name: "an integration of another type", line: line, body: `{"campaignId": "` + campaign + `", "integrations": {"sms": "` + integration + `"}}`, status: 400, code: "invalid_request"},
		{name: "no such channel", line: line, body: `{"campaignId": "` + campaign + `", "channels": ["fax"]}`, status: 400, code: "invalid_request"},
		{name: "no such campaign", line: line, body: `{"campaignId": "` + job + `"}`, status: 404, code: "not_found"},
		{name: "no id at all", line: line, body: `{"campaignId": "x"}`, status: 404, code: "not_found"},
		{name: "still being written", line: line, body: `{"campaignId": "` + generating + `"}`, status: 409, code: "not_ready"},
		{name: "nothing was written", line: line, body: `{"campaignId": "` + empty + `"}`, status: 409, code: "not_ready"},
	})
	run(t, bob, []scenario{
		{name: "another's campaign", line: line, body: `{"campaignId": "` + campaign + `"}`, status: 404, code: "not_found"},
	})
	if n := a.Count(t, `SELECT count(*) FROM launches`); n != 0 {
		t.Errorf("%d launches were stored", n)
	}
	ada.Do(t, line, object{"campaignId": strings.ToUpper(campaign), "integrations": object{"email": integration}, "channels": []string{"email", "email"}}).
		Want(t, http.StatusAccepted)
}

// TestRetryALaunch: what failed is sent again, and what may have been sent only
// if a person says so.
func TestRetryALaunch(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	campaign := launchable(t, a, ada)
	job := ada.Do(t, "POST /api/campaign/launch", object{"campaignId": campaign}).Want(t, http.StatusAccepted).Text("job.id")
	a.End(t, job, fanfare.JobSucceeded)
	a.Exec(t, `UPDATE jobs SET result = '{"launchResults": [{"status": "sent", "failed": 0, "unknown": 1}]}' WHERE id = $1`, job)
	a.Exec(t, `INSERT INTO deliveries (launch_id, campaign_id, user_id, channel, recipient, status)
		SELECT id, campaign_id, user_id, 'email', s || '@x.example', s FROM launches, unnest(ARRAY['sent', 'unknown']) AS s`)
	line := "POST /api/jobs/" + job + "/retry"
	ada.Do(t, line, nil).WantError(t, http.StatusConflict, "not_retryable")
	again := ada.Do(t, line, `{"resendUnknown": true}`).Want(t, http.StatusAccepted)
	if again.Text("job.retryOf") != job {
		t.Errorf("%s", again.Body)
	}
	if n := a.Count(t, `SELECT count(*) FROM jobs WHERE payload @> '{"reopen": true, "resendUnknown": true}'`); n != 1 {
		t.Errorf("%d jobs are to send unknown messages again", n)
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'delivery.resend' AND user_id = $1`, ada.UserID); n != 1 {
		t.Errorf("the audit tells %d times that somebody sends unknown messages again", n)
	}
}

func TestTestSend(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	campaign := launchable(t, a, ada)
	line := "POST /api/campaign/" + campaign + "/test-send"
	send := func(t *testing.T, channel, to string, success bool, reason string) {
		t.Helper()
		answer := ada.Do(t, line, object{"channel": channel, "to": to}).Want(t, http.StatusOK)
		if answer.At("success") != success || !strings.Contains(answer.Body, reason) {
			t.Errorf("%s, want success %t, %q", answer.Body, success, reason)
		}
	}
	send(t, "email", "Me@Example.com", false, "No integration serves email")
	connectSMTP(t, ada)
	send(t, "email", "Me@Example.com", true, "")
	if sent := a.Providers.Sent(); len(sent) != 1 || sent[0].Recipient != "me@example.com" || !sent[0].Test || sent[0].UnsubscribeURL == "" {
		t.Errorf("sent %+v", sent)
	}
	send(t, "sms", "+15551234567", false, "no content for sms")
	a.Providers.Answer(func(context.Context, fanfare.Credentials) error {
		return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "535."}
	})
	send(t, "email", "me@example.com", false, "do not work. 535.")
	a.Exec(t, `INSERT INTO suppressions (user_id, channel, address, reason) VALUES ($1, 'email', 'me@example.com', 'x')`, ada.UserID)
	send(t, "email", "me@example.com", false, "unsubscribed")
	run(t, ada, []scenario{
		{name: "no address", line: line, body: `{"channel": "email", "to": "me"}`, status: 400, code: "invalid_request"},
		{name: "a channel without recipients", line: line, body: `{"channel": "social", "to": "me"}`, status: 400, code: "invalid_request"},
	})
	if n := a.Count(t, `SELECT count(*) FROM deliveries`); n != 0 {
		t.Errorf("%d deliveries were kept", n)
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'campaign.test_send' AND metadata::text LIKE '%example.com%'`); n != 0 {
		t.Error("the audit holds an address")
	}
}

func TestWaitingForALaunch(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	waiting := ada.With("Prefer: wait=0", "Idempotency-Key: k")
	body := `{"campaignId": "` + launchable(t, a, ada) + `"}`
	job := waiting.Do(t, "POST /api/campaign/launch", body).Want(t, http.StatusAccepted).Text("job.id")
	a.End(t, job, fanfare.JobSucceeded)
	same(t, "fields", waiting.Do(t, "POST /api/campaign/launch", body).Want(t, http.StatusOK).Keys(""),
		[]string{"campaign", "launchResults", "successCount", "totalChannels"})
}
