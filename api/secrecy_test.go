package api_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"fanfare"
	"fanfare/internal/apitest"
)

// A credential that was handed over is found nowhere again: in no answer, no
// log, no report, nothing in Redis and no row in clear. The password below is
// in every request, good or bad.
func TestCredentialsAreNeverShown(t *testing.T) {
	const canary = "canary-5up3r-53cr37"
	a := apitest.New(t, limits("1000/15m", "", "", "")) // low enough to leave something in Redis
	ada := a.User(t, "ada@example.com")
	var seen []string
	do := func(client *apitest.Client, line string, body any, status int) *apitest.Answer {
		t.Helper()
		answer := client.Do(t, line, body).Want(t, status)
		seen = append(seen, fmt.Sprint(line, " answers ", answer.Header, answer.Body))
		return answer
	}
	good := smtp(object{"host": "mail.example", "password": canary})
	const body = `{"name":"SMTP","type":"email","credentials":{"host":"h","password":"` + canary + `"}}`
	keyed := ada.With("Idempotency-Key: k")
	for _, bad := range []any{
		smtp(object{"password": canary}), smtp(object{"host": "h", "token": canary}), smtp(object{"host": "h", "password": []string{canary}}),
		object{"name": "Nobody", "type": "email", "credentials": object{"password": canary}},
		object{"name": "SMTP", "type": "email", "credentials": canary}, body[:len(body)-10], body + body,
	} {
		do(keyed, "POST /api/integrations", bad, 400)
	}
	do(a.Anonymous(), "POST /api/integrations", good, 401)
	do(ada.With("Content-Type: text/plain"), "POST /api/integrations", good, 415)
	id := do(keyed, "POST /api/integrations", body, 201).Text("id")
	header(t, do(keyed, "POST /api/integrations", body, 201), "Idempotent-Replayed", "true")
	do(keyed, "POST /api/integrations", good, 422)
	do(ada, "POST /api/integrations", good, 409)
	for _, verdict := range []error{
		nil, &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "No.", Cause: errors.New(canary)},
		&fanfare.SendError{Fate: fanfare.FateHalted, Cause: errors.New(canary)}, errors.New(canary),
	} {
		var used string
		a.Providers.Answer(func(_ context.Context, c fanfare.Credentials) error { used = c["password"]; return verdict })
		if do(ada, "POST /api/integrations/test", object{"id": id}, 200); used != canary {
			t.Fatalf("the connector got %q", used)
		}
	}
	do(ada, "GET /api/integrations", nil, 200)
	search(t, a, canary, seen)
	if digest := sha256.Sum256([]byte(body)); a.Count(t, `SELECT count(*) FROM idempotency_keys WHERE body_digest = $1`, digest[:]) != 0 {
		t.Error("a digest without a key is kept of the body: the password can be guessed by it")
	}
	a.Exec(t, `UPDATE integrations SET key_id = 'gone'`)
	do(ada, "POST /api/integrations/test", object{"id": id}, 500)
	do(ada, "DELETE /api/integrations/"+id, nil, http.StatusNoContent)
	search(t, a, canary, seen)
	if a.Count(t, `SELECT count(*) FROM idempotency_keys`) != 1 || a.Count(t, `SELECT count(*) FROM audit_logs`) != 6 {
		t.Error("there was less to search than meant")
	}
}

// search looks for a text, as it is and as one would find it encoded, in
// everything that the API leaves behind.
func search(t *testing.T, a *apitest.App, text string, places []string) {
	t.Helper()
	places = append(places, "the log: "+a.Log.String())
	for _, err := range a.Reports.Take() {
		places = append(places, fmt.Sprintf("a report: %+v", err))
	}
	places = append(append(places, inRedis(t, a)...), inTables(t, a)...)
	for _, form := range []string{text, base64.StdEncoding.EncodeToString([]byte(text)), hex.EncodeToString([]byte(text))} {
		for _, place := range places {
			if strings.Contains(place, form) {
				t.Errorf("%q shows in %s", form, place)
			}
		}
	}
}

// inTables returns every row of every table as text.
func inTables(t *testing.T, a *apitest.App) (found []string) {
	t.Helper()
	for _, table := range strings.Fields(a.Text(t, `SELECT string_agg(quote_ident(tablename), ' ') FROM pg_tables WHERE schemaname = current_schema()`)) {
		found = append(found, table+": "+a.Text(t, `SELECT coalesce(string_agg(r::text, E'\n'), '') FROM `+table+` r`))
	}
	if len(found) < 10 {
		t.Fatalf("only %d tables", len(found))
	}
	return found
}

// inRedis returns every key with all that it holds.
func inRedis(t *testing.T, a *apitest.App) (found []string) {
	t.Helper()
	ctx := t.Context()
	keys, err := a.Redis.Keys(ctx, "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for _, key := range keys {
		var value any
		switch kind := a.Redis.Type(ctx, key).Val(); kind {
		case "string":
			value = a.Redis.Get(ctx, key).Val()
		case "hash":
			value = a.Redis.HGetAll(ctx, key).Val()
		case "set":
			value = a.Redis.SMembers(ctx, key).Val()
		case "zset":
			value = a.Redis.ZRange(ctx, key, 0, -1).Val()
		case "list":
			value = a.Redis.LRange(ctx, key, 0, -1).Val()
		default:
			t.Fatalf("%s is a %s: look into it too", key, kind)
		}
		found = append(found, fmt.Sprint("Redis: ", key, " ", value))
	}
	return found
}
