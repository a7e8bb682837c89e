package fanfare_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestPlaceholders(t *testing.T) {
	for text, want := range map[string][]string{
		"":                            nil,
		"Hi {{name}}, from {Company}": {"{{name}}", "{Company}"},
		"Dear [Your Name],":           {"[Your Name]"},
		"Grüße, [Firma] und {Straße}": {"[Firma]", "{Straße}"},
		"Hi %FIRSTNAME%, *|FNAME|*":   {"%FIRSTNAME%", "*|FNAME|*"},
		"{{ }} {{user.first_name}}":   {"{{ }}", "{{user.first_name}}"},
		"<p>Dear {{name}}</p>":        {"{{name}}"},
		"20% off, 5% back":            nil,
		"[1] and (2), {3}":            nil,
		"a { b":                       nil,
		"[] {} ** ||":                 nil,
	} {
		if diff := cmp.Diff(want, fanfare.Placeholders(text)); diff != "" {
			t.Errorf("Placeholders(%q) (-want +got):\n%s", text, diff)
		}
	}
}
