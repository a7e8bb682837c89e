package ai

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"fanfare"
)

func errRefused() error {
	return final(fanfare.Errorf(fanfare.CodeAIRefused,
		"The model refused to answer this. Word your request differently."))
}

// final marks an error that another attempt would only repeat.
func final(err *fanfare.Error) error {
	err.Final = true
	return err
}

// errNoChoice is an answer of JSON that holds no completion.
var errNoChoice = errors.New("the answer has no choices")

func errTimeout(limit time.Duration, cause error) error {
	return fanfare.Errorf(fanfare.CodeAITimeout,
		"The model did not answer within %s. Try again; if it stays so, an operator can raise AI_TIMEOUT.", limit).WithCause(cause)
}

// classify turns what a call failed with into an error for people.
func classify(err error) error {
	if refusal, ok := errors.AsType[*statusError](err); ok {
		return classifyStatus(refusal)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return fanfare.Errorf(fanfare.CodeAIInvalidOutput,
			"The model's answer was larger than %d MiB. Try again.", maxAnswerSize>>20).WithCause(err)
	}
	if isNoCompletion(err) {
		return fanfare.Errorf(fanfare.CodeAIInvalidOutput,
			"The model's server did not answer as a Chat Completions server does. Try again; if it stays so, an operator should check OPENAI_BASE_URL.").WithCause(err)
	}
	return fanfare.Errorf(fanfare.CodeAIUnavailable,
		"The model's server cannot be reached, or broke off. Try again in a moment.").WithCause(err)
}

// isNoCompletion reports an answer of something else than a model, such as a
// proxy's page, which may well be gone at the next attempt.
func isNoCompletion(err error) bool {
	if _, ok := errors.AsType[*json.SyntaxError](err); ok || errors.Is(err, errNoChoice) {
		return true
	}
	_, ok := errors.AsType[*json.UnmarshalTypeError](err)
	return ok
}

// classifyStatus maps the status codes that providers document
// (platform.openai.com/docs/guides/error-codes).
func classifyStatus(e *statusError) error {
	switch {
	case e.code == "insufficient_quota" || e.code == "billing_hard_limit_reached" || e.status == http.StatusPaymentRequired:
		return fanfare.Errorf(fanfare.CodeAIRateLimited,
			"The quota at the model's provider is used up. An operator should check its billing and limits.").WithCause(e)
	case e.status == http.StatusTooManyRequests:
		return later(fanfare.CodeAIRateLimited, "The model's provider limits how often it is asked. Try again in a moment.", e)
	case e.code == "content_filter" || e.code == "content_policy_violation":
		return errRefused()
	case e.code == "context_length_exceeded":
		return final(fanfare.Errorf(fanfare.CodeAIUnavailable,
			"The conversation is too long for the model. Start a new one, or ask the operator for a model with a larger context.").WithCause(e))
	case e.status >= 500 || e.status == http.StatusRequestTimeout || e.status == http.StatusConflict:
		return later(fanfare.CodeAIUnavailable, "The model's server is in trouble. Try again in a moment.", e)
	case e.status == http.StatusUnauthorized || e.status == http.StatusForbidden:
		return fanfare.Errorf(fanfare.CodeAIUnavailable,
			"The model's server refused our key (HTTP %d). An operator should check OPENAI_API_KEY, what it may use, and OPENAI_BASE_URL.", e.status).WithCause(e)
	case e.status == http.StatusNotFound:
		return fanfare.Errorf(fanfare.CodeAIUnavailable,
			"The model's server knows no such model or address (HTTP %d). An operator should check OPENAI_MODEL and OPENAI_BASE_URL.", e.status).WithCause(e)
	default:
		return fanfare.Errorf(fanfare.CodeAIUnavailable,
			"The model's server did not take the request (HTTP %d). An operator should check OPENAI_MODEL and OPENAI_BASE_URL.", e.status).WithCause(e)
	}
}

func later(code, message string, e *statusError) error {
	err := fanfare.Errorf(code, "%s", message).WithCause(e)
	err.RetryAfter = e.retryAfter
	return err
}
