package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fanfare"
	"fanfare/jobs"
)

type jobStore interface {
	Job(ctx context.Context, userID, id string) (fanfare.Job, error)
	Jobs(ctx context.Context, userID string, filter fanfare.JobFilter, page fanfare.Page) ([]fanfare.Job, error)
	UnfinishedJobs(ctx context.Context, userID string, limit int) (int, error)
	Submit(ctx context.Context, job fanfare.NewJob) (fanfare.Job, error)
	AnyJob(ctx context.Context, id string) (fanfare.Job, error)
	jobs.ChangeStore
	LiveJobs(ctx context.Context, userID, campaignID string) ([]string, error)
}

// Job is a job as clients see it.
type Job struct {
	ID              string            `json:"id" format:"uuid"`
	Object          string            `json:"object" enum:"job"`
	Kind            string            `json:"kind" example:"campaign.generate"`
	Status          fanfare.JobStatus `json:"status"`
	Done            bool              `json:"done" doc:"Whether it is over; then exactly one of result and error is set"`
	CampaignID      *string           `json:"campaignId" format:"uuid"`
	Progress        fanfare.Progress  `json:"progress"`
	Usage           fanfare.Usage     `json:"usage"`
	Attempt         int               `json:"attempt" doc:"Those spent and the current one"`
	MaxAttempts     int               `json:"maxAttempts"`
	CancelRequested bool              `json:"cancelRequested"`
	CreatedAt       time.Time         `json:"createdAt"`
	StartedAt       *time.Time        `json:"startedAt"`
	FinishedAt      *time.Time        `json:"finishedAt"`
	Deadline        time.Time         `json:"deadline"`
	NextAttemptAt   *time.Time        `json:"nextAttemptAt"`
	Result          json.RawMessage   `json:"result" doc:"By kind: Generated of campaign.generate, Launched of campaign.launch, Analysis of analytics.analyze, Optimizations of analytics.optimize; null unless succeeded"`
	Error           *fanfare.JobError `json:"error"`
	RetryOf         *string           `json:"retryOf" format:"uuid"`
	URLs            JobURLs           `json:"urls"`
}

// JobURLs are where a job can be read, watched and canceled.
type JobURLs struct {
	Self   string `json:"self" format:"uri-reference"`
	Events string `json:"events" format:"uri-reference"`
	Cancel string `json:"cancel" format:"uri-reference"`
}

func jobURL(id string) string { return "/api/jobs/" + id }

// ViewJob is how a job is shown, here and at the command line.
func ViewJob(j fanfare.Job) Job {
	return Job{
		ID: j.ID, Object: "job", Kind: j.Kind, Status: j.Status, Done: j.Status.Done(), CampaignID: j.CampaignID,
		Progress: j.Progress, Usage: j.Usage, Attempt: j.Attempt, MaxAttempts: j.MaxAttempts,
		CancelRequested: j.CancelRequested, CreatedAt: j.CreatedAt, StartedAt: j.StartedAt, FinishedAt: j.FinishedAt,
		Deadline: j.Deadline, NextAttemptAt: j.RunAt, Result: j.Result, Error: j.Error, RetryOf: j.RetryOf,
		URLs: JobURLs{Self: jobURL(j.ID), Events: jobURL(j.ID) + "/events", Cancel: jobURL(j.ID) + "/cancel"},
	}
}

// etag changes with everything that a client can see of a job.
func etag(j fanfare.Job) string {
	return fmt.Sprintf(`"%d-%d"`, j.Sequence, j.UpdatedAt.UnixMicro())
}

type listJobsInput struct {
	PageInput
	Status     string `query:"status" enum:"scheduled,queued,running,retrying,succeeded,failed,canceled,expired"`
	Kind       string `query:"kind" maxLength:"100"`
	CampaignID string `query:"campaignId" format:"uuid"`
}

func (s *Server) listJobs(ctx context.Context, in *listJobsInput) (*listOutput[Job], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	if _, known := jobs.Lookup(in.Kind); in.Kind != "" && !known {
		return nil, fanfare.Invalid("kind", "must be one of %s", strings.Join(jobs.Names(), ", "))
	}
	filter := fanfare.JobFilter{Status: fanfare.JobStatus(in.Status), Kind: in.Kind, CampaignID: in.CampaignID}
	found, err := s.Store.Jobs(ctx, user(ctx).ID, filter, page)
	if err != nil {
		return nil, err
	}
	views := make([]Job, len(found))
	for i, job := range found {
		views[i] = ViewJob(job)
	}
	filters := url.Values{"status": {in.Status}, "kind": {in.Kind}, "campaignId": {in.CampaignID}}
	return listed(in.PageInput, "/api/jobs", filters, views, func(j Job) fanfare.Position {
		return fanfare.Position{CreatedAt: j.CreatedAt, ID: j.ID}
	}), nil
}

