package jobs

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"fanfare"
)

func TestBackoffDoublesWithinItsBounds(t *testing.T) {
	backoff := Backoff{Min: time.Second, Max: 16 * time.Second}
	for attempt, low := range map[int]time.Duration{
		-1: 1, 0: 1, 1: 1, 2: 2, 3: 4, 4: 8, 5: 8, 6: 8, 21: 8, 64: 8, 1 << 30: 8,
	} {
		low *= time.Second
		least, most := time.Hour, time.Duration(0)
		for range 2000 {
			delay := backoff.Delay(attempt)
			least, most = min(least, delay), max(most, delay)
		}
		if least < low || most > 2*low || most > backoff.Max {
			t.Errorf("after attempt %d: %s to %s, want %s to %s", attempt, least, most, low, 2*low)
		}
		if most-least < low*9/10 { // 2000 draws: all within nine tenths of the range is one in 10^80
			t.Errorf("after attempt %d: %s to %s is hardly spread", attempt, least, most)
		}
	}
}

func TestErrorsSteer(t *testing.T) {
	with := func(code string, retryAfter time.Duration) error {
		e := fanfare.Errorf(code, "Sorry.")
		e.RetryAfter = retryAfter
		return fmt.Errorf("writing for email: %w", e)
	}
	final := func(code string, retryAfter time.Duration) error {
		e := fanfare.Errorf(code, "Sorry.").WithCause(errors.New("inner"))
		e.Final, e.RetryAfter = true, retryAfter
		return fmt.Errorf("writing for email: %w", e)
	}
	for name, test := range map[string]struct {
		err       error
		permanent bool
		snooze    time.Duration
	}{
		"plain":               {errors.New("x"), false, 0},
		"unavailable":         {with(fanfare.CodeAIUnavailable, 0), false, 0},
		"timeout":             {with(fanfare.CodeAITimeout, 0), false, 0},
		"refused":             {final(fanfare.CodeAIRefused, 0), true, 0},
		"broken rules":        {final(fanfare.CodeAIInvalidOutput, 0), true, 0},
		"no completion":       {with(fanfare.CodeAIInvalidOutput, 0), false, 0},
		"too long":            {final(fanfare.CodeAIUnavailable, 0), true, 0},
		"final, known":        {final(fanfare.CodeAIUnavailable, time.Second), true, 0},
		"gone":                {with(fanfare.CodeNotFound, 0), true, 0},
		"rate limited":        {with(fanfare.CodeAIRateLimited, 0), false, 0},
		"rate limited, known": {with(fanfare.CodeAIRateLimited, 3*time.Second), false, 3 * time.Second},
		"unavailable, known":  {with(fanfare.CodeAIUnavailable, time.Second), false, time.Second},
		"said permanent":      {Permanent(errors.New("x")), true, 0},
		"said snooze":         {Snooze(time.Minute, errors.New("x")), false, time.Minute},
		"wrapped permanent":   {fmt.Errorf("doing: %w", Permanent(errors.New("x"))), true, 0},
	} {
		got := steer(test.err)
		delay, snoozed := SnoozeDelay(got)
		if IsPermanent(got) != test.permanent || delay != test.snooze || snoozed != (test.snooze > 0) {
			t.Errorf("%s: permanent %t, snooze %s", name, IsPermanent(got), delay)
		}
		if !errors.Is(got, test.err) || got.Error() != test.err.Error() {
			t.Errorf("%s: %v does not carry %v", name, got, test.err)
		}
	}
}

func TestTheWorstErrorDecides(t *testing.T) {
	plain, refused := errors.New("plain"), fanfare.Errorf(fanfare.CodeAIRefused, "No.")
	soon, late := Snooze(time.Second, errors.New("soon")), Snooze(time.Minute, errors.New("late"))
	refused.Final = true
	for name, test := range map[string]struct {
		errs []error
		want error
	}{
		"none":            {[]error{nil, nil}, nil},
		"the first":       {[]error{nil, plain, errors.New("second")}, plain},
		"permanent later": {[]error{plain, nil, refused}, refused},
		"permanent first": {[]error{refused, plain, late}, refused},
		"the latest":      {[]error{plain, soon, late, soon}, late},
	} {
		if got := worst(test.errs); !errors.Is(got, test.want) || (got == nil) != (test.want == nil) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func TestProtectReturnsAPanicAsAnError(t *testing.T) {
	err := Protect(func() error { var nobody *fanfare.Job; return errors.New(nobody.ID) })
	panicked, ok := errors.AsType[*PanicError](err)
	if !ok || !strings.Contains(err.Error(), "nil pointer") || !strings.Contains(string(panicked.Stack), "TestProtect") {
		t.Errorf("Protect = %v", err)
	}
	if strings.Contains(err.Error(), "goroutine") {
		t.Errorf("the stack is in the text: %v", err)
	}
	if quoting := Protect(func() error { panic("the brief") }); quoting.Error() != "panic: string" {
		t.Errorf("a panic is told as %q", quoting)
	}
	plain := errors.New("x")
	if got := Protect(func() error { return plain }); !errors.Is(got, plain) || got.Error() != "x" {
		t.Errorf("Protect = %v, want the error as it is", got)
	}
}
