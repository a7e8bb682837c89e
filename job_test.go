package fanfare_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestJobStatuses(t *testing.T) {
	for _, test := range []struct {
		status                   fanfare.JobStatus
		done, waiting, retryable bool
		becomes                  []fanfare.JobStatus
	}{
		{fanfare.JobScheduled, false, true, false, []fanfare.JobStatus{"running", "canceled", "expired"}},
		{fanfare.JobQueued, false, true, false, []fanfare.JobStatus{"running", "canceled", "expired"}},
		{fanfare.JobRunning, false, false, false, []fanfare.JobStatus{"queued", "retrying", "succeeded", "failed", "canceled", "expired"}},
		{fanfare.JobRetrying, false, true, false, []fanfare.JobStatus{"running", "canceled", "expired"}},
		{fanfare.JobSucceeded, true, false, false, nil},
		{fanfare.JobFailed, true, false, true, nil},
		{fanfare.JobCanceled, true, false, true, nil},
		{fanfare.JobExpired, true, false, true, nil},
		{"nonsense", false, false, false, nil},
	} {
		s := test.status
		if s.Done() != test.done || s.Waiting() != test.waiting || s.Retryable() != test.retryable {
			t.Errorf("%s: done %t, waiting %t, retryable %t", s, s.Done(), s.Waiting(), s.Retryable())
		}
		var becomes []fanfare.JobStatus
		for _, next := range append(fanfare.JobStatuses(), "nonsense") {
			if s.CanBecome(next) {
				becomes = append(becomes, next)
			}
		}
		if diff := cmp.Diff(test.becomes, becomes); diff != "" {
			t.Errorf("%s becomes (-want +got):\n%s", s, diff)
		}
	}
}

func TestUsageAddsUp(t *testing.T) {
	cost := func(n fanfare.Money) *fanfare.Money { return &n }
	for name, test := range map[string]struct{ a, b, want fanfare.Usage }{
		"nothing":        {},
		"tokens":         {fanfare.Usage{InputTokens: 1, OutputTokens: 2}, fanfare.Usage{InputTokens: 10, OutputTokens: 20}, fanfare.Usage{InputTokens: 11, OutputTokens: 22}},
		"costs":          {fanfare.Usage{CostUSD: cost(1)}, fanfare.Usage{CostUSD: cost(2)}, fanfare.Usage{CostUSD: cost(3)}},
		"first cost":     {fanfare.Usage{}, fanfare.Usage{CostUSD: cost(2)}, fanfare.Usage{CostUSD: cost(2)}},
		"no price then":  {fanfare.Usage{CostUSD: cost(1)}, fanfare.Usage{}, fanfare.Usage{CostUSD: cost(1)}},
		"latest model":   {fanfare.Usage{Model: "a"}, fanfare.Usage{Model: "b"}, fanfare.Usage{Model: "b"}},
		"model is known": {fanfare.Usage{Model: "a"}, fanfare.Usage{}, fanfare.Usage{Model: "a"}},
	} {
		before := test.a.CostUSD
		var was fanfare.Money
		if before != nil {
			was = *before
		}
		if diff := cmp.Diff(test.want, test.a.Add(test.b)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if before != nil && *before != was {
			t.Errorf("%s: the sum changed what it was made of", name)
		}
	}
}
