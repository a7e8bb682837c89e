package app

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/config"
	"fanfare/doctor"
	"fanfare/internal/demomodel"
	"fanfare/internal/devservices"
	"fanfare/internal/testdb"
	"fanfare/internal/teststore"
)

const (
	canarySecret = "Ohg4eiQu9aef1Xoo6ieng7Uo3choo5eX"
	canaryKey    = "u1Ahk8eixu0Zoo5Quai2Eeng3oThae7i"
	canaryAPIKey = "sk-canary-7x"
)

// patient is a whole installation for the doctor to look at.
type patient struct {
	t        *testing.T
	services *devservices.Services
	env      map[string]string
	now      func() time.Time
}

func newPatient(t *testing.T) *patient {
	model := httptest.NewServer(demomodel.New())
	t.Cleanup(model.Close)
	services := testdb.OwnServers(t)
	return &patient{t: t, services: services, now: time.Now, env: map[string]string{
		"DATABASE_URL": services.DatabaseURL(), "REDIS_URL": services.RedisURL(),
		"AUTH_SECRET": canarySecret, "ENCRYPTION_KEY": canaryKey,
		"OPENAI_API_KEY": canaryAPIKey, "OPENAI_BASE_URL": model.URL + "/v1",
	}}
}

// examine returns the findings and whether there was a problem, and fails the
// test where a secret is told.
func (p *patient) examine(skipAI bool) (found []doctor.Finding, sick bool) {
	p.t.Helper()
	var environ []string
	for name, value := range p.env {
		environ = append(environ, name+"="+value)
	}
	settings, problems := config.Examine(environ, config.Doctor)
	d := Doctor{Process: Process{Config: settings}, Problems: problems, SkipAI: skipAI, Now: p.now}
	var out bytes.Buffer
	err := d.Examine(p.t.Context(), &out, true, false)
	for _, secret := range []string{canarySecret, canaryKey, canaryAPIKey, "canary"} {
		if strings.Contains(out.String()+fmt.Sprint(err), secret) {
			p.t.Errorf("a secret is told: %s", out.String())
		}
	}
	var report struct{ Findings []doctor.Finding }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		p.t.Fatal(err)
	}
	return report.Findings, err != nil
}

// want looks for a finding whose sentences hold a text.
func (p *patient) want(found []doctor.Finding, check string, verdict doctor.Verdict, text string) {
	p.t.Helper()
	for _, f := range found {
		if f.Check == check && f.Verdict == verdict && strings.Contains(f.Found+" "+f.Advice, text) {
			if f.Advice == "" && (verdict == doctor.Problem || verdict == doctor.Warning) {
				p.t.Errorf("%s: nothing is said of what to do", check)
			}
			return
		}
	}
	p.t.Errorf("no %s of %s with %q in %+v", verdict, check, text, found)
}

func (p *patient) db() *teststore.DB { return teststore.Open(p.t, p.services.DatabaseURL()) }

func (p *patient) redis() *redis.Client {
	options, err := redis.ParseURL(p.services.RedisURL())
	if err != nil {
		p.t.Fatal(err)
	}
	client := redis.NewClient(options)
	p.t.Cleanup(func() { _ = client.Close() })
	return client
}

func (p *patient) set(name, value string) {
	p.t.Helper()
	if err := p.redis().ConfigSet(p.t.Context(), name, value).Err(); err != nil {
		p.t.Fatal(err)
	}
}

