package fanfare

import (
	"encoding/json"
	"slices"
	"time"
)

// JobStatus is where a job stands. Scheduled, queued and retrying jobs wait,
// a running one has a lease, and the other four are final.
type JobStatus string

// The states of a job.
const (
	JobScheduled JobStatus = "scheduled"
	JobQueued    JobStatus = "queued"
	JobRunning   JobStatus = "running"
	JobRetrying  JobStatus = "retrying"
	JobSucceeded JobStatus = "succeeded"
	JobFailed    JobStatus = "failed"
	JobCanceled  JobStatus = "canceled"
	JobExpired   JobStatus = "expired"
)

// JobStatuses lists every status, in the order of a job's life.
func JobStatuses() []JobStatus {
	return []JobStatus{
		JobScheduled, JobQueued, JobRunning, JobRetrying,
		JobSucceeded, JobFailed, JobCanceled, JobExpired,
	}
}

// Done reports whether s is final: nothing can change a job that is done.
func (s JobStatus) Done() bool {
	return s == JobSucceeded || s == JobFailed || s == JobCanceled || s == JobExpired
}

// Waiting reports whether a job in s can be claimed once its time has come.
func (s JobStatus) Waiting() bool {
	return s == JobScheduled || s == JobQueued || s == JobRetrying
}

// Retryable reports whether a person may ask for a job in s to be done again.
func (s JobStatus) Retryable() bool {
	return s == JobFailed || s == JobCanceled || s == JobExpired
}

// CanBecome reports whether a job in s may change to next. The statements in
// the store hold to it; their test walks every pair.
func (s JobStatus) CanBecome(next JobStatus) bool {
	return slices.Contains(jobTransitions(s), next)
}

func jobTransitions(from JobStatus) []JobStatus {
	switch from {
	case JobScheduled, JobQueued, JobRetrying:
		return []JobStatus{JobRunning, JobCanceled, JobExpired}
	case JobRunning:
		return []JobStatus{JobQueued, JobRetrying, JobSucceeded, JobFailed, JobCanceled, JobExpired}
	default:
		return nil
	}
}

// Job is the durable record of work that was accepted. Its row is the truth;
// what a queue carries is only its ID.
type Job struct {
	ID              string
	UserID          string
	CampaignID      *string
	Kind            string
	Queue           string
	Status          JobStatus
	Payload         json.RawMessage
	Attempt         int // those spent and the current one
	MaxAttempts     int
	Losses          int // attempts lost with their worker since the last progress
	Progress        Progress
	Usage           Usage
	CancelRequested bool
	Result          json.RawMessage // nil unless succeeded
	Error           *JobError       // nil unless failed, canceled or expired
	RetryOf         *string
	Dispatch        int   // how often a new task was made for it
	Sequence        int64 // of its latest event
	CreatedAt       time.Time
	UpdatedAt       time.Time
	StartedAt       *time.Time
	FinishedAt      *time.Time
	RunAt           *time.Time // when the next attempt may start, while it waits for that
	Deadline        time.Time
	Traceparent     string // of the request that submitted it; "" if it had none
}

// Progress says how far a job is: the step that it is at, and how many of how
// many steps (or recipients) are behind it. Total is 0 until it is known.
type Progress struct {
	Step      string `json:"step" doc:"What it is doing, or did last"`
	Completed int    `json:"completed"`
	Total     int    `json:"total" doc:"0 until it is known"`
}

// Usage is what the model's work has taken so far, failed calls included.
type Usage struct {
	InputTokens  int    `json:"inputTokens"`
	OutputTokens int    `json:"outputTokens"`
	CostUSD      *Money `json:"costUsd" doc:"null where no price is set"`
	Model        string `json:"model,omitempty" doc:"The model that was asked last; demo is the stand-in that only dev and demo use"`
}

// Add returns the sum. A cost is known only as far as prices are.
func (u Usage) Add(v Usage) Usage {
	sum := Usage{
		InputTokens:  u.InputTokens + v.InputTokens,
		OutputTokens: u.OutputTokens + v.OutputTokens,
		CostUSD:      u.CostUSD,
		Model:        u.Model,
	}
	if v.Model != "" {
		sum.Model = v.Model
	}
	if v.CostUSD != nil {
		cost := *v.CostUSD
		if u.CostUSD != nil {
			cost += *u.CostUSD
		}
		sum.CostUSD = &cost
	}
	return sum
}

// JobError says why a job ended without a result.
type JobError struct {
	Code      string `json:"code"`
	Message   string `json:"message" doc:"A sentence for a person"`
	Retryable bool   `json:"retryable" doc:"Whether trying again may help"`
}

// CanceledError is what a canceled job ends with.
func CanceledError() JobError {
	return JobError{Code: CodeCanceled, Message: "The job was canceled.", Retryable: true}
}

// ExpiredError is what a job ends with that was not done by its deadline.
func ExpiredError() JobError {
	return JobError{
		Code: CodeDeadlineExceeded, Retryable: true,
		Message: "The job was not done before its deadline. Retry it, or look at the service's health first.",
	}
}

// LostError is what a job ends with that seems to kill its workers.
func LostError() JobError {
	return JobError{
		Code: CodeWorkerLost, Retryable: true,
		Message: "The job lost its worker three times in a row and was set aside. Ask the operator to look at the workers before retrying.",
	}
}

// NewJob is a job to be submitted.
type NewJob struct {
	UserID      string
	CampaignID  string // "" for none
	Kind        string
	Queue       string
	Payload     json.RawMessage
	MaxAttempts int
	Expiry      time.Duration // from acceptance to its deadline
	RetryOf     string        // "" for none
	// Settles says what the campaign's status becomes when the job ends in
	// the key's status, unless the outcome itself says otherwise.
	Settles map[JobStatus]CampaignStatus
	// Exclusive, unless "", refuses a second unfinished job with the same key.
	Exclusive string
}

// Lease is time-boxed ownership of one attempt. Its token fences every write:
// a stale attempt, whose token is no longer the row's, can change nothing.
type Lease struct {
	JobID string
	Token string
}

// Claimed is a job whose attempt has just started under Lease, with what the
// steps of earlier attempts produced.
type Claimed struct {
	Job   Job
	Lease Lease
	Steps map[string]json.RawMessage
}

// StepDone records a finished step of an attempt, or its progress alone.
type StepDone struct {
	Lease    Lease
	Name     string // "" for progress alone: nothing is kept for later attempts
	Output   json.RawMessage
	Progress Progress
	Usage    Usage // to be added to the job's
}

// Outcome ends an attempt.
type Outcome struct {
	Lease  Lease
	Status JobStatus // any that a running job can become
	Result json.RawMessage
	Error  *JobError
	Usage  Usage // to be added to the job's
	// Delay is how long to wait before the next attempt, if there is one.
	Delay time.Duration
	// Unspent gives the attempt back: it was snoozed, or released at shutdown.
	Unspent bool
	// Reason names in the audit record how the attempt ended.
	Reason string
	// Campaign, unless nil, is how the job's campaign stands from now on, Reply
	// what its conversation gains, and Audit a record of the job's owner beside
	// the attempt's own: written in the same statement.
	Campaign *Campaign
	Reply    *Reply
	Audit    *AuditRecord
}
