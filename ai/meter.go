package ai

import (
	"context"
	"errors"

	"fanfare"
)

// The outcomes of a call of the model, as Meter hears them.
const (
	OutcomeOK            = "ok"
	OutcomeTimeout       = "timeout"
	OutcomeRateLimited   = "rate_limited"
	OutcomeRefused       = "refused"
	OutcomeInvalidOutput = "invalid_output"
	OutcomeUnavailable   = "unavailable"
	OutcomeCanceled      = "canceled" // by a user, or since the process stops
)

// Outcomes are all outcomes that there are.
func Outcomes() []string {
	return []string{
		OutcomeOK, OutcomeTimeout, OutcomeRateLimited, OutcomeRefused, OutcomeInvalidOutput, OutcomeUnavailable, OutcomeCanceled,
	}
}

// outcome names how a call went. An attempt whose time is up ends its context
// with a cause of its own; what is left of that is a deadline.
func outcome(ctx context.Context, refused bool, broken []string, err error) string {
	switch {
	case err == nil && refused:
		return OutcomeRefused
	case err == nil && len(broken) > 0:
		return OutcomeInvalidOutput
	case err == nil:
		return OutcomeOK
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return OutcomeTimeout
	case ctx.Err() != nil:
		return OutcomeCanceled
	}
	switch fanfare.ErrorCode(err) {
	case fanfare.CodeAITimeout:
		return OutcomeTimeout
	case fanfare.CodeAIRateLimited:
		return OutcomeRateLimited
	case fanfare.CodeAIRefused:
		return OutcomeRefused
	case fanfare.CodeAIInvalidOutput:
		return OutcomeInvalidOutput
	default:
		return OutcomeUnavailable
	}
}
