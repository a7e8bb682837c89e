package auth

import (
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"fanfare"
)

// NormalizeEmail returns the one form of an address by which a user is known:
// lower case, composed (NFC), its domain in ASCII (IDNA). It refuses with an
// error for people what is not a single bare address at a domain.
func (Accounts) NormalizeEmail(address string) (string, error) {
	bad := fanfare.Invalid("email", "must be an e-mail address such as ada@example.com") // no cause: it would quote
	local, domain, ok := fanfare.SplitEmail(address)
	if !ok {
		return "", bad
	}
	local = norm.NFC.String(local)
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil || !isDomain(domain) {
		return "", bad
	}
	if !fanfare.EmailFits(local, domain) {
		return "", fanfare.Invalid("email", "must have at most 254 characters, 64 of them before the @")
	}
	return local + "@" + domain, nil
}

// isDomain wants two labels at least, none of them empty: idna makes an empty
// one of an "xn--" that encodes nothing.
func isDomain(domain string) bool {
	return strings.Contains(domain, ".") && !strings.HasPrefix(domain, ".") && !strings.Contains(domain, "..")
}

// RateLimitKey folds the addresses that reach one mailbox into one, as far as
// that is known: what follows a plus, and dots at Gmail. It is for counting
// attempts only; as a name each address stands for itself.
func (a Accounts) RateLimitKey(address string) string {
	normal, err := a.NormalizeEmail(address)
	if err != nil {
		return strings.ToLower(strings.TrimSpace(address)) // counted all the same
	}
	local, domain, _ := strings.Cut(normal, "@")
	if tag := strings.IndexByte(local[1:], '+'); tag >= 0 { // a plus in front begins a name, not a tag
		local = local[:1+tag]
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return local + "@" + domain
}
