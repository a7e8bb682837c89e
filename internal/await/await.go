// Package await lets tests wait for what is to happen, and not for time to pass.
package await

import (
	"testing"
	"time"
)

// limit is far above what anything here takes: only a test that fails meets it.
const (
	limit = 20 * time.Second
	gap   = 2 * time.Millisecond
)

// True waits until the condition holds. The test ends where it does not.
func True(t testing.TB, what string, condition func() bool) {
	t.Helper()
	giveUp := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(giveUp) {
			t.Fatalf("waited %s in vain: %s", limit, what)
		}
		time.Sleep(gap)
	}
}

// Value waits for the next value of a channel. The test ends where none comes.
func Value[T any](t testing.TB, what string, values <-chan T) T {
	t.Helper()
	select {
	case value := <-values:
		return value
	case <-time.After(limit):
		t.Fatalf("waited %s in vain: %s", limit, what)
		panic("unreachable")
	}
}
