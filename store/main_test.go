package store_test

import (
	"context"
	"testing"

	"fanfare"
	"fanfare/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// wantCode fails the test if err has another code; "" is for no error.
func wantCode(t *testing.T, doing string, err error, want string) {
	t.Helper()
	if got := fanfare.ErrorCode(err); got != want {
		t.Errorf("%s: code %q (%v), want %q", doing, got, err, want)
	}
}

// background is for what has to run on while the test waits for something.
func background(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
