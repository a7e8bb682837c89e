package ai

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

// calls is a meter: each outcome with the tokens of its call.
type calls []string

func (c *calls) ModelCalled(outcome string, _ time.Duration, usage fanfare.Usage) {
	*c = append(*c, outcome)
	if usage.Model != "test-model" || (usage.InputTokens == 10) != (outcome == OutcomeOK || outcome == OutcomeInvalidOutput || outcome == OutcomeRefused) {
		*c = append(*c, "with a wrong usage")
	}
}

// TestEachCallIsCounted by its outcome, with its own tokens.
func TestEachCallIsCounted(t *testing.T) {
	stopped := func() (context.Context, func()) { return context.WithCancel(context.Background()) }
	for _, test := range []struct {
		name  string
		reply func() *server
		ctx   func() (context.Context, func())
		limit time.Duration
		want  calls
	}{
		{"good", func() *server { return newServer(t, says(goodSMS)) }, stopped, 0, calls{OutcomeOK}},
		{"good at last", func() *server { return newServer(t, says(`{"text":""}`), says(goodSMS)) }, stopped, 0, calls{OutcomeInvalidOutput, OutcomeOK}},
		{"refusal", func() *server { return newServer(t, choice("", "I can't", "stop")) }, stopped, 0, calls{OutcomeRefused}},
		{"limited", func() *server { return newServer(t, fails(429, "rate_limit_exceeded", "")) }, stopped, 0, calls{OutcomeRateLimited}},
		{"trouble", func() *server { return newServer(t, fails(500, "", "")) }, stopped, 0, calls{OutcomeUnavailable}},
		{"slow", func() *server { return newServer(t, hang("")) }, stopped, 20 * time.Millisecond, calls{OutcomeTimeout}},
		{"the attempt's time is up", func() *server { return newServer(t, hang("")) }, func() (context.Context, func()) {
			return context.WithTimeoutCause(context.Background(), 20*time.Millisecond, errors.New("used up"))
		}, 0, calls{OutcomeTimeout}},
		{"canceled", func() *server { return newServer(t, hang("")) }, func() (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(20*time.Millisecond, func() { cancel(errors.New("by its user")) })
			return ctx, func() { cancel(nil) }
		}, 0, calls{OutcomeCanceled}},
	} {
		t.Run(test.name, func(t *testing.T) {
			heard := calls{}
			ctx, stop := test.ctx()
			defer stop()
			w := New(Config{APIKey: testKey, BaseURL: test.reply().URL + "/v1", Model: "test-model", Timeout: test.limit, Meter: &heard})
			_, _, _ = w.WriteContent(ctx, fanfare.SMS, sneakers, fanfare.Intent{}, nil)
			if diff := cmp.Diff(test.want, heard); diff != "" {
				t.Errorf("counted (-want +got):\n%s", diff)
			}
		})
	}
}