// TestDoctor breaks one thing after the other, and mends it.
func TestDoctor(t *testing.T) {
	p := newPatient(t)
	db := p.db()
	db.Exec(`INSERT INTO workers (id) VALUES ('w')`)
	p.set("appendonly", "yes")
	p.set("maxmemory-policy", "noeviction")
	p.alter(db, "synchronous_commit", "on")
	for _, c := range []struct {
		what    string
		do      func()
		undo    func()
		check   string
		verdict doctor.Verdict
		text    string
	}{
		{"nothing", func() {}, func() {}, "model speed", doctor.OK, "tokens a second"},
		{"the password", p.setting("DATABASE_URL", strings.Replace(p.env["DATABASE_URL"], "?", "?user=nobody-such&", 1)), p.setting("DATABASE_URL", p.env["DATABASE_URL"]), "database", doctor.Problem, "DATABASE_URL"},
		{"an old worker", func() { db.Exec(`UPDATE workers SET seen_at = now() - interval '1 hour'`) }, func() { db.Exec(`UPDATE workers SET seen_at = now() + interval '1 hour'`) }, "worker", doctor.Warning, "fanfare worker"},
		{"durability", func() { p.alter(db, "synchronous_commit", "off") }, func() { p.alter(db, "synchronous_commit", "on") }, "database settings", doctor.Problem, "synchronous_commit = on"},
		{"eviction", func() { p.set("maxmemory-policy", "allkeys-lru") }, func() { p.set("maxmemory-policy", "noeviction") }, "redis eviction", doctor.Problem, "noeviction"},
		{"persistence", func() { p.set("appendonly", "no") }, func() { p.set("appendonly", "yes") }, "redis persistence", doctor.Warning, "appendonly yes"},
		{"memory", func() { p.set("maxmemory", "1mb") }, func() { p.set("maxmemory", "0") }, "redis memory", doctor.Warning, "Raise maxmemory"},
		{"a paused queue", func() { p.pause(true) }, func() { p.pause(false) }, "queues", doctor.Warning, "ai"},
		{"the clock of the database", func() { p.now = p.ahead(time.Minute) }, func() { p.now = time.Now }, "database clock", doctor.Warning, "differ by"},
		{"the clock of Redis", func() { p.now = p.ahead(-time.Minute) }, func() { p.now = time.Now }, "redis clock", doctor.Warning, "differ by"},
		{"a schedule", func() { p.overdue(db) }, func() { db.Exec(`DELETE FROM schedules`) }, "scheduler", doctor.Warning, "1 schedules are overdue"},
		{"a job that nobody carries", func() {
			db.Exec(`UPDATE jobs SET relay_at = now() - interval '5 minutes', created_at = now() - interval '5 minutes' WHERE id = $1`, db.Queued().ID)
		}, func() {}, "scheduler", doctor.Warning, "fanfare scheduler"},
		{"the same", func() {}, func() { db.Exec(`DELETE FROM jobs`) }, "jobs", doctor.Warning, "the oldest for 5m"},
		{"a failed job", func() { p.fail(db) }, func() { db.Exec(`DELETE FROM jobs`) }, "failures", doctor.Warning, "1 by ai_refused"},
		{"the audit", func() {
			db.Exec(`UPDATE audit_head SET settled = pg_current_xact_id()`)
			db.Exec(`INSERT INTO audit_logs (action, created_at) VALUES ('test', now() - interval '10 minutes')`)
		}, func() { db.Exec(`UPDATE audit_head SET settled = '999999999999'`) }, "scheduler", doctor.Warning, "seal"},
		{"an unknown key", func() { p.sealed(db, "ffff") }, func() { db.Exec(`DELETE FROM integrations`) }, "encryption keys", doctor.Problem, "key ffff"},
		{"no migration", func() { db.Exec(`DELETE FROM goose_db_version WHERE version_id = 12`) }, func() { db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (12, true)`) }, "migrations", doctor.Problem, "fanfare migrate up"},
		{"restored data", func() { db.Exec(`UPDATE database_origin SET server = 'x'`) }, func() { db.Exec(`UPDATE database_origin SET server = database_server()`) }, "migrations", doctor.Problem, "restored"},
	} {
		c.do()
		found := p.looked(c.what != "nothing")
		p.want(found, c.check, c.verdict, c.text)
		if sick := doctor.Worst(found) == doctor.Problem; sick != (c.verdict == doctor.Problem) {
			t.Errorf("%s: sick: %t in %+v", c.what, sick, found)
		}
		c.undo()
	}
	for _, f := range p.looked(true) {
		if f.Verdict != doctor.OK && f.Verdict != doctor.Skipped {
			t.Errorf("all is mended, and yet: %+v", f)
		}
	}
}

// looked is examine, without what a server for tests never has: it is started
// in a way that forgets when the machine fails, which must be told.
func (p *patient) looked(skipAI bool) []doctor.Finding {
	p.t.Helper()
	found, sick := p.examine(skipAI)
	if sick != (doctor.Worst(found) == doctor.Problem) {
		p.t.Errorf("sick: %t, with %+v", sick, found)
	}
	return slices.DeleteFunc(found, func(f doctor.Finding) bool {
		return strings.HasPrefix(f.Found, "fsync is off") || strings.HasPrefix(f.Found, "full_page_writes is off")
	})
}

func (p *patient) setting(name, value string) func() { return func() { p.env[name] = value } }

func (p *patient) ahead(by time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(by) }
}

// alter changes a server's setting; a new connection shows it once the server
// has read it.
func (p *patient) alter(db *teststore.DB, name, value string) {
	db.Exec(`ALTER DATABASE ` + db.Query(`SELECT quote_ident(current_database())`)[0] + ` SET ` + name + ` = ` + value)
}

func (p *patient) pause(paused bool) {
	p.t.Helper()
	client := p.redis()
	err := client.Del(p.t.Context(), "asynq:{ai}:paused").Err()
	if paused { // as asynq's inspector does it
		err = errors.Join(err, client.SAdd(p.t.Context(), "asynq:queues", "ai").Err(), client.Set(p.t.Context(), "asynq:{ai}:paused", 1, 0).Err())
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *patient) overdue(db *teststore.DB) {
	db.Exec(`INSERT INTO schedules (campaign_id, user_id, cron, timezone, misfire, next_at, next_local)
		VALUES ($1, $2, '0 * * * *', 'UTC', 'skip', now() - interval '1 hour', 'x')`, db.NewCampaign().ID, db.User.ID)
}

func (p *patient) fail(db *teststore.DB) {
	_, lease := db.Running()
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed, Error: &fanfare.JobError{Code: fanfare.CodeAIRefused, Message: "no"}})
}

func (p *patient) sealed(db *teststore.DB, key string) {
	db.Exec(`INSERT INTO integrations (user_id, name, type, credential_fields, key_id, credentials) VALUES ($1, 'SMTP', 'email', '{}', $2, '')`, db.User.ID, key)
}

// TestDoctorAsksTheModel in all its moods.
func TestDoctorAsksTheModel(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	paced := demomodel.New(demomodel.Pace(10 * time.Millisecond))
	for name, c := range map[string]struct {
		model   http.Handler
		limit   time.Duration
		check   string
		verdict doctor.Verdict
		text    string
	}{
		"refuses the key": {answer(401, `{"error":{"message":"no `+canaryAPIKey+`"}}`), time.Minute, "model", doctor.Problem, "OPENAI_API_KEY"},
		"knows no model":  {answer(404, `{"error":{"code":"model_not_found"}}`), time.Minute, "model", doctor.Problem, "OPENAI_MODEL"},
		"is no model":     {answer(200, `<html>`), time.Minute, "model", doctor.Problem, "OPENAI_BASE_URL"},
		"hangs":           {http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body); <-r.Context().Done() }), 200 * time.Millisecond, "model", doctor.Problem, "Raise AI_TIMEOUT"},
		"is quick":        {demomodel.New(), time.Minute, "model speed", doctor.OK, "tokens a second"},
		"is slow":         {paced, 700 * time.Millisecond, "model speed", doctor.Problem, "Raise AI_TIMEOUT to"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.model)
			t.Cleanup(server.Close)
			d := Doctor{Process: Process{Config: config.Config{JobTimeout: time.Hour, AI: config.AI{
				APIKey: canaryAPIKey, BaseURL: server.URL + "/v1", Model: "m", Timeout: c.limit,
			}}}, Now: time.Now}
			var found []doctor.Finding
			doctor.Run(t.Context(), []doctor.Group{d.model()}, func(f doctor.Finding) { found = append(found, f) })
			(&patient{t: t}).want(found, c.check, c.verdict, c.text)
			if text := fmt.Sprint(found); strings.Contains(text, "canary") {
				t.Errorf("the key is told: %s", text)
			}
		})
	}
}

// TestDoctorOnBadSettings: what can be looked at all the same is.
func TestDoctorOnBadSettings(t *testing.T) {
	t.Parallel()
	redis := testdb.Redis(t)
	p := &patient{t: t, now: time.Now, env: map[string]string{
		"DATABASE_URL": "mysql://canary:canary@h/x", "REDIS_URL": redis, "AUTH_SECRET": "canary", "AI_TIMEOUT": "canary",
		"ENCRYPTION_KEY": "change-me-0123456789abcdef012345", "APP_ENV": "production", "PUBLIC_URL": "http://fanfare.example", "METRICS_ADDR": ":9090",
		"OPENAI_API_KEY": canaryAPIKey,
	}}
	found, sick := p.examine(false)
	if !sick {
		t.Error("no problem")
	}
	for _, w := range []struct {
		check   string
		verdict doctor.Verdict
		text    string
	}{
		{"settings", doctor.Problem, "AUTH_SECRET"}, {"settings", doctor.Problem, "DATABASE_URL"}, {"settings", doctor.Problem, "AI_TIMEOUT"},
		{"settings", doctor.Warning, "ENCRYPTION_KEY looks like an example"}, {"settings", doctor.Warning, "PUBLIC_URL is http"},
		{"settings", doctor.Warning, "TRUSTED_PROXIES"}, {"settings", doctor.Warning, "SENTRY_DSN"}, {"settings", doctor.Warning, "METRICS_ADDR listens"},
		{"database", doctor.Skipped, "DATABASE_URL"}, {"redis", doctor.OK, "answers"}, {"model", doctor.Skipped, "AI_TIMEOUT"},
	} {
		p.want(found, w.check, w.verdict, w.text)
	}
}

// TestDoctorWithDeadServers: each is one problem, and what depends on it is left.
func TestDoctorWithDeadServers(t *testing.T) {
	t.Parallel()
	p := newPatient(t)
	if err := p.services.Postgres.Pause(); err != nil { // one that hangs
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.services.Postgres.Resume() })
	if err := p.services.Redis.Kill(); err != nil {
		t.Fatal(err)
	}
	found, sick := p.examine(false)
	if !sick {
		t.Error("no problem")
	}
	problems := 0
	for _, f := range found {
		if f.Verdict == doctor.Problem {
			problems++
		}
	}
	if problems != 2 {
		t.Errorf("%d problems in %+v", problems, found)
	}
	p.want(found, "database", doctor.Problem, "")
	p.want(found, "redis", doctor.Problem, "REDIS_URL")
	p.want(found, "migrations", doctor.Skipped, "because of database")
	p.want(found, "queues", doctor.Skipped, "because of redis")
	p.want(found, "model", doctor.OK, "answered")
}

func TestSecretsThatCanBeGuessed(t *testing.T) {
	t.Parallel()
	for secret, want := range map[string]bool{
		"a-secret-for-tests-that-is-long-enough": true, strings.Repeat("ab", 20): true, "CHANGE-me-please-it-is-important-99": true,
		canarySecret: false, canaryKey: false, "9f86d081884c7d659a2feaa0c55ad015": false,
	} {
		if guessable(secret) != want {
			t.Errorf("%q: %t", secret, !want)
		}
	}
}
