package auth_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"fanfare"
	"fanfare/auth"
)

// FuzzEmail: the normal form of an address is its own, fits the column, and is
// one line; what is refused is refused for people; and no address of a mailbox
// is counted apart from its normal form, its upper case or one with a tag.
func FuzzEmail(f *testing.F) {
	for _, seed := range []string{
		"ada@example.com", " Ada.L@EXAMPLE.com\n", "a+b@x.org", "ÄDA@Bücher.example", "a\u0308da@bu\u0308cher.example", "Ada <ada@example.com>",
		"ada@exa\x7fmple.com", "\"a b\"@example.com", "+ada@example.com", "a.b+c@GoogleMail.com", "İ@x.io", "ſ@x.io", "K@x.io", "ß@x.io", "a@xn--a.b", "a@\u200bx.io",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		var accounts auth.Accounts
		normal, err := accounts.NormalizeEmail(address)
		if err != nil {
			if fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
				t.Errorf("%q: %v", address, err)
			}
			return
		}
		if again, err := accounts.NormalizeEmail(normal); err != nil || again != normal {
			t.Errorf("%q is %q, and that is %q, %v", address, normal, again, err)
		}
		if normal != strings.ToLower(normal) || !utf8.ValidString(normal) || strings.ContainsAny(normal, " \r\n\x00<>,") || len(normal) > 254 {
			t.Errorf("%q is %q", address, normal)
		}
		key := accounts.RateLimitKey(address)
		local, domain, _ := strings.Cut(normal, "@")
		for _, same := range []string{normal, " " + normal, local + "+x@" + domain, local + "@" + strings.ToUpper(domain)} {
			if _, err := accounts.NormalizeEmail(same); err == nil && accounts.RateLimitKey(same) != key {
				t.Errorf("%q is counted as %q, and %q as %q", address, key, same, accounts.RateLimitKey(same))
			}
		}
	})
}
