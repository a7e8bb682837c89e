package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
)

// smtp is a request to connect a mail server, with other credentials where
// they are given.
func smtp(credentials object) object {
	if credentials == nil {
		credentials = object{"host": "mail.example", "password": "canary-password"}
	}
	return object{"name": "SMTP", "type": "email", "credentials": credentials}
}

func TestIntegrations(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	mail := ada.Do(t, "POST /api/integrations", smtp(object{"password": "canary", "host": "mail.example", "username": ""})).Want(t, http.StatusCreated)
	same(t, "fields", mail.Keys(""), []string{"id", "name", "type", "status", "lastSync", "credentialFields", "createdAt", "updatedAt"})
	if diff := cmp.Diff([]any{"host", "password"}, mail.At("credentialFields")); diff != "" {
		t.Errorf("what is stored (-want +got):\n%s", diff)
	}
	if mail.Text("name") != "SMTP" || mail.Text("type") != "email" || mail.Text("status") != "disconnected" || mail.At("lastSync") != nil {
		t.Errorf("%s", mail.Body)
	}
	slack := object{"name": "sLACK", "type": "social", "credentials": object{"webhookUrl": "https://canary.example"}}
	keyed := ada.With("Idempotency-Key: k")
	chat := keyed.Do(t, "POST /api/integrations", slack).Want(t, http.StatusCreated)
	again := keyed.Do(t, "POST /api/integrations", slack).Want(t, http.StatusCreated)
	header(t, again, "Idempotent-Replayed", "true")
	if chat.Text("name") != "Slack" || again.Text("id") != chat.Text("id") {
		t.Errorf("%s, then %s", chat.Body, again.Body)
	}
	ada.Do(t, "POST /api/integrations", slack).WantError(t, http.StatusConflict, "integration_exists")
	if diff := cmp.Diff([][]string{{chat.Text("id")}, {mail.Text("id")}}, pages(t, ada, "/api/integrations?limit=1")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{mail.Text("id")}}, pages(t, ada, "/api/integrations?type=email")); diff != "" {
		t.Errorf("of a type (-want +got):\n%s", diff)
	}
	if got := bob.Do(t, "GET /api/integrations", nil).Want(t, http.StatusOK); strings.TrimSpace(got.Body) != "[]" {
		t.Errorf("a stranger sees %s", got.Body)
	}
	bob.Do(t, "POST /api/integrations", smtp(nil)).Want(t, http.StatusCreated)
	for _, line := range []string{"DELETE /api/integrations/", "DELETE /api/integrations?id="} {
		bob.Do(t, line+mail.Text("id"), nil).WantError(t, http.StatusNotFound, "not_found")
	}
	ada.Do(t, "DELETE /api/integrations?id="+strings.ToUpper(mail.Text("id")), nil).Want(t, http.StatusNoContent)
	ada.Do(t, "DELETE /api/integrations/"+chat.Text("id"), nil).Want(t, http.StatusNoContent)
	ada.Do(t, "DELETE /api/integrations/"+chat.Text("id"), nil).WantError(t, http.StatusNotFound, "not_found")
	var audits []string
	for _, r := range a.Audits(t) {
		if r.UserID == ada.UserID {
			audits = append(audits, r.Action+" "+r.Resource)
		}
	}
	want := []string{"integration.create " + mail.Text("id"), "integration.create " + chat.Text("id"), "integration.delete " + mail.Text("id"), "integration.delete " + chat.Text("id")}
	if diff := cmp.Diff(want, audits); diff != "" {
		t.Errorf("audited (-want +got):\n%s", diff)
	}
	if got := a.Text(t, `SELECT metadata::text FROM audit_logs WHERE resource = $1 AND action = 'integration.delete'`, mail.Text("id")); got != `{"name": "SMTP", "type": "email"}` {
		t.Errorf("metadata %s", got)
	}
}

