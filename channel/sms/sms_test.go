package sms

import (
	"errors"
	"strings"
	"testing"

	"fanfare"
)

func TestParts(t *testing.T) {
	for _, test := range []struct {
		text      string
		parts     int
		isUnicode bool
	}{
		{"", 1, false},
		{strings.Repeat("a", 160), 1, false},
		{strings.Repeat("é", 160), 1, false},
		{strings.Repeat("a", 161), 2, false},
		{strings.Repeat("a", 306), 2, false},
		{strings.Repeat("a", 307), 3, false},
		{strings.Repeat("€", 80), 1, false},
		{strings.Repeat("€", 81), 2, false},
		{strings.Repeat("€", 152), 2, false},
		{strings.Repeat("€", 153), 3, false}, // 76 of them go into a part, not 76.5
		{strings.Repeat("ж", 70), 1, true},
		{strings.Repeat("ж", 71), 2, true},
		{strings.Repeat("🎉", 35), 1, true},
		{strings.Repeat("🎉", 36), 2, true},
		{strings.Repeat("a", 70) + "’", 2, true},
		{strings.Repeat("ж", 160), 3, true},
	} {
		if parts, isUnicode := Parts(test.text); parts != test.parts || isUnicode != test.isUnicode {
			t.Errorf("%d characters %.4q: %d, %v; want %d, %v", len([]rune(test.text)), test.text, parts, isUnicode, test.parts, test.isUnicode)
		}
	}
}

func TestText(t *testing.T) {
	content := func(text string) fanfare.Content { return fanfare.Content{SMS: &fanfare.SMSContent{Text: text}} }
	for _, test := range []struct {
		to      string
		content fanfare.Content
		want    string
	}{
		{"+4915112345678", content(" Te\u202ea. "), "Tea."},
		{"+4915112345678", content(" "), ""},
		{"+4915112345678", fanfare.Content{}, ""},
		{"4915112345678", content("Tea."), ""},
		{"+49 1511 2345678", content("Tea."), ""},
		{"+49151123456789012", content("Tea."), ""},
		{"+4915112345678&to=+4915112345679", content("Tea."), ""},
		{"", content("Tea."), ""},
	} {
		got, err := Text(fanfare.Outgoing{Recipient: test.to, Content: test.content})
		e, ok := errors.AsType[*fanfare.SendError](err)
		if got != test.want || (err != nil) != (test.want == "") || ok && (e.Fate != fanfare.FateRefused || strings.Contains(e.Error(), "49151")) {
			t.Errorf("%+v: %q, %v", test, got, err)
		}
	}
}
