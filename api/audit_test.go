package api_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/apitest"
)

// listed are the ids of the audit records that a query finds, over all pages.
func listed(t *testing.T, client *apitest.Client, query string) []string {
	t.Helper()
	var found []string
	for _, page := range pages(t, client, "/api/audit?"+query) {
		found = append(found, page...)
	}
	return found
}

func TestAnAuditRecordIsShown(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com").With("User-Agent: test/1.0")
	job, campaign := submit(t, ada)
	a.Exec(t, `UPDATE audit_logs SET metadata = metadata || '{"n": 12345678901234567890, "text": "3 < 5"}'`)
	answer := ada.Do(t, "GET /api/audit", nil).Want(t, http.StatusOK)
	same(t, "fields", answer.Keys("0"), []string{"id", "userId", "action", "resource", "metadata", "ipAddress", "userAgent", "status", "createdAt"})
	for field, want := range map[string]string{
		"action": "campaign.create", "resource": campaign, "userId": ada.UserID, "ipAddress": "127.0.0.1", "userAgent": "test/1.0",
		"status": "success", "metadata.job": job, "metadata.text": "3 < 5",
	} {
		if got := answer.Text("0." + field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	if !strings.Contains(answer.Body, "12345678901234567890") || !strings.HasSuffix(answer.Text("0.createdAt"), "Z") || len(answer.Text("0.id")) != 36 {
		t.Errorf("%s", answer.Body)
	}
	// A job's records are its owner's, whoever did the work.
	a.End(t, job, "failed")
	answer = ada.Do(t, "GET /api/audit?resource="+strings.ToUpper(job), nil).Want(t, http.StatusOK)
	if answer.Text("0.action") != "job.attempt.end" || answer.Text("0.status") != "failure" || answer.Text("1.action") != "job.attempt.start" {
		t.Errorf("%s", answer.Body)
	}
	if answer.At("0.ipAddress") != nil || answer.At("0.userAgent") != nil || !strings.Contains(answer.Body, `"ipAddress":null`) {
		t.Errorf("of nobody's request: %s", answer.Body)
	}
}

func TestAuditRecordsAreListed(t *testing.T) {
	a := apitest.New(t)
	ada, bob, admin := a.User(t, "ada@example.com"), a.User(t, "bob@example.com"), a.User(t, "root@example.com")
	a.Exec(t, `UPDATE users SET role = 'admin' WHERE id = $1`, admin.UserID)
	for n, r := range [][4]string{ // oldest first
		{ada.UserID, "user.login", "", "failure"}, {ada.UserID, "user.login", "", "success"},
		{ada.UserID, "brand.create", "kit", "success"}, {ada.UserID, "brand.update", "kit", "success"},
		{bob.UserID, "brand.delete", "kit", "failure"}, {admin.UserID, "user.login", "", "success"},
		{"", "user.login", "", "failure"}, {"", "audit.drop", "2021-01", "success"},
	} {
		a.Exec(t, `INSERT INTO audit_logs (id, user_id, action, resource, status, created_at)
			VALUES (('01a20000-0000-7000-8000-00000000000' || $5::text)::uuid, nullif($1, '')::uuid, $2, nullif($3, ''), $4, '2026-03-01T00:00:00Z'::timestamptz + make_interval(days => $5::int))`,
			r[0], r[1], r[2], r[3], n)
	}
	id := func(n string) string { return "01a20000-0000-7000-8000-00000000000" + n }
	for query, want := range map[string]string{
		"":                                 "3210",
		"limit=1":                          "3210",
		"action=user.login":                "10",
		"action=user.login&limit=1":        "10",
		"action=brand.delete":              "",
		"resource=kit":                     "32",
		"resource=none":                    "",
		"status=failure":                   "0",
		"status=success&limit=2":           "321",
		"action=user.login&status=failure": "0",
		"resource=kit&action=brand.update": "3",
		"from=2026-03-02T00:00:00Z":        "321",
		"to=2026-03-02T00:00:00Z":          "10",
		"from=2026-03-02T00:00:00Z&to=2026-03-03T01:00:00%2B01:00&limit=1": "21",
		"to=0001-01-02T00:00:00Z":               "",
		"from=9999-12-31T23:59:59-23:59":        "",
		"userId=" + strings.ToUpper(ada.UserID): "3210",
	} {
		var ids []string
		for _, n := range want {
			ids = append(ids, id(string(n)))
		}
		if diff := cmp.Diff(ids, listed(t, ada, query)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
	for query, want := range map[string]string{
		"": "5", "userId=" + bob.UserID: "4", "userId=" + ada.UserID + "&limit=3": "3210", "userId=" + id("9"): "",
		"userId=any": "76543210", "userId=ANY&limit=3": "76543210", "userId=any&action=user.login": "6510", "userId=any&status=failure&limit=1": "640",
		"userId=any&resource=kit": "432", "userId=any&action=user.login&status=failure": "60", "userId=any&to=2026-03-02T00:00:00Z": "10",
		"userId=none": "76", "userId=none&limit=1": "76", "userId=none&action=audit.drop": "7", "userId=none&status=failure": "6",
		"userId=none&resource=kit": "", "userId=none&from=2026-03-08T00:00:00Z": "7",
	} {
		var ids []string
		for _, n := range want {
			ids = append(ids, id(string(n)))
		}
		if diff := cmp.Diff(ids, listed(t, admin, query)); diff != "" {
			t.Errorf("an admin, %s (-want +got):\n%s", query, diff)
		}
	}
	ada.Do(t, "GET /api/audit?userId="+bob.UserID, nil).WantError(t, http.StatusForbidden, "forbidden")
	ada.Do(t, "GET /api/audit?userId="+id("9"), nil).WantError(t, http.StatusForbidden, "forbidden")
	for _, query := range []string{"userId=any", "userId=none", "userId=Any&action=user.login"} {
		ada.Do(t, "GET /api/audit?"+query, nil).WantError(t, http.StatusForbidden, "forbidden")
	}
	for _, query := range []string{
		"userId=all", "limit=0", "limit=101", "limit=x", "cursor=x", "status=ok", "action=brand", "action=x.y", "from=yesterday", "from=2026-03-01", "to=2026-03-01T00:00:00+01:00",
		"from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "from=0000-01-01T00:00:00Z", "userId=1", "userId=" + url.QueryEscape("{"+bob.UserID+"}"), "resource=" + strings.Repeat("x", 201),
	} {
		admin.Do(t, "GET /api/audit?"+query, nil).WantError(t, http.StatusBadRequest, "invalid_request")
	}
}

// TestRefusedLoginsAreAudited with where they came from and without what was
// tried, whatever the client calls itself.
func TestRefusedLoginsAreAudited(t *testing.T) {
	a := apitest.New(t)
	nobody := a.Anonymous()
	nobody.Do(t, "POST /api/auth/register", ada).Want(t, http.StatusCreated)
	strange := "\xff\xfe\u202e\u0085" + strings.Repeat("ä", 400)
	nobody.With("User-Agent: "+strange).Do(t, "POST /api/auth/login", strings.Replace(adaLogin, password, "Wrong-canary-1", 1)).Want(t, http.StatusUnauthorized)
	cookie := cookieOf(t, nobody.Do(t, "POST /api/auth/login", adaLogin).Want(t, http.StatusOK))
	client := nobody.With("Cookie: " + cookie.Name + "=" + cookie.Value)
	answer := client.Do(t, "GET /api/audit?status=failure", nil).Want(t, http.StatusOK)
	if answer.Text("0.action") != "user.login" || answer.Text("0.ipAddress") != "127.0.0.1" || answer.At("1") != nil {
		t.Errorf("%s", answer.Body)
	}
	if got := answer.Text("0.userAgent"); got != strings.Repeat("ä", 300) {
		t.Errorf("user agent %q", got)
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE to_jsonb(audit_logs)::text ~* 'canary|example.com'`); n != 0 {
		t.Error("a record tells what was tried")
	}
}
