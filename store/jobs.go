package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"fanfare"
)

// jobRow is a row of jobs, and also the data of an event: the names are the
// same in both.
type jobRow struct {
	ID              string         `db:"id" json:"id"`
	UserID          string         `db:"user_id" json:"user_id"`
	CampaignID      *string        `db:"campaign_id" json:"campaign_id"`
	Kind            string         `db:"kind" json:"kind"`
	Queue           string         `db:"queue" json:"queue"`
	Status          string         `db:"status" json:"status"`
	Payload         []byte         `db:"payload" json:"-"`
	Attempt         int            `db:"attempt" json:"attempt"`
	MaxAttempts     int            `db:"max_attempts" json:"max_attempts"`
	Losses          int            `db:"losses" json:"losses"`
	CancelRequested bool           `db:"cancel_requested" json:"cancel_requested"`
	Progress        document       `db:"progress" json:"progress"`
	InputTokens     int            `db:"input_tokens" json:"input_tokens"`
	OutputTokens    int            `db:"output_tokens" json:"output_tokens"`
	CostUSD         *fanfare.Money `db:"cost_usd" json:"cost_usd"`
	Model           string         `db:"model" json:"model"`
	Result          document       `db:"result" json:"result"`
	Error           document       `db:"error" json:"error"`
	RetryOf         *string        `db:"retry_of" json:"retry_of"`
	Dispatch        int            `db:"dispatch" json:"dispatch"`
	Sequence        int64          `db:"sequence" json:"sequence"`
	CreatedAt       time.Time      `db:"created_at" json:"created_at"`
	UpdatedAt       time.Time      `db:"updated_at" json:"updated_at"`
	StartedAt       *time.Time     `db:"started_at" json:"started_at"`
	FinishedAt      *time.Time     `db:"finished_at" json:"finished_at"`
	RunAt           *time.Time     `db:"run_at" json:"run_at"`
	Deadline        time.Time      `db:"deadline" json:"deadline"`
	Traceparent     *string        `db:"traceparent" json:"-"`
}

// jobColumns names them, so that a column which a later migration adds does not
// disturb a program that does not know it yet.
const jobColumns = `id, user_id, campaign_id, kind, queue, status, payload, attempt, max_attempts, losses,
	cancel_requested, progress, input_tokens, output_tokens, cost_usd, model, result, error, retry_of,
	dispatch, sequence, created_at, updated_at, started_at, finished_at, run_at, deadline, traceparent`

// prefixed qualifies each of the columns with a table's alias.
func prefixed(alias, columns string) string {
	names := strings.Split(columns, ",")
	for i, name := range names {
		names[i] = alias + "." + strings.TrimSpace(name)
	}
	return strings.Join(names, ", ")
}

func (r jobRow) job() (fanfare.Job, error) {
	job := fanfare.Job{
		ID: r.ID, UserID: r.UserID, CampaignID: r.CampaignID, Kind: r.Kind, Queue: r.Queue,
		Status: fanfare.JobStatus(r.Status), Payload: r.Payload,
		Attempt: r.Attempt, MaxAttempts: r.MaxAttempts, Losses: r.Losses,
		Usage: fanfare.Usage{
			InputTokens: r.InputTokens, OutputTokens: r.OutputTokens, CostUSD: r.CostUSD, Model: r.Model,
		},
		CancelRequested: r.CancelRequested, Result: json.RawMessage(r.Result), RetryOf: r.RetryOf,
		Dispatch: r.Dispatch, Sequence: r.Sequence, CreatedAt: r.CreatedAt.UTC(), UpdatedAt: r.UpdatedAt.UTC(),
		StartedAt: utc(r.StartedAt), FinishedAt: utc(r.FinishedAt), RunAt: utc(r.RunAt), Deadline: r.Deadline.UTC(),
	}
	if r.Traceparent != nil {
		job.Traceparent = *r.Traceparent
	}
	if err := r.Progress.into(&job.Progress); err != nil {
		return job, err
	}
	return job, r.Error.into(&job.Error)
}

