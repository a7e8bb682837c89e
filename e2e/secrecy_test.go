package e2e

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare/internal/mailbox"
)

// What is planted, and must not be found again.
const (
	plantedPassword   = "Planted-Quince-4471"
	plantedCredential = "planted-medlar-8823"
	plantedBrief      = "Planted loquat brandy for Samarkand"
	plantedRecipient  = "planted.damson@example.org"
)

// TestNothingSecretIsFoundElsewhere does everything with a password, an API key,
// a credential, a brief and a recipient, well and badly, and searches the logs,
// Redis, the dashboard, the metrics, traces, what Sentry hears and the bodies of
// errors for them.
//
// Guards: what is masked and left out of logs (telemetry), the quotes of
// providers (channel/connector), payloads that are an id (queue).
func TestNothingSecretIsFoundElsewhere(t *testing.T) {
	t.Parallel()
	heard, traced := newSentry(t), newOTLP(t)
	c := newCluster(t, 0)
	metrics := map[string]string{"api": freeAddr(t), "worker": freeAddr(t), "scheduler": freeAddr(t)}
	settings := func(name string) []string {
		return []string{
			"SENTRY_DSN=" + heard.dsn(), "OTEL_EXPORTER_OTLP_ENDPOINT=" + traced.URL,
			"ALLOW_PRIVATE_HOSTS=true", "METRICS_ADDR=" + metrics[name],
		}
	}
	processes := []*process{
		c.api(settings("api")...), c.worker("worker", settings("worker")...), c.start("scheduler", c.env(settings("scheduler")...), "scheduler"),
	}
	base := c.apis[1]
	c.awaitWorkers(1)
	receiver, err := mailbox.Start(t.Context(), mailbox.Options{
		Username: "fanfare", Password: plantedCredential,
		OnMessage: func(m mailbox.Message) error {
			return fmt.Errorf("no mail for %v, %s: %s", m.To, plantedCredential, m.Raw[:200])
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = receiver.Close() })

	seen := newWitness(c, base)
	key := seen.account()
	campaign, job := seen.brief()
	seen.integration(receiver)
	seen.recipients(campaign)
	seen.malformed()
	launch := seen.post("/api/campaign/launch", map[string]any{"campaignId": campaign})
	c.awaitDone(patience, []string{job, launch})
	seen.post("/api/campaign/"+campaign+"/test-send", map[string]any{"channel": "email", "to": plantedRecipient})
	// Our fault, with everything in the request.
	c.exec(`ALTER TABLE conversations RENAME TO elsewhere`)
	seen.post("/api/campaign", map[string]any{"prompt": plantedBrief + " to " + plantedRecipient})
	c.exec(`ALTER TABLE elsewhere RENAME TO conversations`)

	if failed := c.count(`SELECT count(*) FROM deliveries WHERE status = 'failed'`); failed != 1 {
		t.Errorf("%d deliveries were refused by the mail server: nothing was tested", failed)
	}
	in := map[string]string{"Redis": redisContents(c), "error bodies": seen.errors.String(), "the dashboard": seen.dashboard()}
	for name, addr := range metrics {
		_, in["metrics of the "+name] = c.get("http://"+addr, "/metrics")
		if !strings.Contains(in["metrics of the "+name], `fanfare_jobs_total{kind="campaign.launch"`) {
			t.Errorf("the %s shows no metrics: %.100s", name, in["metrics of the "+name])
		}
	}
	for _, p := range processes {
		if code := p.terminate(30 * time.Second); code != 0 {
			t.Errorf("%s exited with %d", p.name, code)
		}
		raw, err := os.ReadFile(p.log)
		if err != nil {
			t.Fatal(err)
		}
		in["the log of the "+p.name] = string(raw)
	}
	in["what Sentry heard"] = heard.bytes.String()
	in["traces"] = traced.text()
	for where, text := range in {
		if len(text) < 100 {
			t.Errorf("%s: only %q was searched", where, text)
		}
		for what, secret := range map[string]string{
			"password": plantedPassword, "API key": key, "credential": plantedCredential,
			"brief": "loquat", "recipient": "planted.damson",
		} {
			if at := strings.Index(strings.ToLower(text), strings.ToLower(secret)); at >= 0 {
				t.Errorf("the %s is in %s: …%s…", what, where, text[max(0, at-200):min(len(text), at+100)])
			}
		}
	}
}

// witness plants secrets, and keeps the bodies of errors that it gets.
type witness struct {
	c      *cluster
	base   string
	header http.Header
	errors strings.Builder
}

func newWitness(c *cluster, base string) *witness { return &witness{c: c, base: base} }

// post returns the id of the job that an answer tells of, if it does.
func (w *witness) post(path string, body any) (job string) {
	w.c.t.Helper()
	return w.send(http.MethodPost, path, "application/json", encoded(w.c.t, body))
}

func (w *witness) account() (key string) {
	w.c.t.Helper()
	account := map[string]string{"name": "Ada", "email": "planter@example.com", "password": plantedPassword}
	w.post("/api/auth/register", account)
	w.post("/api/auth/register", account) // taken
	w.post("/api/auth/login", map[string]string{"email": "nobody@example.com", "password": plantedPassword})
	response := w.c.post(w.base, "/api/auth/login", nil, account, nil)
	var made struct{ Key string }
	w.c.post(w.base, "/api/keys", http.Header{"Cookie": {response.Header.Get("Set-Cookie")}}, map[string]string{"name": "k"}, &made)
	if made.Key == "" {
		w.c.t.Fatal("no API key was made")
	}
	w.header = http.Header{"Authorization": {"Bearer " + made.Key}}
	return made.Key
}

func (w *witness) brief() (campaign, job string) {
	w.c.t.Helper()
	var accepted struct {
		Job      struct{ ID string }
		Campaign struct{ ID string }
	}
	w.c.post(w.base, "/api/campaign", w.header.Clone(), map[string]any{
		"prompt": plantedBrief, "channels": []string{"email"},
	}, &accepted)
	w.c.awaitDone(patience, []string{accepted.Job.ID})
	return accepted.Campaign.ID, accepted.Job.ID
}

func (w *witness) integration(m *mailbox.Mailbox) {
	w.c.t.Helper()
	for _, password := range []string{plantedCredential, plantedCredential + "-wrong"} {
		var made struct{ ID string }
		body := map[string]any{"name": "SMTP", "type": "email", "credentials": map[string]string{
			"host": m.Host(), "port": m.Port(), "username": "fanfare", "password": password, "from": "tea@example.com",
		}}
		if password != plantedCredential { // does not get in; the other one does the work
			body["credentials"].(map[string]string)["port"] = plantedCredential
		}
		w.c.post(w.base, "/api/integrations", w.header.Clone(), body, &made)
		w.post("/api/integrations", body) // there is one already, or the port is none
		w.post("/api/integrations/test", map[string]any{"id": made.ID})
	}
}

func (w *witness) recipients(campaign string) {
	w.c.t.Helper()
	path := "/api/campaign/" + campaign + "/recipients"
	w.send(http.MethodPut, path, "text/csv", "email,"+plantedRecipient+"@twice\n")
	w.send(http.MethodPut, path, "text/csv", "email,"+plantedRecipient+"\n")
	w.send(http.MethodPatch, "/api/campaign/"+campaign, "application/json", `{"audience": {"recipients": {"email": ["x `+plantedRecipient+`"]}}}`)
}

// dashboard is all that it shows, and says of every button, to the witness as an
// admin.
func (w *witness) dashboard() string {
	w.c.t.Helper()
	w.c.exec(`UPDATE users SET role = 'admin'`)
	var all strings.Builder
	show := func(method, path string) {
		request, err := http.NewRequestWithContext(w.c.t.Context(), method, w.base+"/admin/queues"+path, http.NoBody)
		if err != nil {
			w.c.t.Fatal(err)
		}
		request.Header = w.header.Clone()
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			w.c.t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode == http.StatusNotFound {
			w.c.t.Errorf("the dashboard does not show %s", path)
		}
		all.WriteString(read(w.c.t, response.Body))
	}
	for _, path := range []string{"", "/api/queues", "/api/queue_stats", "/api/servers", "/api/scheduler_entries", "/api/redis_info"} {
		show(http.MethodGet, path)
	}
	for _, queue := range []string{"ai", "launch"} {
		show(http.MethodGet, "/api/queues/"+queue)
		for _, state := range []string{"active", "pending", "scheduled", "retry", "archived", "completed"} {
			show(http.MethodGet, "/api/queues/"+queue+"/"+state+"_tasks")
		}
		show(http.MethodPost, "/api/queues/"+queue+"/archived_tasks:run_all")
		show(http.MethodDelete, "/api/queues/"+queue+"/archived_tasks:delete_all")
	}
	return all.String()
}

// malformed sends secrets in requests that can't be understood.
func (w *witness) malformed() {
	w.c.t.Helper()
	all := plantedPassword + plantedCredential + plantedBrief + plantedRecipient
	for _, path := range []string{"/api/auth/login", "/api/auth/register", "/api/campaign", "/api/integrations", "/api/campaign/launch"} {
		for _, body := range []string{`{"` + all, `{"` + all + `": "\ud800"}`, `["` + all + `"]`, `{"password": ["` + all + `"], "prompt": 1, "credentials": "` + all + `", "channels": ["` + all + `"]}`} {
			w.send(http.MethodPost, path, "application/json", body)
		}
	}
	w.send(http.MethodGet, "/api/jobs?status="+plantedRecipient, "", "")
	w.send(http.MethodGet, "/api/"+plantedRecipient, "", "")
}

func (w *witness) send(method, path, contentType, body string) (job string) {
	w.c.t.Helper()
	request, err := http.NewRequestWithContext(w.c.t.Context(), method, w.base+path, strings.NewReader(body))
	if err != nil {
		w.c.t.Fatal(err)
	}
	if w.header != nil {
		request.Header = w.header.Clone()
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		w.c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := read(w.c.t, response.Body)
	if response.StatusCode >= http.StatusBadRequest {
		w.errors.WriteString(answer)
	}
	return jobIn(answer)
}

// redisContents is everything that Redis holds but the texts of jobs on their
// way to a stream, which may lie there for minutes.
func redisContents(c *cluster) string {
	c.t.Helper()
	rdb := c.redis()
	var all strings.Builder
	keys := rdb.Scan(c.t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(c.t.Context()) {
		if key := keys.Val(); !strings.HasPrefix(key, "fanfare:text:") {
			fmt.Fprintln(&all, key, redisValue(c, rdb, key))
		}
	}
	if err := keys.Err(); err != nil {
		c.t.Fatal(err)
	}
	return all.String()
}

func redisValue(c *cluster, rdb *redis.Client, key string) string {
	ctx := c.t.Context()
	switch rdb.Type(ctx, key).Val() {
	case "hash":
		return fmt.Sprint(rdb.HGetAll(ctx, key).Val())
	case "list":
		return fmt.Sprint(rdb.LRange(ctx, key, 0, -1).Val())
	case "set":
		return fmt.Sprint(rdb.SMembers(ctx, key).Val())
	case "zset":
		return fmt.Sprint(rdb.ZRange(ctx, key, 0, -1).Val())
	case "stream":
		return fmt.Sprint(rdb.XRange(ctx, key, "-", "+").Val())
	default:
		return rdb.Get(ctx, key).Val()
	}
}
