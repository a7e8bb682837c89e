package fanfare

import (
	"errors"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of an e-mail address, in bytes: RFC 5321, section 4.5.3.1, less the
// angle brackets of a path.
const (
	addressMax      = 254
	addressLocalMax = 64
	domainLabelMax  = 63 // RFC 1035, section 2.3.4
)

// Bounds of a phone number with its country code, in digits: E.164, section 6,
// which says no least number; no country has numbers of fewer than 8.
const (
	phoneMin = 8
	phoneMax = 15
)

// Why an address is refused. None of these quotes it: they reach logs.
var (
	errNotUTF8     = errors.New("must be text in UTF-8")
	errNoEmail     = errors.New("must be an e-mail address such as ada@example.com")
	errLongEmail   = errors.New("must have at most 254 characters, 64 of them before the @")
	errNoPhone     = errors.New("must be a phone number with its country code, such as +4915123456789")
	errNoRecipient = errors.New("must be for email or sms, the channels that have recipients")
)

// HasRecipients reports whether messages of a channel go to addresses; other
// channels post for all to see.
func HasRecipients(channel Channel) bool { return channel == Email || channel == SMS }

// ParseRecipient returns the one form of an address on a channel, so that an
// address that is written twice is found to be one: an e-mail address in lower
// case, a phone number as + and digits. Its errors are the rest of a sentence
// that begins with the field's name, and do not quote the address.
func ParseRecipient(channel, raw string) (address string, err error) {
	if !utf8.ValidString(raw) {
		return "", errNotUTF8
	}
	switch Channel(channel) {
	case Email:
		return parseEmail(raw)
	case SMS:
		return parsePhone(raw)
	default:
		return "", errNoRecipient
	}
}

// parseEmail takes a domain in Unicode too; who sends says it in ASCII.
func parseEmail(raw string) (string, error) {
	local, domain, ok := SplitEmail(raw)
	switch {
	case !ok || !isDomain(domain):
		return "", errNoEmail
	case !EmailFits(local, domain):
		return "", errLongEmail
	}
	return local + "@" + domain, nil
}

// SplitEmail takes a single bare address at its last @, in lower case. It
// refuses names, comments, quotes, lists and folded white space, all of which
// RFC 5322 allows in a header, and what nobody can see. What is a domain the
// caller checks.
func SplitEmail(raw string) (local, domain string, ok bool) {
	address := strings.TrimSpace(raw)
	parsed, err := mail.ParseAddress(address)
	if err != nil || parsed.Address != address {
		return "", "", false
	}
	at := strings.LastIndexByte(address, '@')
	local, domain = strings.ToLower(address[:at]), strings.ToLower(address[at+1:])
	return local, domain, !strings.ContainsFunc(local, isInvisible)
}

func isInvisible(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// EmailFits reports whether an address is as short as mail systems ask for.
func EmailFits(local, domain string) bool {
	return len(local) <= addressLocalMax && len(local)+1+len(domain) <= addressMax
}

// isDomain takes names of two labels and more, as hosts have them (RFC 1123,
// section 2.1), and letters of all scripts (RFC 5890).
func isDomain(domain string) bool {
	labels := strings.Split(domain, ".")
	for _, label := range labels {
		if label == "" || len(label) > domainLabelMax || label[0] == '-' || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, isNoLabelRune) {
			return false
		}
	}
	return len(labels) > 1 && strings.Trim(labels[len(labels)-1], "0123456789") != "" // else an IP address
}

func isNoLabelRune(r rune) bool {
	return r != '-' && !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r)
}

// parsePhone takes the ways in which people write numbers, also the (0) that
// is not dialed from abroad. A number without a country code could be anyone's.
func parsePhone(raw string) (string, error) {
	number := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Pd, r) || strings.ContainsRune("().", r) {
			return -1
		}
		return r
	}, strings.ReplaceAll(raw, "(0)", ""))
	if rest, international := strings.CutPrefix(number, "00"); international {
		number = "+" + rest
	}
	digits, found := strings.CutPrefix(number, "+")
	if !found || len(digits) < phoneMin || len(digits) > phoneMax || digits[0] == '0' || strings.Trim(digits, "0123456789") != "" {
		return "", errNoPhone
	}
	return number, nil
}

// Unsubscribed is the reason why a recipient is suppressed who asked for it.
const Unsubscribed = "unsubscribed"

// Recipient is an address on a channel, in the form of ParseRecipient.
type Recipient struct {
	Channel Channel
	Address string
}

// RecipientCounts says how many recipients there are on each channel that has
// some.
type RecipientCounts struct {
	Email int `json:"email"`
	SMS   int `json:"sms"`
}

// Add counts n more recipients of a channel.
func (c *RecipientCounts) Add(channel Channel, n int) {
	switch channel {
	case Email:
		c.Email += n
	case SMS:
		c.SMS += n
	}
}

// Of is how many recipients a channel has.
func (c RecipientCounts) Of(channel Channel) int {
	switch channel {
	case Email:
		return c.Email
	case SMS:
		return c.SMS
	default:
		return 0
	}
}

// Total is how many there are on all channels.
func (c RecipientCounts) Total() int { return c.Email + c.SMS }