type getJobInput struct {
	IDInput
	Prefer      string `header:"Prefer" doc:"wait=N, up to 25: answer as soon as the job is done, and after N seconds at the latest"`
	IfNoneMatch string `header:"If-None-Match"`
}

type getJobOutput struct {
	Status            int
	ETag              string `header:"ETag"`
	RetryAfter        string `header:"Retry-After" doc:"Seconds until it is worth asking again; only while the job is not over"`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              *Job
}

func (s *Server) getJob(ctx context.Context, in *getJobInput) (*getJobOutput, error) {
	job, err := s.Store.Job(ctx, user(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	out := &getJobOutput{Status: http.StatusOK}
	if wait, asked := preferredWait(in.Prefer); asked {
		out.PreferenceApplied = "wait"
		if job, err = s.await(ctx, job, wait); err != nil {
			return nil, err
		}
	}
	out.ETag = etag(job)
	if matches(in.IfNoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	if !job.Status.Done() {
		out.RetryAfter = s.pollPace(ctx)
	}
	view := ViewJob(job)
	out.Body = &view
	return out, nil
}

// matches compares weakly (RFC 9110, 13.1.2).
func matches(ifNoneMatch, etag string) bool {
	for candidate := range strings.SplitSeq(ifNoneMatch, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == etag || candidate == "*" {
			return true
		}
	}
	return false
}

// pollPace is how many seconds a client should wait between looks at a job:
// one, and more when the user has so many unfinished jobs that looking at each
// at that pace would meet the limit. It is advice, so no reason to fail.
func (s *Server) pollPace(ctx context.Context) string {
	rate := s.config.Limits.Poll
	unfinished, err := s.Store.UnfinishedJobs(ctx, user(ctx).ID, paceJobs)
	if err != nil {
		s.Logger.WarnContext(ctx, "unfinished jobs could not be counted", "error", err)
	}
	allowed := paceShare * float64(rate.Count) / rate.Window.Seconds() // looks a second
	return strconv.Itoa(int(float64(unfinished)/allowed) + 1)
}

const (
	paceJobs  = 10_000 // as many unfinished jobs are counted at most
	paceShare = 0.9    // of the limit, so that a client's jitter does not meet it
)

// JobAnswer is the answer about one job.
type JobAnswer struct {
	Job Job `json:"job"`
}

type jobOutput struct {
	Status     int
	Location   string `header:"Location"`
	RetryAfter string `header:"Retry-After"`
	Body       any
}

func (s *Server) cancelJob(ctx context.Context, in *IDInput) (*jobOutput, error) {
	job, err := s.Store.Job(ctx, user(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	var canceled []fanfare.Job
	err = s.Store.Atomic(ctx, func(ctx context.Context) (err error) {
		canceled, err = s.cancel(ctx, job.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	s.tellCanceled(ctx, canceled)
	if job, err = s.Store.Job(ctx, user(ctx).ID, in.ID); err != nil {
		return nil, err
	}
	return &jobOutput{Status: http.StatusOK, Body: JobAnswer{Job: ViewJob(job)}}, nil
}

// cancel cancels the user's jobs, in a transaction of the caller. Those that it
// made a difference to are returned, to be published after the commit.
func (s *Server) cancel(ctx context.Context, ids ...string) ([]fanfare.Job, error) {
	return jobs.Cancel(ctx, s.Store, byUser(ctx), user(ctx).ID, ids...)
}

// byUser is the user of this request, who changes a job of theirs.
func byUser(ctx context.Context) jobs.By { return jobs.By{Origin: requestFrom(ctx).origin} }

type retryJobInput struct {
	IDInput
	IdempotencyKey string `header:"Idempotency-Key" doc:"Up to 255 characters"`
	Body           *retryOptions
}

type retryOptions struct {
	ResendUnknown bool `json:"resendUnknown,omitempty" doc:"Of a launch: also send what may have been sent already"`
}

func (s *Server) retryJob(ctx context.Context, in *retryJobInput) (*jobOutput, error) {
	answer, err := s.once(ctx, func(ctx context.Context) (created, error) {
		resendUnknown := in.Body != nil && in.Body.ResendUnknown
		job, err := jobs.Retry(ctx, s.Store, byUser(ctx), user(ctx).ID, in.ID, resendUnknown)
		return accepted(job, JobAnswer{Job: ViewJob(job)}), err
	})
	if err != nil {
		return nil, err
	}
	return &jobOutput{Status: answer.status, Location: answer.location, RetryAfter: s.pollPace(ctx), Body: answer.body}, nil
}

// accepted is the answer to a POST that started a job.
func accepted(job fanfare.Job, body any) created {
	return created{status: http.StatusAccepted, location: jobURL(job.ID), body: body, job: job}
}
