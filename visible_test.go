package fanfare_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"fanfare"
)

func TestVisibleText(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"plain, 3 < 5\n\tand more\r\n":   "plain, 3 < 5\n\tand more\r\n",
		"a\x00b\x07c\x1b[31md\x7fe":      "abc[31mde",
		"zero\u200bwid\u2060th\ufeff":    "zerowidth",
		"soft\u00adhyphen":               "softhyphen",
		"pay \u202egro.elpmaxe\u202c":    "pay gro.elpmaxe",
		"\u2066left\u2069\u200f":         "left",
		"hidden\U000E0041\U000E0042":     "hidden",
		"broken \xff\xc3":                "broken \ufffd",
		"surrogate \xed\xa0\x80":         "surrogate \ufffd",
		"می\u200cخواهم":                  "می\u200cخواهم",
		"क्\u200dष":                      "क्\u200dष",
		"👩\u200d👩 ❤\ufe0f 1\ufe0f\u20e3": "👩\u200d👩 ❤\ufe0f 1\ufe0f\u20e3",
		"a\u200db\ufe0f":                 "ab",
		"e\u0301 stays":                  "e\u0301 stays",
	} {
		if got := fanfare.VisibleText(text); got != want {
			t.Errorf("VisibleText(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestCleanLine(t *testing.T) {
	for _, test := range []struct {
		text string
		most int
		want string
	}{
		{" 550 5.1.1\r\nBcc: x\t  no such\u2028user ", 100, "550 5.1.1 Bcc: x no such user"},
		{"a\x00\u202eb\u200b", 100, "ab"},
		{"grün", 4, "grün"},
		{"grüner Tee", 8, "grüner…"},
		{"grüner Tee", 5, "grün…"},
		{"ab", 1, "…"},
		{" \u200b\n", 5, ""},
		{"<b>stays</b>", 20, "<b>stays</b>"}, // whoever shows it escapes it
	} {
		if got := fanfare.CleanLine(test.text, test.most); got != test.want {
			t.Errorf("CleanLine(%q, %d) = %q, want %q", test.text, test.most, got, test.want)
		}
	}
}

func FuzzCleanLine(f *testing.F) {
	for _, seed := range []string{"", "a\nb", "\xff\u202e", "👩\u200d👩", strings.Repeat("ä ", 60), "a\u200d\u200c\u0301"} {
		f.Add(seed, 40)
	}
	f.Fuzz(func(t *testing.T, text string, most int) {
		most = 1 + max(most, -most)%200
		line := fanfare.CleanLine(text, max(most, 1))
		if !utf8.ValidString(line) || utf8.RuneCountInString(line) > max(most, 1) || line != strings.TrimSpace(line) {
			t.Errorf("CleanLine(%q, %d) = %q", text, most, line)
		}
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' }) {
			t.Errorf("CleanLine(%q, %d) = %q holds what cannot be seen", text, most, line)
		}
	})
}
