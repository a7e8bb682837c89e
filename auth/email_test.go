package auth_test

import (
	"strings"
	"testing"

	"fanfare"
	"fanfare/auth"
)

func TestNormalizeEmail(t *testing.T) {
	for given, want := range map[string]string{
		"ada@example.com":                "ada@example.com",
		" Ada.Lovelace@EXAMPLE.com\n":    "ada.lovelace@example.com",
		"ada@\u200bexample.com":          "ada@example.com", // as IDNA maps it
		"a+b@x.org":                      "a+b@x.org",
		"ÄDA@Bücher.example":             "äda@xn--bcher-kva.example",
		"a\u0308da@bu\u0308cher.example": "äda@xn--bcher-kva.example",
		"ada@ＥＸＡＭＰＬＥ.com":                "ada@example.com",
		"o'brien!#$%&*/=?^_`{|}~-@x.io":  "o'brien!#$%&*/=?^_`{|}~-@x.io",
		strings.Repeat("a", 64) + "@" + strings.Repeat(strings.Repeat("b", 60)+".", 3) + "exampl": strings.Repeat("a", 64) + "@" +
			strings.Repeat(strings.Repeat("b", 60)+".", 3) + "exampl",
	} {
		got, err := auth.Accounts{}.NormalizeEmail(given)
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", given, got, err, want)
		}
		if again, err := (auth.Accounts{}).NormalizeEmail(got); err != nil || again != got {
			t.Errorf("%q normalised twice is %q, %v", got, again, err)
		}
	}
}

func TestNormalizeEmailRefuses(t *testing.T) {
	for _, given := range []string{
		"", "ada", "@example.com", "ada@", "ada@localhost", "Ada <ada@example.com>", "<ada@example.com>", "ada@example.com (Ada)",
		"ada@example.com, bob@example.com", "ada@example.com\nbcc: bob@example.com", "a da@example.com", "ada\x00@example.com",
		"ada@exa\x7fmple.com", "ada@[127.0.0.1]", "\"a b\"@example.com", "ada@@example.com", "ada.@example.com", "ada@.example.com",
		"ada@example..com", "ada@xn--.com", "ada@a.xn--.com", "ada@-example.com", "ada@exam_ple.com", "a\u200bda@example.com", "ad\xffa@example.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat(strings.Repeat("b", 60)+".", 4) + "example.com",
	} {
		got, err := auth.Accounts{}.NormalizeEmail(given)
		if fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest || got != "" {
			t.Errorf("%q: %q, %v, want a refusal", given, got, err)
		}
	}
}

func TestRateLimitKey(t *testing.T) {
	for given, want := range map[string]string{
		"Ada+x+y@Example.com":        "ada@example.com",
		"a.da@example.com":           "a.da@example.com",
		"A.d.a+news@GoogleMail.com ": "ada@gmail.com",
		"ada@gmail.com":              "ada@gmail.com",
		"+ada@example.com":           "+ada@example.com",
		"+ada+x@example.com":         "+ada@example.com",
		" Not An Address ":           "not an address",
	} {
		if got := (auth.Accounts{}).RateLimitKey(given); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
