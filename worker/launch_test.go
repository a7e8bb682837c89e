package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"
	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/teststore"
	"fanfare/jobs"
)

// launchable is a campaign with content for email, an integration that works,
// and these recipients.
func (r *rig) launchable(recipients ...string) fanfare.Campaign {
	r.t.Helper()
	campaign := r.db.NewCampaign()
	campaign.Channels = []fanfare.Channel{fanfare.Email}
	campaign.Content = fanfare.Content{Email: &fanfare.EmailContent{
		Subject: "Tea", Preview: "It is here", Body: "<p>" + strings.Repeat("tea ", fanfare.EmailBodyMinWords) + "</p>",
	}}
	if _, err := r.db.UpdateCampaign(r.t.Context(), campaign); err != nil {
		r.t.Fatal(err)
	}
	list := newID()
	r.db.Exec(`UPDATE campaigns SET status = 'ready', recipient_list = $2 WHERE id = $1`, campaign.ID, list)
	for _, recipient := range recipients {
		r.db.Exec(`INSERT INTO recipients (list_id, channel, address) VALUES ($1, 'email', $2)`, list, recipient)
	}
	if _, err := r.db.IntegrationFor(r.t.Context(), r.db.User.ID, fanfare.Email); err != nil {
		r.connect(fanfare.Email)
	}
	return campaign
}

// connect stores an integration that was found to work.
func (r *rig) connect(channel fanfare.Channel) fanfare.Integration {
	r.t.Helper()
	integration, err := r.db.CreateIntegration(r.t.Context(), fanfare.Integration{
		ID: newID(), UserID: r.db.User.ID, Name: "Outlet", Type: channel, CredentialFields: []string{"key"},
	}, fanfare.Sealed{KeyID: "k", Box: []byte("box")})
	if err != nil {
		r.t.Fatal(err)
	}
	r.db.Exec(`UPDATE integrations SET status = 'connected' WHERE id = $1`, integration.ID)
	return integration
}

