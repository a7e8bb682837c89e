package e2e

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/testdb"
)

const privateHosts = "ALLOW_PRIVATE_HOSTS=true"

// TestBackupIsRestoredElsewhere: while jobs are submitted, with a launch half
// done, another one waiting and a schedule due. After the backup all of that
// goes out where it was, so nothing of it may go out again from the restored
// data. Guard: hold_launches (migrations/00013_restored.sql).
func TestBackupIsRestoredElsewhere(t *testing.T) {
	t.Parallel()
	const recipients = 300
	old := newCluster(t, 0)
	old.api(privateHosts)
	receiver := newReceiver(t, 10*time.Millisecond)
	old.fill(receiver, recipients)

	// Only the API runs from here on: what is under way stays as it is.
	stopWriting := old.keepWriting()
	file, rows := old.backUp(t)
	written := stopWriting()
	if len(written) < 3 {
		t.Fatalf("%d jobs were submitted beside the backup", len(written))
	}

	// After the backup everything goes out.
	old.scheduler("scheduler-after")
	old.worker("worker-after", privateHosts)
	launches := `SELECT count(*) FROM jobs WHERE kind = 'campaign.launch' AND status = 'succeeded'`
	eventually(t, 2*patience, "the old side to launch all three", func() bool { return old.count(launches) == 3 })
	sent := receiver.count()

	cursor := old.cursor(t)
	restored := old.restoreElsewhere(t, file)
	if diff := cmp.Diff(rows, contents(t, restored.db)); diff != "" {
		t.Fatalf("restored rows (-backed up +restored):\n%s", diff)
	}
	restored.comeHome(t)
	restored.checkHeld(t)

	restored.api(privateHosts)
	restored.worker("worker-restored", privateHosts)
	restored.scheduler("scheduler-restored")
	restored.wantFreshSnapshot(t, cursor)
	eventually(t, 2*patience, "the restored side to finish all jobs", func() bool { return restored.unfinished() == 0 })
	if n := restored.count(`SELECT count(*) FROM jobs WHERE kind = 'campaign.generate' AND status <> 'succeeded'`); n != 0 {
		t.Errorf("%d jobs that were unfinished did not succeed", n)
	}
	if got := receiver.count(); got != sent {
		t.Fatalf("%d messages went out from the restored data", got-sent)
	}
	restored.retryLaunch(t)
	if got := receiver.count(); got != sent {
		t.Errorf("%d messages went out by a retry that did not ask for what is unknown", got-sent)
	}
	eventually(t, patience, "every audit record to be sealed", func() bool {
		code, output := run(t, restored.env(), "audit", "verify")
		return code == 0 && !strings.Contains(output, "wait")
	})
}

// fill makes something of each kind, through the API.
func (c *cluster) fill(r *receiver, recipients int) {
	c.t.Helper()
	scheduler, worker := c.scheduler("scheduler"), c.worker("worker", privateHosts)
	c.awaitWorkers(1)
	c.awaitDone(patience, c.submitAll(0, 10))
	half, waiting := c.addressed(recipients), c.addressed(recipients)
	c.connect(r)
	c.schedule(c.launchable(1)[0], time.Now().Add(time.Hour))
	eventually(c.t, patience, "audit records to be sealed", func() bool { return c.count(`SELECT sequence FROM audit_head`) > 20 })
	scheduler.terminate(20 * time.Second)

	c.model.delay.Store(int64(time.Hour))
	c.submit(100)
	eventually(c.t, patience, "a job to run", func() bool { return c.running() == 1 })
	c.launch(half)
	eventually(c.t, patience, "a third of the launch", func() bool { return r.count() > recipients/3 })
	worker.kill()
	c.launch(waiting)
	c.exec(`UPDATE schedules SET run_at = now(), next_at = now()`)
	c.model.delay.Store(0)
}

// keepWriting submits jobs until the function that it returns is called, which
// returns their ids.
func (c *cluster) keepWriting() (stop func() []string) {
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan []string, 1)
	go func() {
		var ids []string
		for n := 1000; ctx.Err() == nil; n++ {
			ids = append(ids, c.submit(n))
		}
		done <- ids
	}()
	return func() []string {
		cancel()
		return <-done
	}
}

