package x

import (
	"regexp"
	"strings"
	"sync"

	"github.com/rivo/uniseg"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"
)

const (
	maxWeight  = 280
	linkWeight = 23 // whatever its length: X shortens each
)

// length counts as X does: characters of most alphabets are one, others and
// emoji two, links 23.
func length(text string) int {
	n, end := 0, 0
	for _, link := range links(text) {
		n += weight(text[end:link[0]]) + linkWeight
		end = link[1]
	}
	return n + weight(text[end:])
}

// linkPattern is what X makes a link of: an address with a scheme, or without
// one. It ends where another alphabet begins, and before punctuation
// (https://github.com/twitter/twitter-text, Regex).
var linkPattern = sync.OnceValue(func() *regexp.Regexp {
	const (
		host  = `(?:[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?\.)+[a-z]{2,}\b`
		last  = `[a-z0-9\p{Latin}\p{Cyrillic}=_#/+&-]`
		path  = `(?:/(?:[a-z0-9\p{Latin}\p{Cyrillic}!*';:=+,.$%#\[\]~_@&|()/-]*` + last + `)?)?`
		query = `(?:\?(?:[a-z0-9!?*'();:&=+$/%#\[\]_.,~|@-]*[a-z0-9_&=#/])?)?`
	)
	return regexp.MustCompile(`(?i)(https?://)?(` + host + `)(?::\d+)?` + path + query)
})

// links are where links begin and end, in bytes.
func links(text string) (found [][]int) {
	for _, at := range linkPattern().FindAllStringSubmatchIndex(text, -1) {
		before, after := text[:at[0]], text[at[1]:]
		bare := at[2] < 0
		if bare && (!isDomain(text[at[4]:at[5]]) || before != "" && strings.ContainsAny(before[len(before)-1:], "@#$-_./") || strings.HasPrefix(after, "@")) {
			continue // an abbreviation, a name, somebody's address
		}
		found = append(found, at[:2])
	}
	return found
}

// isDomain tells a name below a top-level domain that there is.
func isDomain(host string) bool {
	suffix, public := publicsuffix.PublicSuffix(strings.ToLower(host))
	return public || strings.Contains(suffix, ".") // one that its owner lets others have names below
}

func weight(text string) int {
	n := 0
	clusters := uniseg.NewGraphemes(norm.NFC.String(text))
	for clusters.Next() {
		if runes := clusters.Runes(); strings.ContainsFunc(string(runes), isEmoji) {
			n += 2
		} else {
			for _, r := range runes {
				n += weightOf(r)
			}
		}
	}
	return n
}

// isEmoji reports whether a rune makes its cluster an emoji, which is two
// however many runes it has.
func isEmoji(r rune) bool { return r >= 0x1F000 && r <= 0x1FAFF || r == 0xFE0F || r == 0x20E3 }

// weightOf has the ranges of twitter-text's third configuration.
func weightOf(r rune) int {
	switch {
	case r <= 0x10FF, r >= 0x2000 && r <= 0x200D, r >= 0x2010 && r <= 0x201F, r >= 0x2032 && r <= 0x2037:
		return 1
	default:
		return 2
	}
}
