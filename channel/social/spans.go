package social

import (
	"net/url"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// Span is a part of a text, from one byte up to another.
type Span struct {
	Start, End int
	Value      string // a link's address, a hashtag's name
}

var linkPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`https?://[^\s<>"]+`) })

// Links finds the addresses of pages in a text, without the punctuation of the
// sentence that they stand in.
func Links(text string) []Span {
	var found []Span
	for _, at := range linkPattern().FindAllStringIndex(text, -1) {
		address := withoutPunctuation(text[at[0]:at[1]])
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			found = append(found, Span{at[0], at[0] + len(address), address})
		}
	}
	return found
}

func withoutPunctuation(address string) string {
	for {
		shorter := strings.TrimRight(address, ".,;:!?'“”’»…")
		if strings.HasSuffix(shorter, ")") && strings.Count(shorter, ")") > strings.Count(shorter, "(") {
			shorter = shorter[:len(shorter)-1]
		}
		if shorter == address {
			return address
		}
		address = shorter
	}
}

// Hashtags finds the hashtags in a text, outside of links.
func Hashtags(text string) []Span {
	var found []Span
	links := Links(text)
	for start := strings.IndexByte(text, '#'); start >= 0; {
		end := start + 1
		for end < len(text) {
			r, size := utf8.DecodeRuneInString(text[end:])
			if !isTagRune(r) {
				break
			}
			end += size
		}
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		if name := tagName(text[start+1 : end]); name != "" && !isTagRune(before) && before != '#' && !within(start, links) {
			found = append(found, Span{start, end, name})
		}
		next := strings.IndexByte(text[end:], '#')
		if next < 0 {
			break
		}
		start = end + next
	}
	return found
}

func within(at int, spans []Span) bool {
	for _, span := range spans {
		if at >= span.Start && at < span.End {
			return true
		}
	}
	return false
}