// backUp runs the script and returns its file, and all rows as the backup's
// snapshot sees them.
func (c *cluster) backUp(t *testing.T) (file string, rows map[string][]string) {
	t.Helper()
	tx, err := c.db.BeginTx(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	var snapshot string
	if err := tx.QueryRowContext(t.Context(), `SELECT pg_export_snapshot()`).Scan(&snapshot); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	c.script(t, "backup", folder, "--", "--snapshot="+snapshot)
	files, err := filepath.Glob(filepath.Join(folder, "*.dump"))
	if err != nil || len(files) != 1 {
		t.Fatalf("backups: %v, %v", files, err)
	}
	return files[0], contents(t, tx)
}

func (c *cluster) script(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"../scripts/" + name}, args...)...)
	cmd.Env = testdb.Libpq(t, c.services.DatabaseURL())
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, output)
	}
	return string(output)
}

// restoreElsewhere restores on another server, with another Redis. Its own
// database, which is empty but for the schema, is put aside.
func (c *cluster) restoreElsewhere(t *testing.T, file string) *cluster {
	t.Helper()
	other := &cluster{t: t, program: c.program, client: c.client, services: testdb.OwnServers(t), model: c.model, key: c.key}
	if output := other.script(t, "restore", "--force", file); !strings.Contains(output, "fanfare migrate up") {
		t.Errorf("restore does not say what comes next: %s", output)
	}
	db, err := sql.Open("postgres", other.services.DatabaseURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	other.db = db
	return other
}

// comeHome has the processes adopt the data, which they want first.
func (c *cluster) comeHome(t *testing.T) {
	t.Helper()
	for _, name := range []string{"api", "worker", "scheduler"} {
		if code, output := run(t, c.env("HTTP_ADDR=127.0.0.1:0"), name); code != 1 || !strings.Contains(output, "run `fanfare migrate up` first") {
			t.Fatalf("the %s starts on data that is not at home: %d: %s", name, code, output)
		}
	}
	for range 2 {
		if code, output := run(t, c.env(), "migrate", "up"); code != 0 {
			t.Fatalf("migrate up: %d: %s", code, output)
		}
	}
	if code, output := run(t, c.env(), "audit", "verify"); code != 0 || !strings.Contains(output, "are sealed and sound") {
		t.Errorf("the audit trail: %d: %s", code, output)
	}
}

// checkHeld checks that nothing is left that would send by itself, and that
// people are told.
func (c *cluster) checkHeld(t *testing.T) {
	t.Helper()
	for what, check := range map[string]struct {
		query string
		want  int
	}{
		"launches that end":          {`SELECT count(*) FROM jobs WHERE kind = 'campaign.launch' AND status = 'canceled' AND error->>'message' LIKE '%restored from a backup%'`, 2},
		"launches that go on":        {`SELECT count(*) FROM jobs WHERE kind = 'campaign.launch' AND finished_at IS NULL`, 0},
		"messages to send":           {`SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending')`, 0},
		"messages":                   {`SELECT count(*) FROM deliveries WHERE status IN ('sent', 'unknown')`, 300},
		"schedules that go on":       {`SELECT count(*) FROM schedules WHERE enabled`, 0},
		"schedules that say why":     {`SELECT count(*) FROM schedules WHERE reason LIKE '%restored from a backup%'`, 1},
		"records of schedules":       {`SELECT count(*) FROM audit_logs WHERE action = 'schedule.stop'`, 1},
		"records of launches":        {`SELECT count(*) FROM audit_logs WHERE action = 'job.cancel'`, 2},
		"records of the lost one":    {`SELECT count(*) FROM audit_logs WHERE action = 'job.attempt.end' AND metadata->>'kind' = 'campaign.launch'`, 1},
		"messages without a record":  {`SELECT count(*) FROM deliveries d WHERE status = 'unknown' AND NOT EXISTS (SELECT 1 FROM audit_logs a WHERE a.action = 'delivery.unknown' AND a.resource = d.id::text)`, 0},
		"last events":                {`SELECT count(*) FROM jobs j JOIN job_events e ON e.job_id = j.id AND e.sequence = j.sequence WHERE kind = 'campaign.launch' AND e.type = 'job.canceled' AND e.data = job_snapshot(j)`, 2},
		"campaigns begun":            {`SELECT count(*) FROM campaigns WHERE status = 'partially_launched' AND launched_at IS NOT NULL`, 1},
		"campaigns not begun":        {`SELECT count(*) FROM campaigns WHERE status = 'launching'`, 0},
		"jobs that write are let be": {`SELECT count(*) FROM jobs WHERE kind = 'campaign.generate' AND status = 'canceled'`, 0},
	} {
		if got := c.count(check.query); got != check.want {
			t.Errorf("%s: %d, want %d", what, got, check.want)
		}
	}
}

// cursor is where a reader of the user's stream stands now.
func (c *cluster) cursor(t *testing.T) (id string) {
	t.Helper()
	c.submit(2000)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err := c.follow(ctx, c.apis[0], "/api/events", "", func(f frame) bool {
		id = f.id
		return id == ""
	})
	if err != nil || id == "" {
		t.Fatalf("no cursor: %v", err)
	}
	return id
}

// wantFreshSnapshot: a cursor of the old server means nothing here.
func (c *cluster) wantFreshSnapshot(t *testing.T, cursor string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var snapshot bool
	seen := map[string]string{}
	var job string
	status, err := c.follow(ctx, c.apis[0], "/api/events", cursor, func(f frame) bool {
		if !snapshot {
			snapshot = f.event == "jobs.snapshot"
			job = c.submit(3000)
			return snapshot
		}
		seen[f.data.JobID] += f.event + " "
		return !strings.HasSuffix(seen[job], "job.succeeded ")
	})
	if err != nil || status != http.StatusOK || !snapshot {
		t.Fatalf("a stream with a cursor of the old side: %d, %v; begins with a snapshot: %t", status, err, snapshot)
	}
	if !strings.HasPrefix(seen[job], "job.queued job.started ") {
		t.Errorf("the stream goes on with %q for a new job", seen[job])
	}
}

// retryLaunch retries the launch that was half done: what is unknown stays.
func (c *cluster) retryLaunch(t *testing.T) {
	t.Helper()
	var job string
	err := c.db.QueryRowContext(t.Context(), `SELECT id FROM jobs j WHERE kind = 'campaign.launch' AND EXISTS
		(SELECT 1 FROM deliveries d WHERE d.launch_id::text = j.payload->>'launchId')`).Scan(&job)
	if err != nil {
		t.Fatal(err)
	}
	var accepted struct{ Job struct{ ID string } }
	if response := c.post(c.apis[0], "/api/jobs/"+job+"/retry", c.authorized(), map[string]any{}, &accepted); response.StatusCode != http.StatusAccepted {
		t.Fatalf("retrying a launch that was held: %s", response.Status)
	}
	c.awaitDone(patience, []string{accepted.Job.ID})
}

// contents are all rows of all tables, as text, but for where the data is at
// home.
func contents(t *testing.T, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}) map[string][]string {
	t.Helper()
	texts := func(query string) (texts []string) {
		rows, err := db.QueryContext(t.Context(), query)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var text sql.RawBytes
			if err := rows.Scan(&text); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(bytes.Clone(text)))
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return texts
	}
	all := map[string][]string{}
	for _, table := range texts(`SELECT c.oid::regclass::text FROM pg_class c
		WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'database_origin'`) {
		all[table] = texts(fmt.Sprintf(`SELECT t::text FROM %s t ORDER BY 1`, table))
	}
	for _, table := range []string{"users", "api_keys", "sessions", "campaigns", "conversations", "conversation_messages",
		"integrations", "recipients", "jobs", "job_steps", "job_events", "launches", "deliveries", "schedules", "audit_chain"} {
		if len(all[table]) == 0 {
			t.Errorf("there is nothing in %s to compare", table)
		}
	}
	return all
}
