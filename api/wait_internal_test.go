package api

import (
	"testing"
	"time"
)

func TestPreferredWait(t *testing.T) {
	for prefer, want := range map[string]time.Duration{
		"wait=0":                         0,
		"wait=10":                        10 * time.Second,
		`respond-async, Wait = "10";x=y`: 10 * time.Second,
		"wait=25":                        25 * time.Second,
		"wait=26":                        25 * time.Second,
		"wait=99999999999999999999":      25 * time.Second,
	} {
		if got, asked := preferredWait(prefer); !asked || got != want {
			t.Errorf("%q: %s, %t, want %s", prefer, got, asked, want)
		}
	}
	for _, prefer := range []string{"", "wait", "wait=-1", "wait=soon", "waiting=5", "return=minimal"} {
		if got, asked := preferredWait(prefer); asked {
			t.Errorf("%q asks to wait %s", prefer, got)
		}
	}
}
