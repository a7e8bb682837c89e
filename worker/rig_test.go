package worker_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
	"fanfare/internal/testqueue"
	"fanfare/internal/teststore"
	"fanfare/jobs"
	"fanfare/worker"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// rig is a worker with a real database and queue, and a model and listeners
// that a test has in its hand.
type rig struct {
	t      testing.TB
	db     *teststore.DB
	queue  *testqueue.Queue
	model  *model
	outlet *outlet
	ears   *ears
	deps   jobs.Deps
	worker *worker.Worker
}

func newRig(t testing.TB, change ...func(*worker.Config)) *rig {
	t.Helper()
	return rigOn(t, teststore.New(t), change...)
}

func rigOn(t testing.TB, db *teststore.DB, change ...func(*worker.Config)) *rig {
	t.Helper()
	return rigWith(t, db, db, change...)
}

// rigWith gives the worker a store that is not quite the database.
func rigWith(t testing.TB, db *teststore.DB, store worker.Store, change ...func(*worker.Config)) *rig {
	t.Helper()
	r := &rig{t: t, db: db, queue: testqueue.New(t), model: &model{}, outlet: newOutlet(), ears: &ears{}}
	config := worker.Config{
		ID: "w1", Settings: jobs.Settings{JobTimeout: time.Minute}, Lease: time.Minute, Heartbeat: 5 * time.Millisecond,
	}
	for _, f := range change {
		f(&config)
	}
	r.deps = jobs.Deps{
		Writer: r.model, Campaigns: db, Ledger: db, Integrations: db, Connections: r.outlet, Links: r.outlet,
	}
	r.worker = worker.New(config, store, r.queue, r.ears, r.deps, slog.New(slog.DiscardHandler), r.ears)
	return r
}

// beat lets the worker's heart beat until the test ends.
func (r *rig) beat() {
	ctx, stop := context.WithCancel(context.WithoutCancel(r.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { r.worker.Run(ctx) })
	r.t.Cleanup(func() { stop(); running.Wait() })
}

// submit stores a job that writes for sms and ppc.
func (r *rig) submit(change ...func(*fanfare.NewJob)) fanfare.Job {
	r.t.Helper()
	campaign := r.db.NewCampaign()
	conversation, err := r.db.StartConversation(r.t.Context(), r.db.User.ID)
	if err != nil {
		r.t.Fatal(err)
	}
	job, err := jobs.GenerateCampaign.New(r.db.User.ID, campaign.ID, jobs.GenerateCampaignPayload{
		CampaignID: campaign.ID, ConversationID: conversation, Brief: fanfare.Brief{Text: "sell tea"},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return r.db.Queued(append([]func(*fanfare.NewJob){func(n *fanfare.NewJob) { *n = job }}, change...)...)
}

// handle runs what the job's task would start.
func (r *rig) handle(job fanfare.Job) fanfare.JobStatus {
	r.t.Helper()
	status, err := r.worker.Handle(r.t.Context(), job.Kind, job.ID)
	if err != nil {
		r.t.Errorf("Handle: %v", err)
	}
	return status
}

// begin is handle in the background; the result comes when the attempt ends.
func (r *rig) begin(job fanfare.Job) <-chan fanfare.JobStatus {
	ended := make(chan fanfare.JobStatus, 1)
	go func() { ended <- r.handle(job) }()
	return ended
}

// due lets a job that waits for its next attempt have it now.
func (r *rig) due(job fanfare.Job) {
	r.db.Exec(`UPDATE jobs SET run_at = now() WHERE id = $1 AND status = 'retrying'`, job.ID)
}

func (r *rig) wantCarried(job fanfare.Job) {
	r.t.Helper()
	if carried, err := r.queue.Carried(r.t.Context(), job); !carried || err != nil {
		r.t.Errorf("dispatch %d is carried: %t, %v", job.Dispatch, carried, err)
	}
}

func lastAttempt(job *fanfare.NewJob) { job.MaxAttempts = 1 }

// model is a fanfare.Writer that answers well, unless a test says otherwise.
type model struct {
	fail map[string]error // by call: "intent" or a channel
	do   func(ctx context.Context, call string)

	mu    sync.Mutex
	calls []string
}

func (m *model) call(ctx context.Context, name string) (fanfare.Usage, error) {
	m.mu.Lock()
	m.calls = append(m.calls, name)
	m.mu.Unlock()
	if m.do != nil {
		m.do(ctx, name)
	}
	usage := fanfare.Usage{InputTokens: 10, OutputTokens: 1, Model: "m"}
	if err := m.fail[name]; err != nil {
		return usage, err
	}
	return usage, ctx.Err()
}

// asked returns the calls since it was called last.
func (m *model) asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = nil
	return calls
}

func (m *model) ReadBrief(ctx context.Context, brief fanfare.Brief) (fanfare.Intent, fanfare.Usage, error) {
	usage, err := m.call(ctx, "intent")
	return fanfare.Intent{Goal: brief.Text, Channels: []fanfare.Channel{fanfare.SMS, fanfare.PPC}}, usage, err
}

func (m *model) WriteContent(ctx context.Context, channel fanfare.Channel, _ fanfare.Brief, _ fanfare.Intent, _ fanfare.TextSink) (fanfare.ChannelContent, fanfare.Usage, error) {
	usage, err := m.call(ctx, string(channel))
	content := map[fanfare.Channel]fanfare.ChannelContent{
		fanfare.SMS: &fanfare.SMSContent{Text: "Tea!"},
		fanfare.PPC: &fanfare.PPCContent{Headlines: []string{"Tea"}, Descriptions: []string{"Hot"}},
	}
	return content[channel], usage, err
}

// gate lets a test hold the model at one of its calls.
type gate struct {
	entered chan context.Context // the call's
	release chan struct{}
}

// hold stops the model at the named call until the gate is released or, if it
// heeds its context, that is done.
func (m *model) hold(name string, heeding bool) *gate {
	g := &gate{entered: make(chan context.Context, 10), release: make(chan struct{})}
	m.do = func(ctx context.Context, call string) {
		if call != name {
			return
		}
		g.entered <- ctx
		if !heeding {
			<-g.release
			return
		}
		select {
		case <-g.release:
		case <-ctx.Done():
		}
	}
	return g
}

func (g *gate) wait(t *testing.T) context.Context {
	t.Helper()
	return await.Value(t, "the model is asked", g.entered)
}

// ears hear what the worker tells listeners and operators.
type ears struct {
	mu       sync.Mutex
	statuses []fanfare.JobStatus
	reports  []error
}

func (e *ears) Publish(_ context.Context, changed ...fanfare.Job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, job := range changed {
		e.statuses = append(e.statuses, job.Status)
	}
}

func (e *ears) Report(_ context.Context, err error, _ map[string]string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reports = append(e.reports, err)
}

func (e *ears) Trace(ctx context.Context, op fanfare.Op, name string, _ ...slog.Attr) (context.Context, fanfare.EndTrace) {
	return fanfare.Trace(ctx, op, name) // measures nothing
}

// result is what a succeeded job shows.
func result(t *testing.T, job fanfare.Job) (r jobs.GenerateCampaignResult) {
	t.Helper()
	if err := json.Unmarshal(job.Result, &r); err != nil {
		t.Fatalf("the job that is %s has the result %q: %v", job.Status, job.Result, err)
	}
	return r
}
