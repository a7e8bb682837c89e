package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

// tape keeps the steps that a run records, and fails with err.
type tape struct {
	mu    sync.Mutex
	steps []fanfare.StepDone
	err   error
}

func (r *tape) RecordStep(_ context.Context, step fanfare.StepDone) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.steps = append(r.steps, step)
	}
	return r.err
}

func newRun(recorder StepRecorder, payload string, saved ...string) *Run {
	claimed := fanfare.Claimed{
		Job:   fanfare.Job{Payload: json.RawMessage(payload), Progress: fanfare.Progress{Total: 2}},
		Lease: fanfare.Lease{JobID: "j", Token: "t"}, Steps: map[string]json.RawMessage{},
	}
	for _, name := range saved {
		claimed.Steps[name] = json.RawMessage(`"saved"`)
	}
	return NewRun(claimed, Deps{}, recorder)
}

func answer(text string, usage int, err error) func(context.Context) (string, fanfare.Usage, error) {
	return func(context.Context) (string, fanfare.Usage, error) {
		return text, fanfare.Usage{InputTokens: usage}, err
	}
}

func TestStepRecordsWhatItProduced(t *testing.T) {
	r := &tape{}
	run := newRun(r, `1`, "intent")
	run.Plan(4)
	got, err := Step(t.Context(), run, "email", answer("text", 7, nil))
	if got != "text" || err != nil {
		t.Errorf("Step = %q, %v", got, err)
	}
	want := []fanfare.StepDone{{
		Lease: fanfare.Lease{JobID: "j", Token: "t"}, Name: "email", Output: json.RawMessage(`"text"`),
		Progress: fanfare.Progress{Step: "email", Completed: 2, Total: 4}, Usage: fanfare.Usage{InputTokens: 7},
	}}
	if diff := cmp.Diff(want, r.steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again, err := Step(t.Context(), run, "email", unwanted(t)); again != "text" || err != nil || len(r.steps) != 1 {
		t.Errorf("the same step again = %q, %v, %d recorded", again, err, len(r.steps))
	}
	if run.UnbookedUsage() != (fanfare.Usage{}) {
		t.Errorf("unbooked: %+v", run.UnbookedUsage())
	}
}

func unwanted(t *testing.T) func(context.Context) (string, fanfare.Usage, error) {
	return func(context.Context) (string, fanfare.Usage, error) {
		t.Error("a step that is done was done again")
		return "", fanfare.Usage{}, nil
	}
}

func TestStepUsesWhatAnEarlierAttemptProduced(t *testing.T) {
	r := &tape{}
	run := newRun(r, `1`, "intent")
	if got, err := Step(t.Context(), run, "intent", unwanted(t)); got != "saved" || err != nil || len(r.steps) != 0 {
		t.Errorf("Step = %q, %v, %d recorded", got, err, len(r.steps))
	}
	if _, err := Step(t.Context(), run, "intent", func(context.Context) (int, fanfare.Usage, error) { return 0, fanfare.Usage{}, nil }); err == nil {
		t.Error("what was saved in another shape was taken")
	}
}

func TestUsageThatNoStepRecordsIsTheAttempts(t *testing.T) {
	r := &tape{}
	run := newRun(r, `1`)
	failed, lost := errors.New("the model failed"), errors.New("the lease is lost")
	if _, err := Step(t.Context(), run, "email", answer("", 3, failed)); !errors.Is(err, failed) {
		t.Errorf("Step = %v, want %v", err, failed)
	}
	r.err = lost
	if _, err := Step(t.Context(), run, "sms", answer("text", 10, nil)); !errors.Is(err, lost) {
		t.Errorf("Step = %v, want %v", err, lost)
	}
	r.err = nil
	if _, err := Step(t.Context(), run, "sms", answer("text", 100, nil)); err != nil {
		t.Errorf("a step that could not be recorded counts as done: %v", err)
	}
	if got := run.UnbookedUsage(); got.InputTokens != 13 || len(r.steps) != 1 {
		t.Errorf("unbooked %+v, %d steps recorded; want the 13 of the two failures", got, len(r.steps))
	}
}

func TestNoStepBeginsOnceTheAttemptIsOver(t *testing.T) {
	r := &tape{}
	run := newRun(r, `1`, "intent")
	over := errors.New("canceled")
	ctx, stop := context.WithCancelCause(t.Context())
	stop(over)
	if _, err := Step(ctx, run, "email", unwanted(t)); !errors.Is(err, over) {
		t.Errorf("Step = %v, want why the attempt is over", err)
	}
	if got, err := Step(ctx, run, "intent", unwanted(t)); got != "saved" || err != nil {
		t.Errorf("a step that is done = %q, %v", got, err)
	}
}

// TestProgressOfStepsSideBySideOnlyGrows.
func TestProgressOfStepsSideBySideOnlyGrows(t *testing.T) {
	r := &tape{}
	run := newRun(r, `1`)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			if _, err := Step(t.Context(), run, fmt.Sprint(i), answer("x", 1, nil)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, step := range r.steps {
		if step.Progress.Completed != i+1 {
			t.Fatalf("step %d says that %d are completed", i, step.Progress.Completed)
		}
	}
	if len(r.steps) != 50 {
		t.Errorf("%d steps recorded", len(r.steps))
	}
}