func TestProviders(t *testing.T) {
	ada := apitest.New(t).User(t, "ada@example.com")
	answer := ada.Do(t, "GET /api/integrations/providers", nil).Want(t, http.StatusOK)
	same(t, "fields", answer.Keys("1"), []string{"name", "type", "credentialFields", "description", "verifiedAgainst"})
	same(t, "fields of credentials", answer.Keys("1.credentialFields.0"), []string{"name", "label", "secret", "required"})
	if answer.Text("1.name") != "SMTP" || answer.Text("1.verifiedAgainst") != "real" {
		t.Errorf("%s", answer.Body)
	}
}

// Every refusal names the field, and none repeats what was to be kept secret.
func TestIntegrationInput(t *testing.T) {
	ada := apitest.New(t).User(t, "ada@example.com")
	many := object{}
	for i := range 65 {
		many[fmt.Sprint("f", i)] = "canary"
	}
	refused := func(name string, body any, field string) scenario {
		return scenario{name: name, line: "POST /api/integrations", body: body, status: 400, code: "invalid_request", want: `"field":"` + field + `"`}
	}
	scenarios := []scenario{
		refused("no value of text", smtp(object{"host": "h", "password": []string{"canary"}}), "credentials.password"),
		refused("a number", smtp(object{"host": 4711081547110815, "password": "canary"}), "credentials.host"),
		refused("null", smtp(object{"host": nil, "password": "canary"}), "credentials.host"),
		refused("an object", smtp(object{"host": object{"canary": "canary"}}), "credentials.host"),
		refused("missing", smtp(object{"password": "canary"}), "credentials.host"),
		refused("empty", smtp(object{"host": "", "password": "canary"}), "credentials.host"),
		refused("unknown", smtp(object{"host": "h", "token": "canary"}), "credentials.token"),
		refused("too long", smtp(object{"host": "h", "password": "canary" + strings.Repeat("x", 8<<10)}), "credentials.password"),
		refused("too many", smtp(many), "credentials"),
		refused("a long name", smtp(object{strings.Repeat("n", 65): "canary"}), "credentials"),
		refused("credentials as text", object{"name": "SMTP", "type": "email", "credentials": "canary"}, "credentials"),
		refused("credentials as a list", object{"name": "SMTP", "type": "email", "credentials": []string{"canary"}}, "credentials"),
		refused("no credentials", object{"name": "SMTP", "type": "email"}, "credentials"),
		refused("NUL", `{"name": "SMTP", "type": "email", "credentials": {"host": "canary\u0000"}}`, "body"),
		refused("cut off", `{"name": "SMTP", "type": "email", "credentials": {"host": "canary`, "body"),
		refused("twice", `{"name": "SMTP", "type": "email", "credentials": {"host": "canary", "host": "canary"}}`, "body"),
		refused("no provider", object{"name": "Nobody", "type": "email", "credentials": object{"host": "canary"}}, "name"),
		refused("of another type", object{"name": "SMTP", "type": "sms", "credentials": object{"host": "canary"}}, "name"),
		refused("no type", object{"name": "SMTP", "type": "fax", "credentials": object{"host": "canary"}}, "type"),
		{name: "list of no type", line: "GET /api/integrations?type=fax", status: 400, code: "invalid_request", want: `"field":"type"`},
		{name: "no id", line: "DELETE /api/integrations", status: 400, code: "invalid_request", want: `"field":"id"`},
		{name: "bad id", line: "DELETE /api/integrations?id=1", status: 404, code: "not_found"},
		{name: "as much as goes", line: "POST /api/integrations", body: smtp(object{"host": "h", "password": strings.Repeat("x", 8<<10)}), status: 201},
	}
	run(t, ada, scenarios)
	for _, s := range scenarios {
		if answer := ada.Do(t, s.line, s.body); strings.Contains(answer.Body, "canary") || strings.Contains(answer.Body, "47110815") {
			t.Errorf("%s: %s", s.name, answer.Body)
		}
	}
}

// answering is what a provider's test comes to.
func answering(err error) func(context.Context, fanfare.Credentials) error {
	return func(context.Context, fanfare.Credentials) error { return err }
}

