package ai

import (
	"regexp"
	"strings"
)

// elements are the names that make <name …> a tag. Anything else in angle
// brackets is a user's own text, as in "x <y> z".
const elements = " a abbr acronym address applet area article aside audio b base basefont bdi bdo bgsound big blink" +
	" blockquote body br button canvas caption center cite code col colgroup data datalist dd del details dfn dialog dir" +
	" div dl dt em embed fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hgroup" +
	" hr html i iframe image img input ins isindex kbd keygen label legend li link listing main map mark marquee math" +
	" menu menuitem meta meter nav nobr noembed noframes noscript object ol optgroup option output p param picture" +
	" plaintext pre progress q rp rt ruby s samp script search section select slot small source span strike strong" +
	" style sub summary sup svg table tbody td template textarea tfoot th thead time title tr track tt u ul var video" +
	" wbr xml xmp "

// inline are the elements that part no words: <b>B</b>old is one word.
const inline = " a abbr acronym b bdi bdo big blink cite code data del dfn em font i ins kbd label mark q s samp small" +
	" span strike strong sub sup time tt u var wbr "

// attribute matches an attribute of a tag. It has a value, or is one of those
// that need none: "a<b and c>d" is a comparison.
const attribute = `[\s/]+(?:[^\s"'<>/=]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+)|` +
	`(?i:allowfullscreen|async|autofocus|autoplay|checked|controls|default|defer|disabled|download|hidden|inert|ismap|loop|` +
	`multiple|muted|nomodule|novalidate|open|readonly|required|reversed|selected)\b)`

// attributes matches the rest of a tag behind its name.
var attributes = regexp.MustCompile(`^(?:` + attribute + `)*[\s/]*>`)

// maxTag bounds how far a tag may reach, in bytes, which keeps hostile text
// linear. Longer ones, such as images in a data: address, stay text.
const (
	maxTag  = 4096
	maxName = 16
)

func hasMarkup(text string) bool { return stripMarkup(text) != text }

// stripMarkup takes out tags, comments, and scripts and styles with what they
// hold. A < or > that belongs to none of these stays.
func stripMarkup(text string) string {
	if !strings.Contains(text, "<") {
		return text
	}
	var kept strings.Builder
	s := newMarkupScanner(text)
	for rest := text; rest != ""; {
		next := strings.IndexByte(rest, '<')
		if next < 0 {
			kept.WriteString(rest)
			break
		}
		kept.WriteString(rest[:next])
		rest = rest[next:]
		length, gap := s.markupAt(len(text) - len(rest))
		if length == 0 {
			length, gap = 1, "<"
		}
		kept.WriteString(gap)
		rest = rest[length:]
	}
	return kept.String()
}

// markupScanner knows where the last end of each kind is, so that what is
// never closed is not searched for again and again.
type markupScanner struct {
	text, lower string
	last        map[string]int // of each closing text
}

func newMarkupScanner(text string) markupScanner {
	s := markupScanner{text: text, lower: lowerASCII(text), last: map[string]int{}}
	for _, end := range []string{"-->", "</script", "</style"} {
		s.last[end] = strings.LastIndex(s.lower, end)
	}
	return s
}

// lowerASCII keeps every byte in its place, unlike strings.ToLower.
func lowerASCII(text string) string {
	lower := []byte(text)
	for i, c := range lower {
		if 'A' <= c && c <= 'Z' {
			lower[i] = c + 'a' - 'A'
		}
	}
	return string(lower)
}

// markupAt returns the length of the markup that starts at an offset, 0 if
// there is none, and what takes its place.
func (s markupScanner) markupAt(offset int) (length int, gap string) {
	if strings.HasPrefix(s.text[offset:], "<!--") {
		return s.until("-->", offset+len("<!--"), offset, len("-->")), " "
	}
	length, name, closing := s.tagAt(offset)
	if length == 0 {
		return 0, ""
	}
	if strings.Contains(inline, " "+name+" ") {
		return length, ""
	}
	if !closing && (name == "script" || name == "style") {
		return max(length, s.until("</"+name, offset+length, offset, 0)), " "
	}
	return length, " "
}

// until measures from a start to the next end, 0 if there is none.
func (s markupScanner) until(end string, from, start, width int) int {
	if from > s.last[end] {
		return 0
	}
	return from + strings.Index(s.lower[from:], end) + width - start
}

// tagAt returns the length of the tag or doctype at an offset, and its name.
func (s markupScanner) tagAt(offset int) (length int, name string, closing bool) {
	window := s.lower[offset+1 : min(len(s.lower), offset+maxTag)]
	if strings.HasPrefix(window, "!doctype") {
		if end := strings.IndexByte(window, '>'); end >= 0 {
			return len("<") + end + len(">"), "!doctype", false
		}
		return 0, "", false
	}
	rest, closing := strings.CutPrefix(window, "/")
	name = rest[:nameLength(rest)]
	if name == "" || !strings.Contains(elements, " "+name+" ") {
		return 0, "", false
	}
	head := len("<") + len(window) - len(rest) + len(name)
	if strings.HasPrefix(rest[len(name):], ">") {
		return head + len(">"), name, closing
	}
	end := attributes.FindStringIndex(rest[len(name):])
	if end == nil {
		return 0, "", false
	}
	return head + end[1], name, closing
}

// nameLength is that of the lower-case letters and digits a text begins with.
func nameLength(text string) int {
	n := 0
	for n < len(text) && n < maxName && ('a' <= text[n] && text[n] <= 'z' || '0' <= text[n] && text[n] <= '9') {
		n++
	}
	return n
}
