package fanfare_test

import (
	"testing"
	"time"

	"fanfare"
)

func TestRate(t *testing.T) {
	for text, want := range map[string]fanfare.Rate{
		"100/15m":  {Count: 100, Window: 15 * time.Minute},
		" 5 / 1h ": {Count: 5, Window: time.Hour},
		"1/1s":     {Count: 1, Window: time.Second},
		"3/1h30m":  {Count: 3, Window: 90 * time.Minute},
	} {
		var got, again fanfare.Rate
		if err := got.UnmarshalText([]byte(text)); got != want || err != nil {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
		if err := again.UnmarshalText([]byte(got.String())); again != want || err != nil {
			t.Errorf("%q is written as %q, which reads as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "/", "5", "5/", "/15m", "0/15m", "-1/15m", "5/0s", "5/999ms", "5/15", "5/-1h", "5/1h/2", "1.5/1h", "five/1h"} {
		got := fanfare.Rate{Count: 7}
		if err := got.UnmarshalText([]byte(text)); err == nil || got.Count != 7 {
			t.Errorf("%q is read as %v, %v; want it refused and nothing changed", text, got, err)
		}
	}
}
