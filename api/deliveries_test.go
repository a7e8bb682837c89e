package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/apitest"
)

// deliver stores a launch of a campaign with a delivery for each "channel
// recipient status", and returns the ids, the launch's first.
func deliver(t *testing.T, a *apitest.App, userID, campaign string, deliveries ...string) (ids []string) {
	t.Helper()
	launch := a.Text(t, `INSERT INTO launches (user_id, campaign_id, channels) VALUES ($1, $2, '{email}') RETURNING id`, userID, campaign)
	ids = append(ids, launch)
	for _, delivery := range deliveries {
		part := strings.Split(delivery, " ")
		id := fmt.Sprintf("01a204f5-ed6d-77fe-bfbc-%012d", a.Count(t, `SELECT count(*) FROM deliveries`))
		ids = append(ids, a.Text(t, `INSERT INTO deliveries (id, launch_id, campaign_id, user_id, channel, recipient, status, provider_id, error, created_at)
			VALUES ($7, $1, $2, $3, $4, $5, $6, CASE WHEN $6 = 'sent' THEN 'p1' END, CASE WHEN $6 = 'failed' THEN 'No such mailbox' END, '2026-01-01') RETURNING id`,
			launch, campaign, userID, part[0], part[1], part[2], id))
	}
	return ids
}

func TestDeliveries(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	_, campaign := submit(t, ada)
	_, other := submit(t, ada)
	path := "/api/campaign/" + campaign + "/deliveries"
	if answer := ada.Do(t, "GET "+path, nil).Want(t, http.StatusOK); strings.TrimSpace(answer.Body) != "[]" {
		t.Errorf("before a launch: %s", answer.Body)
	}
	first := deliver(t, a, ada.UserID, campaign, "email r1@example.com sent", "email r2@example.com failed", "sms +4915123456789 unknown", "social  sent")
	second := deliver(t, a, ada.UserID, campaign, "email r1@example.com pending")
	deliver(t, a, ada.UserID, other, "email r1@example.com sent")
	// All of one instant, to be told apart by id.
	all := []string{second[1], first[4], first[3], first[2], first[1]}
	for _, c := range []struct {
		query string
		want  [][]string
	}{
		{"", [][]string{all}},
		{"?limit=2", [][]string{all[:2], all[2:4], all[4:]}},
		{"?status=sent", [][]string{{first[4], first[1]}}},
		{"?status=sent&limit=1", [][]string{{first[4]}, {first[1]}}},
		{"?channel=email&limit=2", [][]string{{second[1], first[2]}, {first[1]}}},
		{"?launchId=" + first[0] + "&limit=3", [][]string{all[1:4], all[4:]}},
		{"?launchId=" + strings.ToUpper(second[0]), [][]string{all[:1]}},
		{"?launchId=" + first[0] + "&channel=sms&status=unknown", [][]string{{first[3]}}},
		{"?launchId=" + campaign, [][]string{nil}},
		{"?status=skipped", [][]string{nil}},
	} {
		if diff := cmp.Diff(c.want, pages(t, ada, path+c.query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.query, diff)
		}
	}
	answer := ada.Do(t, "GET "+path, nil).Want(t, http.StatusOK)
	same(t, "fields", answer.Keys("0"), []string{"id", "launchId", "channel", "recipient", "status", "providerId", "error", "createdAt", "updatedAt"})
	for i, want := range []string{"email r1@example.com pending <nil> <nil>", "social <nil> sent p1 <nil>", "sms +4915123456789 unknown <nil> <nil>",
		"email r2@example.com failed <nil> No such mailbox", "email r1@example.com sent p1 <nil>"} {
		at := func(name string) any { return answer.At(fmt.Sprintf("%d.%s", i, name)) }
		if got := fmt.Sprint(at("channel"), " ", at("recipient"), " ", at("status"), " ", at("providerId"), " ", at("error")); got != want {
			t.Errorf("%d: %s, want %s", i, got, want)
		}
	}
	bob.Do(t, "GET "+path, nil).WantError(t, http.StatusNotFound, "not_found")
	run(t, ada, []scenario{
		{name: "unknown campaign", line: "GET /api/campaign/01a204f5-ed6d-77fe-bfbc-ed33a961c0ee/deliveries", status: 404, code: "not_found"},
		{name: "no id", line: "GET /api/campaign/1/deliveries", status: 404, code: "not_found"},
		{name: "status", line: "GET " + path + "?status=lost", status: 400, code: "invalid_request", want: "must be one of pending, sending, sent"},
		{name: "channel", line: "GET " + path + "?channel=fax", status: 400, code: "invalid_request", want: "must be one of email, social, ppc, sms"},
		{name: "launch", line: "GET " + path + "?launchId=1", status: 400, code: "invalid_request", want: "must be a UUID"},
		{name: "cursor", line: "GET " + path + "?cursor=x", status: 400, code: "invalid_request", want: `"field":"cursor"`},
		{name: "limit", line: "GET " + path + "?limit=101", status: 400, code: "invalid_request", want: `"field":"limit"`},
	})
}