func TestTryingAnIntegration(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	id := ada.Do(t, "POST /api/integrations", smtp(nil)).Want(t, http.StatusCreated).Text("id")
	synced := func() any { return ada.Do(t, "GET /api/integrations", nil).At("0.lastSync") }
	for _, c := range []struct {
		name             string
		err              error
		status, outcome  string
		answered         bool
		reason, reasonIs string
	}{
		{"away", &fanfare.SendError{Fate: fanfare.FateHalted, Reason: "It is closed.", Cause: errors.New("canary")}, "error", "halted", false, "try again", "It is closed."},
		{"asked too often", &fanfare.SendError{Fate: fanfare.FateDeferred}, "error", "deferred", false, "try again", ""},
		{"broken", fmt.Errorf("canary"), "error", "unknown", false, "try again", ""},
		{"good", nil, "connected", "connected", true, "", ""},
		{"refused", &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "It says 535."}, "error", "unauthorized", true, "do not work", "It says 535."},
		{"no such list", &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "No such list."}, "error", "refused", true, "these settings", "No such list."},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.Providers.Answer(answering(c.err))
			before := synced()
			answer := ada.Do(t, "POST /api/integrations/test", object{"id": strings.ToUpper(id)}).Want(t, http.StatusOK)
			if answer.At("success") != (c.err == nil) || !strings.Contains(answer.Text("reason"), c.reason) || !strings.HasSuffix(answer.Text("reason"), c.reasonIs) {
				t.Errorf("%s", answer.Body)
			}
			if strings.Contains(answer.Body, "canary") || c.err == nil && answer.At("reason") != nil {
				t.Errorf("%s", answer.Body)
			}
			if got := ada.Do(t, "GET /api/integrations", nil).Text("0.status"); got != c.status {
				t.Errorf("status %s, want %s", got, c.status)
			}
			if now := synced(); (now != before) != c.answered {
				t.Errorf("last sync %v, before %v", now, before)
			}
			metadata := a.Text(t, `SELECT status || ' ' || metadata::text FROM audit_logs WHERE action = 'integration.test' ORDER BY position DESC, id DESC LIMIT 1`)
			outcome := map[bool]string{true: "success", false: "failure"}[c.err == nil]
			if metadata != outcome+` {"name": "SMTP", "type": "email", "outcome": "`+c.outcome+`"}` {
				t.Errorf("audited as %s", metadata)
			}
		})
	}
	called := 0
	a.Providers.Answer(func(context.Context, fanfare.Credentials) error { called++; return nil })
	unknown := ada.Do(t, "POST /api/integrations/test", object{"id": "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"}).Want(t, http.StatusOK)
	for name, answer := range map[string]*apitest.Answer{
		"foreign":   bob.Do(t, "POST /api/integrations/test", object{"id": id}),
		"malformed": ada.Do(t, "POST /api/integrations/test", object{"id": "{" + id + "}"}),
		"empty":     ada.Do(t, "POST /api/integrations/test", object{"id": ""}),
	} {
		if answer.Want(t, http.StatusOK).Body != unknown.Body || answer.At("success") != false || answer.Text("reason") == "" {
			t.Errorf("%s: %s, want %s", name, answer.Body, unknown.Body)
		}
	}
	if called != 0 || a.Reports.Take() != nil {
		t.Errorf("%d calls for what is not theirs", called)
	}
}

// flaky are connections that fail while err is set.
type flaky struct {
	fanfare.Connections
	err *error
}

func (f flaky) Connect(ctx context.Context, userID, id string) (fanfare.Connection, error) {
	if *f.err != nil {
		return nil, *f.err
	}
	return f.Connections.Connect(ctx, userID, id)
}

