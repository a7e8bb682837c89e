package connector

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestClean(t *testing.T) {
	const secret = "p+ss/wörd two"
	for text, want := range map[string]string{
		"":                                     "",
		" a\r\nb\tc\u2028d\x00e\x1b[31m\u202e": "a b c de[31m",
		"bad \xff\xfe bytes":                   "bad bytes",
		"key p+ss/wörd two!":                   "key [removed]!",
		"key p%2Bss%2Fw%C3%B6rd+two":           "key [removed]",
		"key p+ss%2Fw%C3%B6rd%20two":           "key [removed]",
		"key p+ss/\u200bwörd two":              "key [removed]",
		"key p+ss/wörd\r\n two":                "key [removed]",
		"key " + base64.StdEncoding.EncodeToString([]byte(secret)): "key [removed]",
		"key longer-key": "key [removed]",
		"key longer":     "key [removed]",
	} {
		if diff := cmp.Diff(want, NewRedactor(secret, "", "longer").And("longer-key").Clean(text)); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
	long := NewRedactor("ending").Clean(strings.Repeat("ö", 196) + "ending and more")
	if utf8.RuneCountInString(long) != 200 || !strings.HasSuffix(long, "[re…") {
		t.Errorf("%q", long)
	}
}

func TestHost(t *testing.T) {
	for url, want := range map[string]string{
		"":                                  "localhost",
		"http://127.0.0.1:8080":             "localhost",
		"http://[::1]:8080":                 "localhost",
		"https://fanfare.example.com":       "fanfare.example.com",
		"https://fanfare.example.com:8/app": "fanfare.example.com",
	} {
		if got := (Outside{PublicURL: url}).Host(); got != want {
			t.Errorf("%s: %s", url, got)
		}
	}
}

func TestRate(t *testing.T) {
	for value, want := range map[string]float64{"": 0, "5": 5, "0.5": 0.5} {
		if got := Rate(fanfare.Credentials{RateField: value}); got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestBegan(t *testing.T) {
	for id, want := range map[string]string{
		"0192f0c0-1111-7222-8333-444455556666": "2024-11-03T06:39:32.113Z",
		"00000000-0000-7000-8000-000000000000": "1970-01-01T00:00:00Z",
		"canary":                               "", "": "", "0192f0c0": "", "xxxxxxxx-xxxx-7222-8333-444455556666": "",
	} {
		at, err := Began(id)
		if (err == nil) != (want != "") || err == nil && at.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %v, %v", id, at.UTC(), err)
		}
	}
}
