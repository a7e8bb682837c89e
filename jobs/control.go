package jobs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"

	"fanfare"
)

// Work steers by the error that it returns. A plain error is retried after the
// kind's backoff while attempts are left; Permanent and Snooze say otherwise.

type permanentError struct{ cause error }

func (e *permanentError) Error() string { return e.cause.Error() }
func (e *permanentError) Unwrap() error { return e.cause }

// Permanent marks an error that another attempt would only repeat: the job
// fails at once.
func Permanent(err error) error { return &permanentError{cause: err} }

// IsPermanent reports whether err was marked by Permanent.
func IsPermanent(err error) bool {
	_, ok := errors.AsType[*permanentError](err)
	return ok
}

type snoozeError struct {
	delay time.Duration
	cause error
}

func (e *snoozeError) Error() string { return e.cause.Error() }
func (e *snoozeError) Unwrap() error { return e.cause }

// Snooze asks to be called again after delay, and spends no attempt: it is for
// a peer that said when to come back.
func Snooze(delay time.Duration, cause error) error {
	return &snoozeError{delay: delay, cause: cause}
}

// SnoozeDelay returns the delay that Snooze asked for.
func SnoozeDelay(err error) (time.Duration, bool) {
	snooze, ok := errors.AsType[*snoozeError](err)
	if !ok {
		return 0, false
	}
	return snooze.delay, true
}

// Backoff is the wait before another attempt. It doubles from Min to Max; each
// wait is drawn from its upper half, so that jobs that failed together do not
// come back together.
type Backoff struct {
	Min, Max time.Duration
}

// Delay returns the wait after the given attempt, counted from 1: 1–2, 2–4,
// 4–8 … times Min, and never more than Max.
func (b Backoff) Delay(attempt int) time.Duration {
	low := b.Min << min(max(attempt-1, 0), 20)
	low = min(low, b.Max/2)
	return low + rand.N(low)
}

// steer marks errors in the terms of the domain as what they mean for the job.
func steer(err error) error {
	e, ok := errors.AsType[*fanfare.Error](err)
	switch {
	case !ok:
		return err
	case e.Final, e.Code == fanfare.CodeNotFound:
		return Permanent(err)
	case e.RetryAfter > 0:
		return Snooze(e.RetryAfter, err)
	default:
		return err
	}
}

// PanicError is a panic that was caught. Its text tells the value's type only,
// since the value may quote what a user sent; the runtime's own never do. The
// stack is for the log.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string {
	if err, ok := e.Value.(runtime.Error); ok {
		return "panic: " + err.Error()
	}
	return fmt.Sprintf("panic: %T", e.Value)
}

// Protect calls do and returns its panic as an error: a bug in one attempt must
// not take the process down with all the others. Work that starts goroutines
// protects each.
func Protect(do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{Value: v, Stack: debug.Stack()}
		}
	}()
	return do()
}
