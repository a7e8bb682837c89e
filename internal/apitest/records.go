package apitest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"fanfare"
	"fanfare/jobs"
	"fanfare/queue"
	"fanfare/scheduler"
)

// User makes a user with an API key, and a client that uses it.
func (a *App) User(t testing.TB, email string) *Client {
	t.Helper()
	user, err := a.Store.CreateUser(t.Context(), fanfare.User{Name: "Ada", Email: email, PasswordHash: "none", Role: fanfare.RoleUser})
	if err != nil {
		t.Fatal(err)
	}
	key, digest := a.tokens.NewKey()
	if _, err := a.Store.CreateAPIKey(t.Context(), user.ID, "test", digest); err != nil {
		t.Fatal(err)
	}
	return &Client{app: a, UserID: user.ID, Header: map[string]string{"Authorization": "Bearer " + key}}
}

// Admin is User for one who is an admin too.
func (a *App) Admin(t testing.TB, email string) *Client {
	t.Helper()
	c := a.User(t, email)
	a.Exec(t, `UPDATE users SET role = 'admin' WHERE id = $1`, c.UserID)
	return c
}

// SignedIn makes a session of the client's user, and a client with its cookie.
func (a *App) SignedIn(t testing.TB, c *Client) *Client {
	t.Helper()
	token, digest := a.tokens.NewSession()
	user := fanfare.User{ID: c.UserID, PasswordHash: a.passwordHash(t, c.UserID)}
	if _, err := a.Store.CreateSession(t.Context(), user, digest, time.Hour); err != nil {
		t.Fatal(err)
	}
	return &Client{app: a, UserID: c.UserID, Header: map[string]string{"Cookie": "fanfare_session=" + token}}
}

func (a *App) passwordHash(t testing.TB, userID string) (hash string) {
	t.Helper()
	if err := a.DB.QueryRowContext(t.Context(), `SELECT password_hash FROM users WHERE id = $1`, userID).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	return hash
}

// Unsubscribe is the path that unsubscribes an address from what a user sends.
func (a *App) Unsubscribe(userID, channel, address string) string {
	return "/unsubscribe/" + a.tokens.UnsubscribeToken(userID, channel, address)
}

// Claim starts an attempt of a job, as a worker would.
func (a *App) Claim(t testing.TB, jobID string) fanfare.Claimed {
	t.Helper()
	lease := fanfare.Lease{JobID: jobID, Token: uuid.Must(uuid.NewV4()).String()}
	claimed, err := a.Store.Claim(t.Context(), "test", []fanfare.Lease{lease}, time.Minute)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("claiming %s: %d jobs, %v", jobID, len(claimed), err)
	}
	return claimed[0]
}

// End claims a job that waits and ends it, as a worker would.
func (a *App) End(t testing.TB, jobID string, status fanfare.JobStatus) {
	t.Helper()
	a.Finish(t, a.Claim(t, jobID), status)
}

// Finish ends an attempt and tells those who listen.
func (a *App) Finish(t testing.TB, claimed fanfare.Claimed, status fanfare.JobStatus) {
	t.Helper()
	outcome := fanfare.Outcome{Lease: claimed.Lease, Status: status}
	switch status {
	case fanfare.JobSucceeded:
		outcome.Result = a.Result(t, claimed.Job)
	case fanfare.JobRetrying:
		outcome.Delay = time.Hour
	case fanfare.JobFailed, fanfare.JobExpired:
		outcome.Error = &fanfare.JobError{Code: fanfare.CodeAIUnavailable, Message: "The model is away.", Retryable: true}
	}
	finished, err := a.Store.Finish(t.Context(), []fanfare.Outcome{outcome})
	if err != nil || len(finished) != 1 {
		t.Fatalf("ending %s: %d jobs, %v", claimed.Job.ID, len(finished), err)
	}
	a.Hub.Publish(t.Context(), finished...)
}

// Result is what a job could end with: the least of its kind.
func (a *App) Result(t testing.TB, job fanfare.Job) json.RawMessage {
	t.Helper()
	campaign := fanfare.Campaign{Audience: json.RawMessage(`{}`), Metrics: json.RawMessage(`{}`), Status: fanfare.CampaignReady, Channels: []fanfare.Channel{}}
	if job.CampaignID != nil {
		campaign.ID = *job.CampaignID
		if stored, err := a.Store.Campaign(t.Context(), job.UserID, campaign.ID); err == nil { // else it was deleted
			campaign = stored
		}
	}
	results := map[string]any{
		jobs.GenerateCampaign.Name: jobs.GenerateCampaignResult{Campaign: campaign, ConversationID: uuid.Must(uuid.NewV7()).String()},
		jobs.LaunchCampaign.Name:   jobs.LaunchCampaignResult{Campaign: campaign, LaunchResults: []fanfare.ChannelResult{}},
		jobs.Analyze.Name: jobs.AnalyzeResult{CampaignID: campaign.ID, Insights: fanfare.Insights{
			Summary: "s", KeyMetrics: []fanfare.KeyMetric{}, Recommendations: []string{}, Optimizations: []string{},
		}},
		jobs.Optimize.Name: jobs.OptimizeResult{Suggestions: []string{"s"}},
	}
	raw, err := json.Marshal(results[job.Kind])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// Audit is an audit record.
type Audit struct {
	Action, Status, UserID, Resource, IPAddress, UserAgent string
}

// Audits returns every audit record but those of attempts, oldest first.
func (a *App) Audits(t testing.TB) []Audit {
	t.Helper()
	rows, err := a.DB.QueryContext(t.Context(), `SELECT action, status, coalesce(user_id::text, ''), coalesce(resource, ''),
		coalesce(ip_address, ''), coalesce(user_agent, '') FROM audit_logs WHERE action NOT LIKE 'job.attempt.%' ORDER BY position, id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var audits []Audit
	for rows.Next() {
		var r Audit
		if err := rows.Scan(&r.Action, &r.Status, &r.UserID, &r.Resource, &r.IPAddress, &r.UserAgent); err != nil {
			t.Fatal(err)
		}
		audits = append(audits, r)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return audits
}

// Count returns the number that a query selects.
func (a *App) Count(t testing.TB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := a.DB.QueryRowContext(t.Context(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Text returns the text that a query selects.
func (a *App) Text(t testing.TB, query string, args ...any) (text string) {
	t.Helper()
	if err := a.DB.QueryRowContext(t.Context(), query, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// Exec changes the database.
func (a *App) Exec(t testing.TB, statement string, args ...any) {
	t.Helper()
	if _, err := a.DB.ExecContext(t.Context(), statement, args...); err != nil {
		t.Fatal(err)
	}
}

// Relay has the relay look after every job that waits, as if it were time to.
func (a *App) Relay(t testing.TB) {
	t.Helper()
	a.Exec(t, `UPDATE jobs SET relay_at = now() WHERE status IN ('scheduled', 'queued', 'retrying')`)
	if err := (scheduler.Relay{Outbox: a.Store, Carrier: queue.New(a.Redis)}).Tick(t.Context()); err != nil {
		t.Fatal(err)
	}
}
