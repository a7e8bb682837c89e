package telemetry

import (
	"errors"
	"net/url"
	"regexp"
	"strings"
)

// masked finds what must not stand in a log, in texts that others wrote: e-mail
// addresses, telephone numbers (E.164), passwords in URLs, bearer tokens, and
// the keys of OpenAI and of Fanfare. It is the last net, not the first.
var masked = regexp.MustCompile(`(?i)` + strings.Join([]string{
	`[^\s<>"'(),:;@]+@[^\s<>"'(),:;@]+\.[a-z0-9-]+`,
	`\+[0-9]{7,15}\b`,
	`://[^\s/@]+@`,
	`\bbearer\s+\S+`,
	`\b(?:sk-|ff_)[a-z0-9_-]{8,}`,
}, "|"))

func mask(text string) string {
	return masked.ReplaceAllStringFunc(text, func(found string) string {
		if strings.HasPrefix(found, "://") {
			return "://[masked]@"
		}
		return "[masked]"
	})
}

// errorText is err's text without the parts of which others decide.
func errorText(err error) string {
	text := err.Error()
	// Of PostgreSQL's data exceptions (class 22) the message itself quotes the
	// value, as in: invalid input syntax for type uuid: "…". Of the others
	// only Detail does, and Error leaves that out.
	if db, ok := errors.AsType[sqlError](err); ok && strings.HasPrefix(db.SQLState(), "22") {
		text = strings.ReplaceAll(text, db.Error(), "SQLSTATE "+db.SQLState())
	}
	// The path of a webhook's address is its password.
	if request, ok := errors.AsType[*url.Error](err); ok {
		text = strings.ReplaceAll(text, request.URL, hostOf(request.URL))
	}
	return mask(text)
}

// sqlError is what drivers of PostgreSQL return: *pq.Error for one.
type sqlError interface {
	error
	SQLState() string
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "[masked]"
	}
	return u.Scheme + "://" + u.Host
}