func (r *rig) launch(campaign fanfare.Campaign, change ...func(*jobs.LaunchRequest)) fanfare.Job {
	r.t.Helper()
	request := jobs.LaunchRequest{UserID: r.db.User.ID, CampaignID: campaign.ID}
	for _, f := range change {
		f(&request)
	}
	var job fanfare.Job
	err := r.db.Atomic(r.t.Context(), func(ctx context.Context) (err error) {
		job, _, err = jobs.SubmitLaunch(ctx, r.db, request)
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return job
}

// ledger tells the launch's deliveries by recipient.
func (r *rig) ledger() map[string]string {
	r.t.Helper()
	rows := map[string]string{}
	for _, row := range r.db.Query(`SELECT recipient || '=' || status FROM deliveries`) {
		recipient, status, _ := strings.Cut(row, "=")
		rows[recipient] = status
	}
	return rows
}

func (r *rig) wantLedger(want map[string]string) {
	r.t.Helper()
	if diff := cmp.Diff(want, r.ledger()); diff != "" {
		r.t.Errorf("ledger (-want +got):\n%s", diff)
	}
}

func (r *rig) wantCampaign(campaign fanfare.Campaign, want fanfare.CampaignStatus) {
	r.t.Helper()
	now, err := r.db.Campaign(r.t.Context(), r.db.User.ID, campaign.ID)
	if err != nil || now.Status != want {
		r.t.Errorf("the campaign is %s, %v; want %s", now.Status, err, want)
	}
	if launched := want == fanfare.CampaignLaunched || want == fanfare.CampaignPartiallyLaunched; launched != (now.LaunchedAt != nil) {
		r.t.Errorf("a campaign that is %s was launched at %v", want, now.LaunchedAt)
	}
}

func (r *rig) result(job fanfare.Job) (result jobs.LaunchCampaignResult) {
	r.t.Helper()
	if err := json.Unmarshal(r.db.Now(job).Result, &result); err != nil {
		r.t.Fatalf("result of a job that is %s: %v", r.db.Now(job).Status, err)
	}
	return result
}

// TestLaunchesGoOutOnce: what a launch comes to, by what its provider says.
func TestLaunchesGoOutOnce(t *testing.T) {
	everybody := []string{"a@x.example", "b@x.example", "c@x.example"}
	for name, test := range map[string]struct {
		recipients []string
		with       func(r *rig)
		job        fanfare.JobStatus
		ledger     map[string]string
		taken      map[string]int
		campaign   fanfare.CampaignStatus
		channel    fanfare.ChannelResult // of which Channel, Integration and ProviderIDs are looked at elsewhere
	}{
		"all are taken": {
			recipients: everybody, job: fanfare.JobSucceeded,
			ledger:   map[string]string{"a@x.example": "sent", "b@x.example": "sent", "c@x.example": "sent"},
			taken:    map[string]int{"a@x.example": 1, "b@x.example": 1, "c@x.example": 1},
			campaign: fanfare.CampaignLaunched, channel: fanfare.ChannelResult{Status: fanfare.DeliverySent, Sent: 3},
		},
		"one is refused": {
			recipients: everybody, job: fanfare.JobSucceeded,
			with:     func(r *rig) { r.outlet.before = failing(fanfare.FateRefused, "b@x.example") },
			ledger:   map[string]string{"a@x.example": "sent", "b@x.example": "failed", "c@x.example": "sent"},
			taken:    map[string]int{"a@x.example": 1, "c@x.example": 1},
			campaign: fanfare.CampaignPartiallyLaunched,
			channel:  fanfare.ChannelResult{Status: fanfare.DeliverySent, Sent: 2, Failed: 1},
		},
		"one may have been taken": {
			recipients: everybody, job: fanfare.JobSucceeded,
			with: func(r *rig) {
				r.outlet.after = func(m fanfare.Outgoing) error {
					if m.Recipient == "b@x.example" {
						return errors.New("the connection broke")
					}
					return nil
				}
			},
			ledger:   map[string]string{"a@x.example": "sent", "b@x.example": "unknown", "c@x.example": "sent"},
			taken:    map[string]int{"a@x.example": 1, "b@x.example": 1, "c@x.example": 1},
			campaign: fanfare.CampaignPartiallyLaunched,
			channel:  fanfare.ChannelResult{Status: fanfare.DeliverySent, Sent: 2, Unknown: 1},
		},
		"the provider can be asked": {
			recipients: []string{"a@x.example"}, job: fanfare.JobSucceeded,
			with: func(r *rig) {
				r.outlet.answer = fanfare.AnswerTaken
				r.outlet.after = func(fanfare.Outgoing) error { return errors.New("the connection broke") }
			},
			ledger: map[string]string{"a@x.example": "sent"}, taken: map[string]int{"a@x.example": 1},
			campaign: fanfare.CampaignLaunched, channel: fanfare.ChannelResult{Status: fanfare.DeliverySent, Sent: 1},
		},
		"the connector panics": {
			recipients: []string{"a@x.example"}, job: fanfare.JobSucceeded,
			with:   func(r *rig) { r.outlet.after = func(fanfare.Outgoing) error { panic("a bug") } },
			ledger: map[string]string{"a@x.example": "unknown"}, taken: map[string]int{"a@x.example": 1},
			campaign: fanfare.CampaignPartiallyLaunched,
			channel:  fanfare.ChannelResult{Status: fanfare.DeliveryUnknown, Unknown: 1},
		},
		"the credentials are refused": {
			recipients: []string{"a@x.example"}, job: fanfare.JobSucceeded,
			with:     func(r *rig) { r.outlet.before = failing(fanfare.FateUnauthorized, "a@x.example") },
			ledger:   map[string]string{"a@x.example": "failed"},
			campaign: fanfare.CampaignFailed,
			channel:  fanfare.ChannelResult{Status: fanfare.DeliveryFailed, Failed: 1, Error: text("The provider said unauthorized.")},
		},
		"somebody has unsubscribed": {
			recipients: everybody, job: fanfare.JobSucceeded,
			with:     func(r *rig) { r.suppress("b@x.example") },
			ledger:   map[string]string{"a@x.example": "sent", "b@x.example": "skipped", "c@x.example": "sent"},
			taken:    map[string]int{"a@x.example": 1, "c@x.example": 1},
			campaign: fanfare.CampaignLaunched,
			channel:  fanfare.ChannelResult{Status: fanfare.DeliverySent, Sent: 2, Skipped: 1},
		},
		"nobody is there": {
			job: fanfare.JobSucceeded, ledger: map[string]string{}, campaign: fanfare.CampaignFailed,
			channel: fanfare.ChannelResult{
				Status: fanfare.DeliverySkipped,
				Error:  text("The campaign has no recipients for email who want messages. Add some, then retry the launch."),
			},
		},
		"no integration serves the channel": {
			recipients: everybody, job: fanfare.JobSucceeded,
			with:   func(r *rig) { r.db.Exec(`DELETE FROM integrations`) },
			ledger: map[string]string{}, campaign: fanfare.CampaignFailed,
			channel: fanfare.ChannelResult{
				Status: fanfare.DeliverySkipped, Error: text("No integration serves email. Connect one, then retry the launch."),
			},
		},
		"a provider that knows the recipients": {
			job: fanfare.JobSucceeded, with: func(r *rig) { r.outlet.broadcast = true },
			ledger: map[string]string{"": "sent"}, taken: map[string]int{"": 1},
			campaign: fanfare.CampaignLaunched, channel: fanfare.ChannelResult{Status: fanfare.DeliverySent, Sent: 1},
		},
		"it can't be reached": {
			recipients: []string{"a@x.example"}, job: fanfare.JobRetrying,
			with:   func(r *rig) { r.outlet.before = failing(fanfare.FateHalted, "a@x.example") },
			ledger: map[string]string{"a@x.example": "pending"}, campaign: fanfare.CampaignLaunching,
		},
		"it wants to be asked later": {
			recipients: everybody, job: fanfare.JobRetrying,
			with:   func(r *rig) { r.outlet.before = failing(fanfare.FateDeferred, "b@x.example") },
			ledger: map[string]string{"a@x.example": "sent", "b@x.example": "pending", "c@x.example": "sent"},
			taken:  map[string]int{"a@x.example": 1, "c@x.example": 1}, campaign: fanfare.CampaignLaunching,
		},
		"an integration that was never tested, and does not work": {
			recipients: []string{"a@x.example"}, job: fanfare.JobSucceeded,
			with: func(r *rig) {
				r.db.Exec(`UPDATE integrations SET status = 'disconnected'`)
				r.outlet.testErr = &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "Wrong password."}
			},
			ledger: map[string]string{}, campaign: fanfare.CampaignFailed,
			channel: fanfare.ChannelResult{Status: fanfare.DeliveryFailed, Error: text("Wrong password.")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			campaign := r.launchable(test.recipients...)
			if test.with != nil {
				test.with(r)
			}
			job := r.launch(campaign)
			r.wantCampaign(campaign, fanfare.CampaignLaunching)
			if status := r.handle(job); status != test.job {
				t.Fatalf("the job is %s, want %s", status, test.job)
			}
			r.wantLedger(test.ledger)
			r.outlet.wantTaken(t, test.taken)
			if test.job == fanfare.JobRetrying {
				return
			}
			r.wantCampaign(campaign, test.campaign)
			result := r.result(job)
			got := result.LaunchResults[0]
			got.Channel, got.Integration, got.ProviderIDs = "", nil, nil
			if diff := cmp.Diff(test.channel, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
			if succeeded := test.channel.Status == fanfare.DeliverySent; succeeded != (result.SuccessCount == 1) || result.TotalChannels != 1 {
				t.Errorf("%d of %d channels", result.SuccessCount, result.TotalChannels)
			}
			record := r.db.Query(`SELECT status || ' ' || (metadata->>'successCount') FROM audit_logs WHERE action = 'campaign.launch'`)
			if want := map[bool]string{true: "success 1", false: "failure 0"}[result.SuccessCount == 1]; !slices.Equal(record, []string{want}) {
				t.Errorf("audit records %q, want %s", record, want)
			}
		})
	}
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

func text(s string) *string { return &s }

func (r *rig) suppress(address string) {
	r.db.Exec(`INSERT INTO suppressions (user_id, channel, address, reason) VALUES ($1, 'email', $2, 'test')`, r.db.User.ID, address)
}

// TestUnfitContentStopsALaunch before anything is sent, on any channel.
func TestUnfitContentStopsALaunch(t *testing.T) {
	for name, edit := range map[string]func(*fanfare.Campaign){
		"a placeholder":  func(c *fanfare.Campaign) { c.Content.Email.Subject = "Hello {{name}}" },
		"one in letters": func(c *fanfare.Campaign) { c.Content.Email.Body += "<p>Yours, [Company]</p>" },
		"too long":       func(c *fanfare.Campaign) { c.Content.Email.Subject = strings.Repeat("x", 60) },
		"on another channel": func(c *fanfare.Campaign) {
			c.Content.SMS = &fanfare.SMSContent{Text: strings.Repeat("x", 161)}
			c.Channels = append(c.Channels, fanfare.SMS)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			campaign := r.launchable("a@x.example")
			campaign.Content = fanfare.Content{Email: &fanfare.EmailContent{
				Subject: "Tea", Preview: "It is here", Body: "<p>" + strings.Repeat("tea ", fanfare.EmailBodyMinWords) + "</p>",
			}}
			campaign.Channels = []fanfare.Channel{fanfare.Email}
			edit(&campaign)
			if _, err := r.db.UpdateCampaign(t.Context(), campaign); err != nil {
				t.Fatal(err)
			}
			job := r.launch(campaign)
			r.handle(job)
			now := r.db.Now(job)
			if now.Status != fanfare.JobFailed || now.Error.Code != fanfare.CodeLaunchCheckFailed || now.Attempt != 1 {
				t.Errorf("the job is %s, %+v after %d attempts", now.Status, now.Error, now.Attempt)
			}
			r.outlet.wantTaken(t, nil)
			r.wantCampaign(campaign, fanfare.CampaignFailed)
			if failures := r.db.Query(`SELECT metadata->>'code' FROM audit_logs WHERE action = 'campaign.launch' AND status = 'failure'`); len(failures) != 1 {
				t.Errorf("refusals in the audit: %q", failures)
			}
		})
	}
}

// TestContentThatAProviderWouldNotTakeStopsALaunch on all channels. That it can't
// be asked is not the content's fault.
func TestContentThatAProviderWouldNotTakeStopsALaunch(t *testing.T) {
	for fate, want := range map[fanfare.Fate]string{
		fanfare.FateRefused: "failed launch_check_failed: No message went out: email: Too long. Edit the campaign's content, then launch again.",
		fanfare.FateHalted:  "retrying",
	} {
		for _, dryRun := range []bool{false, true} {
			r := newRig(t)
			campaign := r.launchable("a@x.example")
			r.outlet.fitErr = &fanfare.SendError{Fate: fate, Reason: "Too long."}
			job := r.launch(campaign, func(l *jobs.LaunchRequest) { l.DryRun = dryRun })
			r.handle(job)
			now := r.db.Now(job)
			got := string(now.Status)
			if now.Error != nil {
				got += " " + now.Error.Code + ": " + now.Error.Message
			}
			if dryRun && fate == fanfare.FateHalted {
				want = "succeeded" // with what stands in the way
			}
			if got != want {
				t.Errorf("%s, dry run %v: %s", fate, dryRun, got)
			}
			r.outlet.wantTaken(t, nil)
		}
	}
}

// TestTheLedgerIsWrittenFirst: whatever a provider is asked to take, the
// database says already that it may have it.
func TestTheLedgerIsWrittenFirst(t *testing.T) {
	r := newRig(t)
	var recipients []string
	for i := range 100 {
		recipients = append(recipients, fmt.Sprintf("r%d@x.example", i))
	}
	campaign := r.launchable(recipients...)
	var mu sync.Mutex
	r.outlet.before = func(_ context.Context, m fanfare.Outgoing) error {
		mu.Lock()
		defer mu.Unlock()
		if status := r.db.Query(`SELECT status FROM deliveries WHERE id = $1`, m.ID); !slices.Equal(status, []string{"sending"}) {
			t.Errorf("the delivery to %s is %q while it is sent", m.Recipient, status)
		}
		return nil
	}
	if status := r.handle(r.launch(campaign)); status != fanfare.JobSucceeded {
		t.Fatalf("the job is %s", status)
	}
	if sent := r.db.Query(`SELECT count(*) FROM deliveries WHERE status = 'sent'`); sent[0] != "100" {
		t.Errorf("%s were sent", sent[0])
	}
}

// TestADeadWorkersMessagesAreUnknown: nobody knows what became of those in
// flight, so they are not sent again; all others are, once.
func TestADeadWorkersMessagesAreUnknown(t *testing.T) {
	db := teststore.New(t)
	first := rigOn(t, db)
	campaign := first.launchable("a@x.example", "b@x.example")
	entered, release, deferred := make(chan string, 10), make(chan struct{}), make(chan struct{}, 10)
	first.outlet.before = func(_ context.Context, m fanfare.Outgoing) error {
		if m.Recipient == "b@x.example" {
			deferred <- struct{}{}
			return &fanfare.SendError{Fate: fanfare.FateDeferred, Reason: "Later."}
		}
		entered <- m.Recipient
		<-release
		return nil
	}
	job := first.launch(campaign)
	ended := first.begin(job)
	await.Value(t, "a message is in flight", entered)
	await.Value(t, "another is put off", deferred)
	await.True(t, "the ledger says so", func() bool {
		return slices.Equal(db.Query(`SELECT status FROM deliveries WHERE recipient = 'b@x.example'`), []string{"pending"})
	})

	db.Lost(job)
	if _, err := db.Reap(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	second := rigOn(t, db)
	if status := second.handle(job); status != fanfare.JobSucceeded {
		t.Errorf("the second attempt left the job %s", status)
	}
	close(release) // the first worker was not dead after all
	await.Value(t, "the first attempt ends", ended)
	second.wantLedger(map[string]string{"a@x.example": "unknown", "b@x.example": "sent"})
	first.outlet.wantTaken(t, map[string]int{"a@x.example": 1})
	second.outlet.wantTaken(t, map[string]int{"b@x.example": 1})
	if told := db.Query(`SELECT resource FROM audit_logs WHERE action = 'delivery.unknown'`); len(told) != 1 {
		t.Errorf("the audit tells of %d unknown deliveries", len(told))
	}
	second.wantCampaign(campaign, fanfare.CampaignPartiallyLaunched)
}

// TestCanceledLaunches stop after the messages in flight, and say how far they
// came.
func TestCanceledLaunches(t *testing.T) {
	r := newRig(t)
	r.beat()
	var recipients []string
	for i := range 200 {
		recipients = append(recipients, fmt.Sprintf("r%03d@x.example", i))
	}
	campaign := r.launchable(recipients...)
	entered := make(chan struct{}, 200)
	r.outlet.before = func(ctx context.Context, _ fanfare.Outgoing) error {
		entered <- struct{}{}
		<-ctx.Done() // heeds only the end of its time
		return nil
	}
	job := r.launch(campaign)
	ended := r.begin(job)
	for range 32 {
		await.Value(t, "messages are in flight", entered)
	}
	if _, err := r.db.Cancel(t.Context(), r.db.User.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	if status := await.Value(t, "the launch ends", ended); status != fanfare.JobCanceled {
		t.Errorf("the job is %s", status)
	}
	counts := map[string]int{}
	for _, status := range r.ledger() {
		counts[status]++
	}
	if diff := cmp.Diff(map[string]int{"sent": 32, "pending": 168}, counts); diff != "" {
		t.Errorf("ledger (-want +got):\n%s", diff)
	}
	r.wantCampaign(campaign, fanfare.CampaignPartiallyLaunched)
}

// TestCanceledBeforeItBegan: the campaign is what it was.
func TestCanceledBeforeItBegan(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example")
	job := r.launch(campaign)
	if _, err := r.db.Cancel(t.Context(), r.db.User.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	r.handle(job)
	r.outlet.wantTaken(t, nil)
	r.wantCampaign(campaign, fanfare.CampaignReady)
}

// TestRetriesTouchOnlyWhatIsLeft: a retry goes on with the same launch, and what
// is unknown is sent again only if a person says so.
func TestRetriesTouchOnlyWhatIsLeft(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example", "b@x.example", "c@x.example")
	r.outlet.before = failing(fanfare.FateRefused, "b@x.example")
	r.outlet.after = func(m fanfare.Outgoing) error {
		if m.Recipient == "c@x.example" {
			return errors.New("cut off")
		}
		return nil
	}
	first := r.launch(campaign)
	r.handle(first)
	r.outlet.before, r.outlet.after = nil, nil

	second := r.retry(first, false)
	r.handle(second)
	r.wantLedger(map[string]string{"a@x.example": "sent", "b@x.example": "sent", "c@x.example": "unknown"})
	if _, err := r.db.Retry(t.Context(), r.db.User.ID, second.ID, false); fanfare.ErrorCode(err) != fanfare.CodeNotRetryable {
		t.Errorf("retrying what is only unknown: %v", err)
	}
	third := r.retry(second, true)
	r.handle(third)
	r.wantLedger(map[string]string{"a@x.example": "sent", "b@x.example": "sent", "c@x.example": "sent"})
	r.outlet.wantTaken(t, map[string]int{"a@x.example": 1, "b@x.example": 1, "c@x.example": 2})
	r.wantCampaign(campaign, fanfare.CampaignLaunched)
}

func (r *rig) retry(job fanfare.Job, resendUnknown bool) fanfare.Job {
	r.t.Helper()
	again, err := r.db.Retry(r.t.Context(), r.db.User.ID, job.ID, resendUnknown)
	if err != nil {
		r.t.Fatal(err)
	}
	return again
}

// TestPutOffMessagesFailInTheEnd, with the provider's reason.
func TestPutOffMessagesFailInTheEnd(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example", "b@x.example")
	r.outlet.before = failing(fanfare.FateDeferred, "b@x.example")
	job := r.launch(campaign)
	for range 4 {
		if status := r.handle(job); status != fanfare.JobRetrying {
			t.Fatalf("the job is %s", status)
		}
		r.due(job)
	}
	if status := r.handle(job); status != fanfare.JobSucceeded {
		t.Fatalf("the job is %s after its last attempt", status)
	}
	r.wantLedger(map[string]string{"a@x.example": "sent", "b@x.example": "failed"})
	if why := r.db.Query(`SELECT error FROM deliveries WHERE status = 'failed'`); why[0] != "The provider said deferred." {
		t.Errorf("it failed with %q", why)
	}
	r.outlet.wantTaken(t, map[string]int{"a@x.example": 1})
}

// TestAProvidersPauseSpendsNoAttempt, and holds for every worker.
func TestAProvidersPauseSpendsNoAttempt(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example")
	r.outlet.before = func(context.Context, fanfare.Outgoing) error {
		return &fanfare.SendError{Fate: fanfare.FateHalted, Reason: "Too fast.", RetryAfter: time.Minute}
	}
	job := r.launch(campaign)
	r.handle(job)
	if now := r.db.Now(job); now.Status != fanfare.JobRetrying || now.Attempt != 0 || time.Until(*now.RunAt) < 50*time.Second {
		t.Errorf("the job is %s after %d attempts, again at %v", now.Status, now.Attempt, now.RunAt)
	}
	r.outlet.before = nil
	r.due(job)
	r.handle(job)
	if now := r.db.Now(job); now.Status != fanfare.JobRetrying || now.Attempt != 0 {
		t.Errorf("another worker did not wait: the job is %s after %d attempts", now.Status, now.Attempt)
	}
	r.outlet.wantTaken(t, nil)
}

// TestDryRunsSendNothing, and show what would go out.
func TestDryRunsSendNothing(t *testing.T) {
	r := newRig(t)
	var recipients []string
	for i := range 30 {
		recipients = append(recipients, fmt.Sprintf("r%02d@x.example", i))
	}
	campaign := r.launchable(recipients...)
	r.suppress("r00@x.example")
	job := r.launch(campaign, func(l *jobs.LaunchRequest) { l.DryRun = true })
	r.wantCampaign(campaign, fanfare.CampaignReady)
	if status := r.handle(job); status != fanfare.JobSucceeded {
		t.Fatalf("the job is %s", status)
	}
	r.outlet.wantTaken(t, nil)
	r.wantLedger(map[string]string{})
	r.wantCampaign(campaign, fanfare.CampaignReady)
	result := r.result(job)
	requests := result.LaunchResults[0].Requests
	if len(requests) != 20 || requests[0].URL != "outlet://r01@x.example" || result.SuccessCount != 0 || !result.DryRun {
		t.Errorf("%d requests in %+v", len(requests), result)
	}
}

// TestOneChannelsTroubleIsItsOwn.
func TestOneChannelsTroubleIsItsOwn(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example")
	now, err := r.db.Campaign(t.Context(), r.db.User.ID, campaign.ID)
	if err != nil {
		t.Fatal(err)
	}
	now.Content.Social = &fanfare.SocialContent{Post: "Tea!", Hashtags: []string{}}
	now.Channels = []fanfare.Channel{fanfare.Email, fanfare.Social}
	if _, err := r.db.UpdateCampaign(t.Context(), now); err != nil {
		t.Fatal(err)
	}
	job := r.launch(campaign)
	r.handle(job)
	result := r.result(job)
	var got []string
	for _, channel := range result.LaunchResults {
		got = append(got, string(channel.Channel)+" "+string(channel.Status))
	}
	if diff := cmp.Diff([]string{"email sent", "social skipped"}, got); diff != "" || result.SuccessCount != 1 || result.TotalChannels != 2 {
		t.Errorf("%d of %d (-want +got):\n%s", result.SuccessCount, result.TotalChannels, diff)
	}
	r.wantCampaign(campaign, fanfare.CampaignPartiallyLaunched)
}

// TestRatesHoldForAllWorkers, and no booked time is lost: at twenty a second,
// forty messages of two launches take two seconds, whatever the lanes.
func TestRatesHoldForAllWorkers(t *testing.T) {
	r := newRig(t)
	r.outlet.rate = 20
	var times []time.Time
	var mu sync.Mutex
	r.outlet.before = func(context.Context, fanfare.Outgoing) error {
		mu.Lock()
		defer mu.Unlock()
		times = append(times, time.Now())
		return nil
	}
	var running []<-chan fanfare.JobStatus
	for campaign := range 2 {
		var recipients []string
		for i := range 20 {
			recipients = append(recipients, fmt.Sprintf("c%d-%d@x.example", campaign, i))
		}
		running = append(running, r.begin(r.launch(r.launchable(recipients...))))
	}
	for _, ended := range running {
		if status := await.Value(t, "a launch ends", ended); status != fanfare.JobSucceeded {
			t.Errorf("a launch is %s", status)
		}
	}
	if len(times) != 40 {
		t.Fatalf("%d messages were sent", len(times))
	}
	for i := range times[20:] {
		if gap := times[i+20].Sub(times[i]); gap < 900*time.Millisecond {
			t.Errorf("twenty messages went out in %s", gap)
			break
		}
	}
}

// TestAReplacedIntegrationGoesOn: who changed a password deletes the integration
// and connects it anew.
func TestAReplacedIntegrationGoesOn(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example", "b@x.example")
	r.outlet.before = failing(fanfare.FateUnauthorized, "b@x.example")
	first := r.launch(campaign)
	r.handle(first)
	r.db.Exec(`DELETE FROM integrations`)
	r.connect(fanfare.Email)
	r.outlet.before = nil
	r.handle(r.retry(first, false))
	r.wantLedger(map[string]string{"a@x.example": "sent", "b@x.example": "sent"})
	r.outlet.wantTaken(t, map[string]int{"a@x.example": 1, "b@x.example": 1})
	r.wantCampaign(campaign, fanfare.CampaignLaunched)
}

// TestNothingStaysInFlight when the job is over, however it ended: what was in
// flight is unknown, and audited.
func TestNothingStaysInFlight(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, r *rig, job fanfare.Job){
		"canceled, and its worker was lost": func(t *testing.T, r *rig, job fanfare.Job) {
			if _, err := r.db.Cancel(t.Context(), r.db.User.ID, job.ID); err != nil {
				t.Fatal(err)
			}
			r.reap(job)
			if n, err := r.db.SettleAbandoned(t.Context(), 10); n != 1 || err != nil {
				t.Errorf("%d deliveries were settled, %v", n, err)
			}
		},
		"its integration is gone": func(t *testing.T, r *rig, job fanfare.Job) {
			r.db.Exec(`DELETE FROM integrations`)
			r.reap(job)
			rigOn(t, r.db).handle(job)
		},
		"its integration was replaced": func(t *testing.T, r *rig, job fanfare.Job) {
			r.db.Exec(`DELETE FROM integrations`)
			r.connect(fanfare.Email)
			r.reap(job)
			second := rigOn(t, r.db)
			second.outlet.answer = fanfare.AnswerRepeat // of messages that it never saw
			second.handle(job)
		},
		"its content became unfit": func(t *testing.T, r *rig, job fanfare.Job) {
			r.db.Exec(`UPDATE campaigns SET content = '{}'`)
			r.reap(job)
			rigOn(t, r.db).handle(job)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			campaign := r.launchable("a@x.example")
			entered, release := make(chan string, 1), make(chan struct{})
			r.outlet.before = func(_ context.Context, m fanfare.Outgoing) error {
				entered <- m.Recipient
				<-release
				return nil
			}
			job := r.launch(campaign)
			ended := r.begin(job)
			await.Value(t, "a message is in flight", entered)
			end(t, r, job)
			close(release)
			await.Value(t, "the lost attempt ends", ended)
			r.wantLedger(map[string]string{"a@x.example": "unknown"})
			r.wantCampaign(campaign, fanfare.CampaignPartiallyLaunched)
			if told := r.db.Query(`SELECT resource FROM audit_logs WHERE action = 'delivery.unknown'`); len(told) != 1 {
				t.Errorf("the audit tells of %d unknown deliveries", len(told))
			}
			if left := r.db.Query(`SELECT id FROM jobs WHERE finished_at IS NULL`); len(left) != 0 {
				t.Errorf("jobs that are not over: %q", left)
			}
		})
	}
}

// reap lets a job's attempt be lost.
func (r *rig) reap(job fanfare.Job) {
	r.t.Helper()
	r.db.Lost(job)
	if _, err := r.db.Reap(r.t.Context(), 10); err != nil {
		r.t.Fatal(err)
	}
}

// TestAProviderThatCantBeAskedIsAskedAgain before a delivery is called unknown.
func TestAProviderThatCantBeAskedIsAskedAgain(t *testing.T) {
	r := newRig(t)
	r.outlet.after = func(fanfare.Outgoing) error { return errors.New("cut off") }
	r.outlet.askErr = &fanfare.SendError{Fate: fanfare.FateHalted, Reason: "Away."}
	campaign := r.launchable("a@x.example")
	job := r.launch(campaign)
	if status := r.handle(job); status != fanfare.JobRetrying {
		t.Fatalf("the job is %s", status)
	}
	r.wantLedger(map[string]string{"a@x.example": "sending"})
	r.outlet.after, r.outlet.askErr, r.outlet.answer = nil, nil, fanfare.AnswerTaken
	r.due(job)
	r.handle(job)
	r.wantLedger(map[string]string{"a@x.example": "sent"})
	r.outlet.wantTaken(t, map[string]int{"a@x.example": 1})
	r.wantCampaign(campaign, fanfare.CampaignLaunched)
}

// TestAPauseBeyondTheDeadlineEndsALaunch with the provider's words.
func TestAPauseBeyondTheDeadlineEndsALaunch(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example")
	r.outlet.before = func(context.Context, fanfare.Outgoing) error {
		return &fanfare.SendError{Fate: fanfare.FateHalted, Reason: "Come back in a week.", RetryAfter: 7 * 24 * time.Hour}
	}
	job := r.launch(campaign)
	if status := r.handle(job); status != fanfare.JobSucceeded {
		t.Fatalf("the job is %s", status)
	}
	if why := r.db.Query(`SELECT error FROM deliveries WHERE status = 'failed'`); !slices.Equal(why, []string{"Come back in a week."}) {
		t.Errorf("failed with %q", why)
	}
	r.wantCampaign(campaign, fanfare.CampaignFailed)
}

// TestALaterLaunchBlocksNoRetry of an earlier one.
func TestALaterLaunchBlocksNoRetry(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("a@x.example", "b@x.example")
	r.outlet.before = failing(fanfare.FateRefused, "b@x.example")
	first := r.launch(campaign)
	r.handle(first)
	r.handle(r.launch(campaign, func(l *jobs.LaunchRequest) { l.DryRun = true }))
	r.outlet.before = nil
	second := r.retry(first, false)
	r.handle(second)
	r.outlet.wantTaken(t, map[string]int{"a@x.example": 1, "b@x.example": 1})
	if _, err := r.db.Retry(t.Context(), r.db.User.ID, first.ID, false); fanfare.ErrorCode(err) != fanfare.CodeNotRetryable {
		t.Errorf("a launch that a later job has finished is tried again: %v", err)
	}
}
