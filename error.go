package fanfare

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Codes of errors that clients see in "code". The api package maps each to an
// HTTP status in one place.
const (
	CodeInvalidRequest      = "invalid_request"
	CodeSuspiciousInput     = "suspicious_input"
	CodeUserExists          = "user_exists"
	CodeUnauthorized        = "unauthorized"
	CodeForbidden           = "forbidden"
	CodeNotFound            = "not_found"
	CodeMethodNotAllowed    = "method_not_allowed"
	CodeCampaignBusy        = "campaign_busy"
	CodeNotReady            = "not_ready"
	CodeLaunchInProgress    = "launch_in_progress"
	CodeIntegrationExists   = "integration_exists"
	CodeNotRetryable        = "not_retryable"
	CodeNotPossible         = "not_possible"
	CodeIdempotencyInFlight = "idempotency_in_flight"
	CodeIdempotencyMismatch = "idempotency_mismatch"
	CodeTooLarge            = "too_large"
	CodeUnsupportedMedia    = "unsupported_media_type"
	CodeRateLimited         = "rate_limited"
	CodeInternal            = "internal"
	CodeUnavailable         = "unavailable"
)

// ErrorCodes lists every code that a request may be refused with.
func ErrorCodes() []string {
	return []string{
		CodeInvalidRequest, CodeSuspiciousInput, CodeUserExists, CodeUnauthorized, CodeForbidden, CodeNotFound,
		CodeMethodNotAllowed, CodeCampaignBusy, CodeNotReady, CodeLaunchInProgress, CodeIntegrationExists,
		CodeNotRetryable, CodeIdempotencyInFlight, CodeIdempotencyMismatch, CodeTooLarge, CodeUnsupportedMedia,
		CodeRateLimited, CodeInternal, CodeUnavailable,
	}
}

// Codes of errors that a job ends with, beside CodeInternal.
const (
	CodeAIUnavailable     = "ai_unavailable"
	CodeAITimeout         = "ai_timeout"
	CodeAIRateLimited     = "ai_rate_limited"
	CodeAIRefused         = "ai_refused"
	CodeAIInvalidOutput   = "ai_invalid_output"
	CodeLaunchCheckFailed = "launch_check_failed"
	CodeCanceled          = "canceled"
	CodeDeadlineExceeded  = "deadline_exceeded"
	CodeWorkerLost        = "worker_lost"
)

// JobCodes lists every code that a job may end with.
func JobCodes() []string {
	return []string{
		CodeAIUnavailable, CodeAITimeout, CodeAIRateLimited, CodeAIRefused, CodeAIInvalidOutput,
		CodeLaunchCheckFailed, CodeCanceled, CodeDeadlineExceeded, CodeWorkerLost, CodeInternal,
	}
}

// IsJobCode reports whether a job may end with code.
func IsJobCode(code string) bool { return slices.Contains(JobCodes(), code) }

// Error is an error whose message is meant for a person outside: a sentence
// that says what to do. Its cause is for the log and never reaches a client.
type Error struct {
	Code       string
	Message    string
	Fields     []FieldError   // the fields that were refused, for CodeInvalidRequest
	Details    map[string]any // anything else that a program may want to know
	RetryAfter time.Duration  // when to come back; zero if that is not known
	// Final says that another attempt at the same job would only repeat it, such
	// as a model's refusal, so the job fails at once. A person may still change
	// something and retry.
	Final bool
	Cause error
}

// FieldError says what is wrong with one field of a request.
type FieldError struct {
	Field   string `json:"field" doc:"Where it stands in the request, such as conversationHistory[2].content"`
	Message string `json:"message" doc:"What is wrong with it"`
}

// Errorf returns an error with a code and a sentence for people. A %w in the
// format becomes part of the sentence; use WithCause for what must stay inside.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Invalid returns the refusal of one field of a request.
func Invalid(field, format string, args ...any) *Error {
	message := fmt.Sprintf(format, args...)
	return &Error{
		Code:    CodeInvalidRequest,
		Message: "The request was refused: " + field + ": " + message,
		Fields:  []FieldError{{Field: field, Message: message}},
	}
}

// Suspicious returns the refusal of a text that tries to steer the model. The
// client learns neither what matched nor where; its cause is the field, for
// operators.
func Suspicious(field string) *Error {
	return Errorf(CodeSuspiciousInput,
		"This text reads as if it were meant to steer the AI rather than to describe a campaign. Please word it differently.").
		WithCause(InField(field))
}

// InField is the cause of an error that must not say where it was, such as
// conversationHistory[2].content.
type InField string

func (f InField) Error() string { return "in the field " + string(f) }

// WithCause returns a copy of e that carries its inner cause.
func (e *Error) WithCause(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Code + ": " + e.Message
	}
	return e.Code + ": " + e.Message + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

// ErrorCode returns the code of the first *Error in err's chain, CodeInternal
// if there is none, and "" for nil.
func ErrorCode(err error) string {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}