// Who only looks for success finds it in every answer.
func TestErrorsOfATrySayThatItFailed(t *testing.T) {
	var away error
	a := apitest.New(t, limits("6/1h", "", "", ""), func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Connections = flaky{d.Connections, &away} }
	})
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	id := ada.Do(t, "POST /api/integrations", smtp(nil)).Want(t, http.StatusCreated).Text("id")
	const line = "POST /api/integrations/test"
	failed := func(answer *apitest.Answer, status int, code string) {
		t.Helper()
		if answer.WantError(t, status, code).At("success") != false {
			t.Errorf("%s", answer.Body)
		}
	}
	failed(a.Anonymous().Do(t, line, object{"id": id}), 401, "unauthorized")
	failed(a.SignedIn(t, bob).With("Origin: https://evil.example").Do(t, line, object{"id": id}), 403, "forbidden")
	failed(bob.Do(t, line, `{"id": 5}`), 400, "invalid_request")
	failed(bob.Do(t, line, `{}`), 400, "invalid_request")
	failed(bob.Do(t, line, `{"id`), 400, "invalid_request")
	failed(bob.Do(t, line, nil), 400, "invalid_request")
	failed(bob.With("Content-Type: text/plain").Do(t, line, `{}`), 415, "unsupported_media_type")
	failed(bob.Do(t, line, strings.Repeat(" ", 1<<20+1)), 413, "too_large")
	failed(bob.Do(t, line, `{}`), 429, "rate_limited")
	a.Exec(t, `UPDATE integrations SET key_id = 'gone'`)
	failed(ada.Do(t, line, object{"id": id}), 500, "internal")
	if reports := a.Reports.Take(); len(reports) != 1 || !strings.Contains(reports[0].Error(), "ENCRYPTION_KEYS_OLD") {
		t.Errorf("operators are told %v", reports)
	}
	a.Providers.Answer(func(context.Context, fanfare.Credentials) error { panic("at the disco") })
	a.Exec(t, `UPDATE integrations SET key_id = $1`, a.Keyring.Current())
	failed(ada.Do(t, line, object{"id": id}), 500, "internal")
	away = fanfare.Errorf(fanfare.CodeUnavailable, "The database can't be reached right now.")
	failed(ada.Do(t, line, object{"id": id}), 503, "unavailable")
	if answer := ada.Do(t, "GET /api/integrations", nil); answer.At("success") != nil {
		t.Errorf("others say it too: %s", answer.Body)
	}
}

func TestATryEnds(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id := ada.Do(t, "POST /api/integrations", smtp(nil)).Want(t, http.StatusCreated).Text("id")
	var limit bool
	a.Providers.Answer(func(ctx context.Context, _ fanfare.Credentials) error {
		_, limit = ctx.Deadline()
		// Somebody deletes it meanwhile.
		ada.Do(t, "DELETE /api/integrations/"+id, nil).Want(t, http.StatusNoContent)
		return nil
	})
	if answer := ada.Do(t, "POST /api/integrations/test", object{"id": id}).Want(t, http.StatusOK); answer.At("success") != false || !limit {
		t.Errorf("%s, limited: %t", answer.Body, limit)
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'integration.test'`); n != 0 {
		t.Errorf("%d records of what was not stored", n)
	}
}

// What reads the body has five seconds in huma; what comes then has its own
// time. Whoever waits for a job depends on it too.
func TestATryMayTakeItsTime(t *testing.T) {
	t.Parallel()
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id := ada.Do(t, "POST /api/integrations", smtp(nil)).Want(t, http.StatusCreated).Text("id")
	a.Providers.Answer(func(ctx context.Context, _ fanfare.Credentials) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(6 * time.Second): // a slow provider
			return nil
		}
	})
	if answer := ada.Do(t, "POST /api/integrations/test", object{"id": id}).Want(t, http.StatusOK); answer.At("success") != true {
		t.Error(string(answer.Body))
	}
}

func TestOneOfManyAtOnceIsConnected(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			answer := ada.Do(t, "POST /api/integrations", smtp(nil))
			mu.Lock()
			defer mu.Unlock()
			statuses[answer.Status]++
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[int]int{201: 1, 409: 9}, statuses); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
