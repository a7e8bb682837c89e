package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/apitest"
)

func schedulePath(campaign string) string { return "/api/campaign/" + campaign + "/schedule" }

// times are the texts of a list in the body.
func times(t *testing.T, answer *apitest.Answer, path string) (found []time.Time) {
	t.Helper()
	for i := 0; answer.At(fmt.Sprintf("%s.%d", path, i)) != nil; i++ {
		at, err := time.Parse(time.RFC3339, answer.Text(fmt.Sprintf("%s.%d", path, i)))
		if err != nil || at.Location() != time.UTC {
			t.Fatalf("%s: %v", answer.Body, err)
		}
		found = append(found, at)
	}
	return found
}

func TestSchedule(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	_, id := submit(t, ada)
	path := schedulePath(id)
	ada.Do(t, "GET "+path, nil).WantError(t, http.StatusNotFound, "not_found")
	ada.Do(t, "DELETE "+path, nil).WantError(t, http.StatusNotFound, "not_found")

	put := ada.Do(t, "PUT "+path, object{"cron": "30 9 * * *", "timezone": "Asia/Kolkata", "channels": []string{"sms", "email", "sms"}}).Want(t, http.StatusOK)
	runs := times(t, put, "nextRuns")
	if len(runs) != 5 || time.Until(runs[0]) <= 0 || time.Until(runs[0]) > 24*time.Hour {
		t.Fatalf("%s", put.Body)
	}
	for i, run := range runs {
		if want := runs[0].AddDate(0, 0, i); !run.Equal(want) || run.Format("15:04:05") != "04:00:00" {
			t.Errorf("run %d: %s, want %s", i, run, want)
		}
	}
	same(t, "fields", put.Keys(""), []string{"id", "campaignId", "cron", "runAt", "timezone", "channels", "misfire", "enabled", "reason",
		"nextRuns", "lastRun", "lastOccurrence", "createdAt", "updatedAt"})
	for field, want := range map[string]any{
		"campaignId": id, "cron": "30 9 * * *", "runAt": nil, "timezone": "Asia/Kolkata", "channels": []any{"sms", "email"},
		"misfire": "run_once", "enabled": true, "reason": nil, "lastRun": nil,
	} {
		if diff := cmp.Diff(want, put.At(field)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", field, diff)
		}
	}
	if got := ada.Do(t, "GET "+path, nil).Want(t, http.StatusOK); got.Body != put.Body {
		t.Errorf("GET %s, PUT %s", got.Body, put.Body)
	}
	for line, at := range map[string]string{"GET /api/campaign": "0.schedule", "GET /api/campaign/" + id: "schedule"} {
		if diff := cmp.Diff(put.At("nextRuns"), ada.Do(t, line, nil).At(at+".nextRuns")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
	// What was read may be put again.
	again := ada.Do(t, "PUT "+path, put.Body).Want(t, http.StatusOK)
	if again.Text("cron") != put.Text("cron") || again.Text("id") == put.Text("id") {
		t.Errorf("put again: %s", again.Body)
	}
	ada.Do(t, "DELETE "+path, nil).Want(t, http.StatusNoContent)
	ada.Do(t, "GET "+path, nil).WantError(t, http.StatusNotFound, "not_found")
	if got := ada.Do(t, "GET /api/campaign/"+id, nil); got.At("schedule") != nil {
		t.Errorf("the campaign still shows it: %s", got.Body)
	}
}

func TestScheduleOnce(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	_, id := submit(t, ada)
	year := time.Now().Year() + 1
	for given, want := range map[string]string{
		"%d-12-01T09:00":           "%d-12-01T08:00:00Z",
		"%d-12-01T09:00:30":        "%d-12-01T08:00:30Z",
		"%d-12-01T09:00:00-05:00":  "%d-12-01T14:00:00Z",
		"%d-12-01T09:00:00.25Z":    "%d-12-01T09:00:00Z",
		"%d-07-01T09:00:00.123456": "%d-07-01T07:00:00Z",
	} {
		given, want = fmt.Sprintf(given, year), fmt.Sprintf(want, year)
		answer := ada.Do(t, "PUT "+schedulePath(id), object{"runAt": given, "timezone": "Europe/Berlin", "misfire": "skip"}).Want(t, http.StatusOK)
		if answer.Text("runAt") != want || answer.Text("nextRuns.0") != want || answer.At("nextRuns.1") != nil || answer.Text("misfire") != "skip" {
			t.Errorf("%s: %s, want %s", given, answer.Body, want)
		}
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	_, id := submit(t, ada)
	line := "PUT " + schedulePath(id)
	refused := func(name, body, field string) scenario {
		return scenario{name: name, line: line, body: body, status: 400, code: "invalid_request", want: `"field":"` + field}
	}
	run(t, ada, []scenario{
		refused("neither", `{}`, "cron"),
		refused("neither, told twice", `{"cron": null, "runAt": null}`, "cron"),
		refused("both", `{"cron": "* * * * *", "runAt": "2999-01-01T00:00:00Z"}`, "cron"),
		refused("a nickname", `{"cron": "@daily"}`, "cron"),
		refused("an interval", `{"cron": "@every 1h"}`, "cron"),
		refused("seconds", `{"cron": "0 * * * * *"}`, "cron"),
		refused("no minute", `{"cron": "61 * * * *"}`, "cron"),
		refused("empty", `{"cron": ""}`, "cron"),
		refused("no text", `{"cron": 5}`, "cron"),
		refused("never", `{"cron": "0 0 30 2 *"}`, "cron"),
		refused("past", `{"runAt": "2020-01-01T00:00:00Z"}`, "runAt"),
		refused("past, by an offset", `{"runAt": "`+time.Now().Add(-time.Minute).In(time.FixedZone("", 14*3600)).Format(time.RFC3339)+`"}`, "runAt"),
		refused("no time", `{"runAt": "tomorrow"}`, "runAt"),
		refused("no zone", `{"cron": "* * * * *", "timezone": "Europe/Nowhere"}`, "timezone"),
		refused("the machine's zone", `{"cron": "* * * * *", "timezone": "Local"}`, "timezone"),
		refused("an empty zone", `{"runAt": "2999-01-01T00:00:00Z", "timezone": ""}`, "timezone"),
		refused("an unknown channel", `{"cron": "* * * * *", "channels": ["fax"]}`, "channels"),
		refused("an unknown misfire", `{"cron": "* * * * *", "misfire": "often"}`, "misfire"),
		{name: "unknown fields", line: line, body: `{"cron": "* * * * *", "colour": "green"}`, status: 200},
		{name: "no campaign", line: "PUT " + schedulePath("01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"), body: `{"cron": "* * * * *"}`, status: 404, code: "not_found"},
	})
	if got := ada.Do(t, "GET "+schedulePath(id), nil); got.Text("timezone") != "UTC" {
		t.Errorf("by default: %s", got.Body)
	}
}

// A schedule that has stopped says why, has no next run, and a new one starts.
func TestAStoppedSchedule(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	_, id := submit(t, ada)
	ada.Do(t, "PUT "+schedulePath(id), `{"cron": "* * * * *"}`).Want(t, http.StatusOK)
	a.Exec(t, `UPDATE schedules SET enabled = false, next_at = NULL, next_local = NULL, reason = 'Its integration is gone.'`)
	stopped := ada.Do(t, "GET "+schedulePath(id), nil).Want(t, http.StatusOK)
	if !strings.Contains(stopped.Body, `"nextRuns":[]`) || stopped.Text("reason") != "Its integration is gone." || stopped.At("enabled") != false {
		t.Errorf("%s", stopped.Body)
	}
	again := ada.Do(t, "PUT "+schedulePath(id), `{"cron": "* * * * *"}`).Want(t, http.StatusOK)
	if again.At("enabled") != true || again.At("reason") != nil {
		t.Errorf("%s", again.Body)
	}
}

// Deleting the last integration of a schedule's channels stops it, and no
// other's.
func TestAScheduleWhoseIntegrationIsGone(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	connect := func(client *apitest.Client, typ string) string {
		t.Helper()
		return a.Text(t, `INSERT INTO integrations (user_id, name, type, credential_fields, key_id, credentials)
			VALUES ($1, 'test', $2, '{}', '', '') RETURNING id`, client.UserID, typ)
	}
	plan := func(client *apitest.Client, channels ...string) string {
		t.Helper()
		_, id := submit(t, client)
		a.Exec(t, `UPDATE campaigns SET channels = '{email}' WHERE id = $1`, id)
		client.Do(t, "PUT "+schedulePath(id), object{"cron": "0 9 * * *", "channels": channels}).Want(t, http.StatusOK)
		return id
	}
	email, social := connect(ada, "email"), connect(ada, "social")
	stopped := []string{plan(ada, "email"), plan(ada), plan(ada, "email", "sms")}
	goOn := map[string]*apitest.Client{plan(ada, "email", "social"): ada, plan(ada, "sms"): ada, plan(bob, "email"): bob}
	ada.Do(t, "DELETE /api/integrations/"+email, nil).Want(t, http.StatusNoContent)
	for _, id := range stopped {
		now := ada.Do(t, "GET "+schedulePath(id), nil)
		if now.At("enabled") != false || !strings.Contains(now.Text("reason"), "integration is gone") || len(times(t, now, "nextRuns")) != 0 {
			t.Errorf("%s", now.Body)
		}
	}
	for id, client := range goOn {
		if now := client.Do(t, "GET "+schedulePath(id), nil); now.At("enabled") != true {
			t.Errorf("%s", now.Body)
		}
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'schedule.stop' AND metadata->>'reason' <> ''`); n != len(stopped) {
		t.Errorf("%d records of %d stops", n, len(stopped))
	}
	ada.Do(t, "DELETE /api/integrations/"+social, nil).Want(t, http.StatusNoContent)
	if n := a.Count(t, `SELECT count(*) FROM schedules WHERE NOT enabled`); n != len(stopped)+1 {
		t.Errorf("%d have stopped", n)
	}
}

func TestWhoScheduledIsAudited(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	_, id := submit(t, ada)
	ada.Do(t, "PUT "+schedulePath(id), `{"cron": "* * * * *"}`).Want(t, http.StatusOK)
	ada.Do(t, "DELETE "+schedulePath(id), nil).Want(t, http.StatusNoContent)
	ada.Do(t, "PUT "+schedulePath(id), `{"cron": "* * * * *"}`).Want(t, http.StatusOK)
	ada.Do(t, "DELETE /api/campaign/"+id, nil).Want(t, http.StatusNoContent)
	var got []string
	for _, record := range a.Audits(t) {
		if record.Resource == id && record.UserID == ada.UserID && record.IPAddress != "" {
			got = append(got, record.Action)
		}
	}
	want := []string{fanfare.ActionCampaignCreate, fanfare.ActionScheduleSet, fanfare.ActionScheduleDelete, fanfare.ActionScheduleSet,
		fanfare.ActionScheduleStop, fanfare.ActionCampaignDelete}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := a.Count(t, `SELECT count(*) FROM schedules`); n != 0 {
		t.Errorf("%d schedules are left", n)
	}
	if why := a.Text(t, `SELECT metadata->>'reason' FROM audit_logs WHERE action = 'schedule.stop'`); why != "The campaign was deleted." {
		t.Errorf("it stopped because: %s", why)
	}
}
