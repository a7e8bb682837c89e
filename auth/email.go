package auth

import (
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"fanfare"
)

const (
	maxEmail = 254 // bytes: RFC 5321, section 4.5.3.1.3, less the angle brackets
	maxLocal = 64  // bytes: section 4.5.3.1.1
)

// NormalizeEmail returns the one form of an address by which a user is known:
// lower case, composed (NFC), its domain in ASCII (IDNA). It refuses with an
// error for people what is not a single bare address at a domain.
func (Accounts) NormalizeEmail(address string) (string, error) {
	bad := fanfare.Invalid("email", "must be an e-mail address such as ada@example.com") // no cause: it would quote
	trimmed := strings.TrimSpace(address)
	// ParseAddress also takes names, comments, quotes and folded white space.
	parsed, err := mail.ParseAddress(trimmed)
	if err != nil || parsed.Address != trimmed {
		return "", bad
	}
	at := strings.LastIndexByte(trimmed, '@')
	local := norm.NFC.String(strings.ToLower(trimmed[:at]))
	domain, err := idna.Lookup.ToASCII(trimmed[at+1:])
	if err != nil || !strings.Contains(domain, ".") || strings.ContainsFunc(local, isInvisible) {
		return "", bad
	}
	if len(local) > maxLocal || len(local)+1+len(domain) > maxEmail {
		return "", fanfare.Invalid("email", "must have at most %d characters, %d of them before the @", maxEmail, maxLocal)
	}
	return local + "@" + domain, nil
}

func isInvisible(r rune) bool { return !unicode.IsGraphic(r) }

// RateLimitKey folds the addresses that reach one mailbox into one, as far as
// that is known: what follows a plus, and dots at Gmail. It is for counting
// attempts only; as a name each address stands for itself.
func (a Accounts) RateLimitKey(address string) string {
	normal, err := a.NormalizeEmail(address)
	if err != nil {
		return strings.ToLower(strings.TrimSpace(address)) // counted all the same
	}
	local, domain, _ := strings.Cut(normal, "@")
	if base, _, tagged := strings.Cut(local, "+"); tagged && base != "" {
		local = base
	}
	if domain == "gmail.com" || domain == "googlemail.com" {
		local, domain = strings.ReplaceAll(local, ".", ""), "gmail.com"
	}
	return local + "@" + domain
}
