package fanfare_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"fanfare"
)

// FuzzMoney: what is read is the number that was written, to the last digit.
func FuzzMoney(f *testing.F) {
	for _, seed := range []string{"0", "-0.15", "1e3", "9223372036.854775807", "0.0000000001", "1.", ".5", "25e-3", "\"1\"", "null", "1e99999", "٣"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if m, err := fanfare.ParseMoney(text); err == nil {
			isExactly(t, text, m)
		}
		var m fanfare.Money
		if json.Unmarshal([]byte(text), &m) != nil || strings.ContainsAny(text, "eE") || strings.TrimSpace(text) == "null" {
			return
		}
		isExactly(t, strings.TrimSpace(text), m)
	})
}

func isExactly(t *testing.T, text string, m fanfare.Money) {
	t.Helper()
	want, ok := new(big.Rat).SetString(text)
	if !ok || want.Cmp(big.NewRat(int64(m), int64(fanfare.MoneyUnit))) != 0 {
		t.Errorf("%q is read as %s", text, m)
	}
	if again, err := fanfare.ParseMoney(m.String()); again != m || err != nil {
		t.Errorf("%q is read as %s, which is read as %s, %v", text, m, again, err)
	}
}

// FuzzRate: a rate that is read can be counted, and is written as it is read.
func FuzzRate(f *testing.F) {
	for _, seed := range []string{"100/15m", " 5 / 1h ", "1/1s", "5/", "/", "-1/1m", "9223372036854775807/2562047h", "1/1e9s", "1/+1h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var rate, again fanfare.Rate
		if rate.UnmarshalText([]byte(text)) != nil {
			return
		}
		if rate.Count < 1 || rate.Window < time.Second {
			t.Errorf("%q is read as %v", text, rate)
		}
		if err := again.UnmarshalText([]byte(rate.String())); err != nil || again != rate {
			t.Errorf("%q is read as %v, which is read as %v, %v", text, rate, again, err)
		}
	})
}

// FuzzVisible: what can't be seen is dropped at once, and the rest is text.
func FuzzVisible(f *testing.F) {
	for _, seed := range []string{"a\u200bb", "می\u200cخواهم", "👩\u200d👧", "1\ufe0f\u20e3", "\u200d\u200d", "\xff\x00", "a\u202eb", "क्\u200d\u200dष"} {
		f.Add(seed, 20)
	}
	f.Fuzz(func(t *testing.T, text string, most int) {
		once := fanfare.VisibleText(text)
		if again := fanfare.VisibleText(once); again != once || !utf8.ValidString(once) {
			t.Errorf("%q is seen as %q, and that as %q", text, once, again)
		}
		line := fanfare.CleanLine(text, most)
		if n := utf8.RuneCountInString(line); n > max(most, 1) || strings.ContainsAny(line, "\r\n\x00") {
			t.Errorf("a line of %q with %d characters at most: %q", text, most, line)
		}
	})
}
