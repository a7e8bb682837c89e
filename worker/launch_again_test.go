package worker_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

// TestAProviderIsToldOfSecondTimes: it may have taken what was begun before,
// unless it surely refused it or a person says to send it all the same.
func TestAProviderIsToldOfSecondTimes(t *testing.T) {
	r := newRig(t)
	campaign := r.launchable("deferred@x.example", "doubtful@x.example", "refused@x.example")
	var mu sync.Mutex
	told := map[string]bool{}
	answering := func(inTurn func(context.Context, fanfare.Outgoing) error) func(context.Context, fanfare.Outgoing) error {
		return func(ctx context.Context, m fanfare.Outgoing) error {
			mu.Lock()
			defer mu.Unlock()
			told[m.Recipient] = m.Again
			return inTurn(ctx, m)
		}
	}
	wantTold := func(want map[string]bool) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		if diff := cmp.Diff(want, maps.Clone(told)); diff != "" {
			t.Error(diff)
		}
		clear(told)
	}
	r.outlet.before = answering(func(ctx context.Context, m fanfare.Outgoing) error {
		return errors.Join(failing(fanfare.FateRefused, "refused@x.example")(ctx, m), failing(fanfare.FateDeferred, "deferred@x.example")(ctx, m))
	})
	r.outlet.after = func(fanfare.Outgoing) error { return errors.New("cut off") }
	r.outlet.answer = fanfare.AnswerRepeat

	first := r.launch(campaign)
	r.handle(first)
	wantTold(map[string]bool{"deferred@x.example": false, "doubtful@x.example": false, "refused@x.example": false})

	r.outlet.before, r.outlet.answer = answering(failing("")), fanfare.AnswerUnknown
	r.due(first)
	r.handle(first)
	wantTold(map[string]bool{"deferred@x.example": true, "doubtful@x.example": true})
	r.wantLedger(map[string]string{"deferred@x.example": "unknown", "doubtful@x.example": "unknown", "refused@x.example": "failed"})

	r.outlet.after = nil
	r.handle(r.retry(first, true))
	wantTold(map[string]bool{"deferred@x.example": false, "doubtful@x.example": false, "refused@x.example": false})
}
