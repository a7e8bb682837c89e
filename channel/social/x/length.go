package x

import (
	"regexp"
	"strings"
	"sync"

	"github.com/rivo/uniseg"
	"golang.org/x/net/publicsuffix"
	"golang.org/x/text/unicode/norm"

	"fanfare/channel/social"
)

const (
	maxWeight  = 280
	linkWeight = 23 // whatever its length: X shortens each
)

// length counts as X does: characters of most alphabets are one, others and
// emoji two, links 23.
func length(text string) int {
	n, end := 0, 0
	for _, link := range social.Links(text) {
		n += bareLength(text[end:link.Start]) + linkWeight
		end = link.End
	}
	return n + bareLength(text[end:])
}

// X makes links of addresses without a scheme, too.
var barePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)\b(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}\b(?:/(?:[^\s<>"]*[^\s<>".,;:!?'”’»…)])?)?`)
})

func bareLength(text string) int {
	n, end := 0, 0
	for _, at := range barePattern().FindAllStringIndex(text, -1) {
		host, _, _ := strings.Cut(text[at[0]:at[1]], "/")
		if !isDomain(host) || strings.HasSuffix(text[:at[0]], "@") || strings.HasPrefix(text[at[1]:], "@") {
			continue // an abbreviation, or somebody's address
		}
		n += weight(text[end:at[0]]) + linkWeight
		end = at[1]
	}
	return n + weight(text[end:])
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
