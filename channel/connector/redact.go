package connector

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"fanfare"
)

const (
	longestReason = 200      // characters
	longestRead   = 16 << 10 // bytes
	removed       = "[removed]"
	// shortestSecret: to take a letter or three out of a sentence leaves no
	// sentence, and keeps nothing secret.
	shortestSecret = 4 // bytes
)

// Redactor cleans what providers say before people read it. The zero value
// knows no secrets.
type Redactor struct{ secrets []string }

// NewRedactor returns a Redactor that takes the given values out, however a
// provider may echo them: as they are, for a URL, in base64.
func NewRedactor(secrets ...string) Redactor { return Redactor{}.And(secrets...) }

// And returns a Redactor that takes out more.
func (r Redactor) And(secrets ...string) Redactor {
	all := slices.Clone(r.secrets)
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			all = append(all, secret, url.QueryEscape(secret), url.PathEscape(secret),
				base64.StdEncoding.EncodeToString([]byte(secret)))
		}
	}
	// The longer first: one may contain another.
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return Redactor{all}
}

// Clean returns text as one line of at most 200 readable characters, without
// the secrets.
func (r Redactor) Clean(text string) string {
	text = text[:min(len(text), longestRead)]
	text = r.remove(strings.ToValidUTF8(text, " "))
	text = r.remove(fanfare.CleanLine(text, longestRead)) // again: what was taken out may have hidden one
	return fanfare.CleanLine(text, longestReason)
}

func (r Redactor) remove(text string) string {
	pairs := make([]string, 0, 2*len(r.secrets))
	for _, secret := range r.secrets {
		pairs = append(pairs, secret, removed)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}
