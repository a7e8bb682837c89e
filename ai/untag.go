package ai

import (
	"bytes"
	"regexp"
	"strings"
)

// untagger leaves out the tags and comments of a plain text that comes piece by
// piece: those of stripMarkup, so that an honest text, which is checked by that
// in the end, stays as it is. What it returns holds no markup, also where taking
// out a tag would have made one of what is around it: that gets a space. Where
// the text was cut does not matter. The zero value is ready.
type untagger struct {
	held string // from a < on that more text may make a tag; it is about maxTag at most
}

// strip returns the text that is certain after one more piece.
func (u *untagger) strip(piece string) string { return u.untag(u.held+piece, true) }

// end returns what was held back because more might have followed.
func (u *untagger) end() string { return u.untag(u.held, false) }

func (u *untagger) untag(text string, more bool) string {
	u.held = ""
	s := newMarkupScanner(text)
	var kept []byte
	open := 0 // in kept: no < before it could yet begin a tag, whatever is taken out behind it
	for at := 0; at < len(text); {
		if length := s.markupLength(at); length > 0 {
			open += opening(kept[open:])
			kept = append(kept[:open], bytes.ReplaceAll(kept[open:], []byte("<"), []byte("< "))...) // which begins none
			at, open = at+length, len(kept)
			continue
		}
		if more && unfinished(s.lower[at:]) {
			open += opening(kept[open:])
			u.held = string(kept[open:]) + text[at:]
			return string(kept[:open])
		}
		part := upToNext(text[at:])
		kept, at = append(kept, part...), at+len(part)
	}
	return string(kept)
}

// upToNext returns the text before the next < behind its first byte.
func upToNext(text string) string {
	if next := strings.IndexByte(text[1:], '<'); next >= 0 {
		return text[:1+next]
	}
	return text
}

// opening is where the first < stands that more text may make a tag.
func opening(kept []byte) (at int) {
	text := lowerASCII(string(kept))
	for at < len(text) && !unfinished(text[at:]) {
		at += len(upToNext(text[at:]))
	}
	return at
}

const (
	commentBegin = "<!--"
	commentEnd   = "-->"
	doctypeBegin = "<!doctype"
)

// markupLength is that of the tag or comment at an offset, 0 if there is none.
func (s markupScanner) markupLength(at int) int {
	window := s.text[at:min(len(s.text), at+maxTag)]
	if comment, found := strings.CutPrefix(window, commentBegin); found {
		if at > s.last[commentEnd] {
			return 0
		}
		if end := strings.Index(comment, commentEnd); end >= 0 {
			return len(commentBegin) + end + len(commentEnd)
		}
		return 0
	}
	if window[0] != '<' {
		return 0
	}
	length, _, _ := s.tagAt(at)
	return length
}

// unfinishedAttributes matches what may yet become the rest of a tag.
var unfinishedAttributes = regexp.MustCompile(`^(?:` + attribute + `)*` +
	`(?:[\s/]*|[\s/]+[^\s"'<>/=]+\s*(?:=\s*(?:"[^"]*|'[^']*|[^\s"'<>]*))?)$`)

// unfinished reports whether more text may make one in lower case, that is no
// markup yet, a tag or comment as a whole.
func unfinished(text string) bool {
	if len(text) >= maxTag || text[0] != '<' {
		return false
	}
	for _, begin := range []string{commentBegin, doctypeBegin} {
		if strings.HasPrefix(text, begin) || strings.HasPrefix(begin, text) {
			return true
		}
	}
	rest := strings.TrimPrefix(text[1:], "/")
	name := rest[:nameLength(rest)]
	rest = rest[len(name):]
	if rest == "" {
		return strings.Contains(elements, " "+name)
	}
	return name != "" && strings.Contains(elements, " "+name+" ") && unfinishedAttributes.MatchString(rest)
}
