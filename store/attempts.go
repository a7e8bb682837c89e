package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lib/pq"

	"fanfare"
)

// Submit stores a job; from the commit on it will be done. It is queued with
// its first event, and belongs to the trace of ctx.
func (s *Store) Submit(ctx context.Context, job fanfare.NewJob) (fanfare.Job, error) {
	settles, err := encode(job.Settles)
	if err != nil {
		return fanfare.Job{}, err
	}
	if job.Settles == nil {
		settles = document(`{}`)
	}
	jobs, err := transition(ctx, s.hot.submit, "submitting a job",
		NewID(), job.UserID, nullable(job.CampaignID), job.Kind, job.Queue, document(job.Payload), job.MaxAttempts,
		nullable(job.RetryOf), settles, nullable(job.Exclusive), seconds(job.Expiry),
		nullable(fanfare.Traceparent(ctx)))
	if violates(err, "jobs_exclusive") {
		return fanfare.Job{}, fanfare.Errorf(fanfare.CodeLaunchInProgress, "This is being done already. Watch that job, or cancel it first.").WithCause(err)
	}
	if err != nil {
		return fanfare.Job{}, err
	}
	return jobs[0], nil
}

type claimRow struct {
	jobRow
	LeaseToken string   `db:"lease_token"`
	Steps      document `db:"steps"`
}

// Claim starts an attempt for each lease whose job waits and is due, and
// returns those jobs. The others are running, over, or not due yet. A token is
// for one claim: an attempt may have been lost and given back since. Where the
// answer was lost, Held tells what became of it. A job that can't be read, of a
// newer version say, is an error beside the others.
func (s *Store) Claim(ctx context.Context, worker string, leases []fanfare.Lease, ttl time.Duration) ([]fanfare.Claimed, error) {
	ids, tokens := split(leases)
	var rows []claimRow
	// In a transaction, because database/sql repeats any other statement by itself
	// where lib/pq met the end of a connection, though it may have been carried out.
	err := s.Atomic(ctx, func(ctx context.Context) error {
		err := in(ctx, s.hot.claim).SelectContext(ctx, &rows, pq.Array(ids), pq.Array(tokens), worker, seconds(ttl))
		return wrap(err, "claiming jobs")
	})
	if err != nil {
		return nil, err
	}
	claimed := make([]fanfare.Claimed, 0, len(rows))
	for _, row := range rows {
		one, unreadable := row.claimed()
		if err = errors.Join(err, unreadable); unreadable == nil {
			claimed = append(claimed, one)
		}
	}
	return claimed, err
}

// Held returns the attempt that runs under a lease, nil if none does.
func (s *Store) Held(ctx context.Context, lease fanfare.Lease) (*fanfare.Claimed, error) {
	var row claimRow
	err := in(ctx, s.hot.held).GetContext(ctx, &row, lease.JobID, lease.Token)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, wrap(err, "looking for a claim")
	}
	held, err := row.claimed()
	return &held, err
}

func (r claimRow) claimed() (fanfare.Claimed, error) {
	job, err := r.job()
	claimed := fanfare.Claimed{Job: job, Lease: fanfare.Lease{JobID: r.ID, Token: r.LeaseToken}}
	return claimed, errors.Join(err, r.Steps.into(&claimed.Steps))
}

func split(leases []fanfare.Lease) (ids, tokens []string) {
	ids, tokens = make([]string, len(leases)), make([]string, len(leases))
	for i, lease := range leases {
		ids[i], tokens[i] = lease.JobID, lease.Token
	}
	return ids, tokens
}

var heartbeatSQL = `
WITH input AS (
	SELECT * FROM unnest($2::uuid[], $3::uuid[]) AS i(job_id, token)
), ` + lockInput + `, seen AS (
	INSERT INTO workers (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET seen_at = now()
), held AS (
	UPDATE jobs j SET lease_expires_at = now() + make_interval(secs => $4)
	FROM locked i WHERE j.id = i.job_id AND j.lease_token = i.token
	RETURNING j.id, j.cancel_requested
)
SELECT id, cancel_requested FROM held`

// heldRow is a lease that a heartbeat has renewed.
type heldRow struct {
	JobID           string `db:"id"`
	CancelRequested bool   `db:"cancel_requested"`
}