func jobsOf(rows []jobRow) ([]fanfare.Job, error) {
	jobs := make([]fanfare.Job, len(rows))
	for i, row := range rows {
		job, err := row.job()
		if err != nil {
			return nil, err
		}
		jobs[i] = job
	}
	return jobs, nil
}

// Job returns a user's job.
func (s *Store) Job(ctx context.Context, userID, id string) (fanfare.Job, error) {
	var row jobRow
	err := in(ctx, s.hot.job).GetContext(ctx, &row, id, userID)
	if err != nil {
		return fanfare.Job{}, wrap(err, "reading a job")
	}
	return row.job()
}

// AnyJob returns a job, whoever owns it: for operators.
func (s *Store) AnyJob(ctx context.Context, id string) (fanfare.Job, error) {
	var row jobRow
	err := s.q(ctx).GetContext(ctx, &row, `SELECT `+jobColumns+` FROM jobs WHERE id = $1`, id)
	if err != nil {
		return fanfare.Job{}, wrap(err, "reading a job")
	}
	return row.job()
}

// Jobs lists a user's jobs, newest first.
func (s *Store) Jobs(ctx context.Context, userID string, filter fanfare.JobFilter, page fanfare.Page) ([]fanfare.Job, error) {
	conditions, args := where(filter, userID)
	createdAt, id := before(page)
	args = append(args, createdAt, id, page.Limit)
	query := fmt.Sprintf(`SELECT %s FROM jobs WHERE %s
		AND ($%d::timestamptz IS NULL OR (created_at, id) < ($%[3]d, $%d::uuid))
		ORDER BY created_at DESC, id DESC LIMIT $%d`,
		jobColumns, conditions, len(args)-2, len(args)-1, len(args))
	var rows []jobRow
	if err := s.q(ctx).SelectContext(ctx, &rows, query, args...); err != nil {
		if isMalformedID(err) {
			return nil, nil // a campaign id that is no id: no job has it
		}
		return nil, wrap(err, "listing jobs")
	}
	return jobsOf(rows)
}

// AllJobs lists everybody's jobs, newest first, for operators; those that ended
// badly by when they did. Ids begin with the time, so the primary key is the
// list's index. Statuses are named in the statement itself, so that the small
// index of what ended badly serves.
func (s *Store) AllJobs(ctx context.Context, f fanfare.JobFilter, limit int) ([]fanfare.Job, error) {
	condition, order, args := "true", "id", []any{limit}
	if slices.Contains(fanfare.JobStatuses(), f.Status) {
		condition = "status = '" + string(f.Status) + "'"
	}
	if f.Status.Done() && f.Status != fanfare.JobSucceeded {
		order = "finished_at"
	}
	if f.Kind != "" {
		condition, args = condition+" AND kind = $2", append(args, f.Kind)
	}
	var rows []jobRow
	err := s.q(ctx).SelectContext(ctx, &rows, `SELECT `+jobColumns+` FROM jobs WHERE `+condition+` ORDER BY `+order+` DESC LIMIT $1`, args...)
	if err != nil {
		return nil, wrap(err, "listing everybody's jobs")
	}
	return jobsOf(rows)
}

func where(f fanfare.JobFilter, userID string) (string, []any) {
	conditions, args := []string{"user_id = $1"}, []any{userID}
	add := func(condition, value string) {
		if value != "" {
			args = append(args, value)
			conditions = append(conditions, fmt.Sprintf(condition, len(args)))
		}
	}
	add("status = $%d", string(f.Status))
	add("kind = $%d", f.Kind)
	add("campaign_id = $%d::uuid", f.CampaignID)
	return strings.Join(conditions, " AND "), args
}

// UnfinishedJobs counts the user's jobs that are not over, up to limit.
func (s *Store) UnfinishedJobs(ctx context.Context, userID string, limit int) (int, error) {
	var n int
	err := s.q(ctx).GetContext(ctx, &n, `SELECT count(*) FROM
		(SELECT 1 FROM jobs WHERE user_id = $1 AND finished_at IS NULL LIMIT $2) unfinished`, userID, limit)
	return n, wrap(err, "counting unfinished jobs")
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
