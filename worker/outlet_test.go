package worker_test

import (
	"context"
	"sync"
	"testing"

	"fanfare"
)

// inFlight is how many messages an outlet takes at once.
const inFlight = 32

// outlet is a provider in a test's hand. It takes every message, unless the
// test says otherwise, and counts what it took.
type outlet struct {
	broadcast bool
	rate      float64
	testErr   error
	// before is called as a message arrives; its error is the answer, and then
	// the message was not taken.
	before func(ctx context.Context, m fanfare.Outgoing) error
	after  func(m fanfare.Outgoing) error // likewise, once it was taken
	answer fanfare.AnswerState            // to Ask
	askErr error
	fitErr error

	mu    sync.Mutex
	taken map[string]int // by recipient
	tests int
}

func newOutlet() *outlet { return &outlet{answer: fanfare.AnswerUnknown, taken: map[string]int{}} }

func (o *outlet) Connect(context.Context, string, string) (fanfare.Connection, error) { return o, nil }

func (o *outlet) UnsubscribeURL(_ string, _ fanfare.Channel, address string) string {
	return "https://fanfare.example/unsubscribe/" + address
}

func (o *outlet) Provider() fanfare.Provider {
	return fanfare.Provider{Name: "Outlet", Type: fanfare.Email, Broadcast: o.broadcast}
}

func (o *outlet) Test(context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tests++
	return o.testErr
}

func (o *outlet) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	if o.before != nil {
		if err := o.before(ctx, m); err != nil {
			return "", err
		}
	}
	o.mu.Lock()
	o.taken[m.Recipient]++
	o.mu.Unlock()
	if o.after != nil {
		return "", o.after(m)
	}
	return "id of " + m.Recipient, nil
}

func (o *outlet) Ask(_ context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	return fanfare.Answer{State: o.answer, ProviderID: "asked for " + m.Recipient}, o.askErr
}

func (o *outlet) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	return []fanfare.OutgoingRequest{{Method: "SEND", URL: "outlet://" + m.Recipient, Body: m.Content.Email.Subject}}, nil
}

func (o *outlet) Fits(context.Context, fanfare.Content) error { return o.fitErr }

func (o *outlet) Parallel() int { return inFlight }
func (o *outlet) Rate() float64 { return o.rate }
func (o *outlet) Close() error  { return nil }

// wantTaken fails the test unless each recipient got as many messages as said.
func (o *outlet) wantTaken(t *testing.T, want map[string]int) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	for recipient, n := range want {
		if o.taken[recipient] != n {
			t.Errorf("%s got %d messages, want %d", recipient, o.taken[recipient], n)
		}
	}
	for recipient, n := range o.taken {
		if _, expected := want[recipient]; !expected {
			t.Errorf("%s got %d messages, want none", recipient, n)
		}
	}
}

// failing answers some recipients with an error.
func failing(fate fanfare.Fate, recipients ...string) func(context.Context, fanfare.Outgoing) error {
	return func(_ context.Context, m fanfare.Outgoing) error {
		for _, r := range recipients {
			if m.Recipient == r {
				return &fanfare.SendError{Fate: fate, Reason: "The provider said " + string(fate) + "."}
			}
		}
		return nil
	}
}