// Heartbeat says that a worker lives and renews its leases. A lease that is
// not among those returned is lost.
func (s *Store) Heartbeat(ctx context.Context, worker string, leases []fanfare.Lease, ttl time.Duration) (cancel map[string]bool, err error) {
	ids, tokens := split(leases)
	var held []heldRow
	err = in(ctx, s.hot.heartbeat).SelectContext(ctx, &held, worker, pq.Array(ids), pq.Array(tokens), seconds(ttl))
	if err != nil {
		return nil, wrap(err, "renewing leases")
	}
	cancel = make(map[string]bool, len(held))
	for _, h := range held {
		cancel[h.JobID] = h.CancelRequested
	}
	return cancel, nil
}

// usageInput is how statements take a usage.
type usageInput struct {
	InputTokens  int            `json:"input_tokens"`
	OutputTokens int            `json:"output_tokens"`
	CostUSD      *fanfare.Money `json:"cost_usd"`
	Model        string         `json:"model"`
}

type stepInput struct {
	JobID    string           `json:"job_id"`
	Token    string           `json:"token"`
	Name     string           `json:"name"`
	Output   json.RawMessage  `json:"output"`
	Progress fanfare.Progress `json:"progress"`
	usageInput
}

// RecordSteps keeps what steps produced, and counts as progress. It returns
// the jobs whose lease still held; for the others nothing was written. No two
// steps may be of the same job.
func (s *Store) RecordSteps(ctx context.Context, steps []fanfare.StepDone) ([]fanfare.Job, error) {
	inputs := make([]stepInput, len(steps))
	for i, step := range steps {
		inputs[i] = stepInput{
			JobID: step.Lease.JobID, Token: step.Lease.Token, Name: step.Name,
			Output: step.Output, Progress: step.Progress, usageInput: usageInput(step.Usage),
		}
	}
	input, err := encode(inputs)
	if err != nil {
		return nil, err
	}
	return transition(ctx, s.hot.step, "recording steps", input)
}

type outcomeInput struct {
	JobID          string            `json:"job_id"`
	Token          string            `json:"token"`
	Status         fanfare.JobStatus `json:"status"`
	Result         json.RawMessage   `json:"result"`
	Error          *fanfare.JobError `json:"error"`
	Delay          float64           `json:"delay"`
	Unspent        int               `json:"unspent"`
	Reason         string            `json:"reason"`
	Campaign       *fanfare.Campaign `json:"campaign"`
	ConversationID *string           `json:"conversation_id"`
	Reply          *string           `json:"reply"`
	Audit          *auditInput       `json:"audit"`
	usageInput
}

// auditInput is how a statement takes an audit record of the job's owner.
type auditInput struct {
	Action   string              `json:"action"`
	Resource string              `json:"resource"`
	Metadata map[string]any      `json:"metadata"`
	Status   fanfare.AuditStatus `json:"status"`
}

// Finish ends attempts. It returns the jobs whose lease still held; for the
// others nothing was written. No two outcomes may be of the same job.
func (s *Store) Finish(ctx context.Context, outcomes []fanfare.Outcome) ([]fanfare.Job, error) {
	inputs := make([]outcomeInput, len(outcomes))
	for i, o := range outcomes {
		inputs[i] = outcomeInput{
			JobID: o.Lease.JobID, Token: o.Lease.Token, Status: o.Status, Result: o.Result, Error: o.Error,
			Delay: seconds(o.Delay), Reason: o.Reason, Campaign: o.Campaign, usageInput: usageInput(o.Usage),
		}
		if o.Unspent {
			inputs[i].Unspent = 1
		}
		if o.Reply != nil {
			inputs[i].ConversationID, inputs[i].Reply = &o.Reply.ConversationID, &o.Reply.Content
		}
		if o.Audit != nil {
			inputs[i].Audit = &auditInput{o.Audit.Action, o.Audit.Resource, o.Audit.Metadata, o.Audit.Status}
		}
	}
	input, err := encode(inputs)
	if err != nil {
		return nil, err
	}
	return transition(ctx, s.hot.finish, "finishing attempts", input, jobError(fanfare.CanceledError()))
}

func jobError(e fanfare.JobError) document {
	raw, _ := json.Marshal(e) // two strings and a bool always encode
	return raw
}
