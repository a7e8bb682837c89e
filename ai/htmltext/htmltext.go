// Package htmltext makes readable text of HTML while it is still being written.
package htmltext

import (
	"strings"

	"golang.org/x/net/html"
)

const (
	maxName   = 16 // bytes of a tag's name that are kept; no name that means something here has more
	maxEntity = 33 // bytes of the longest named character reference, its & and ; included
)

// dropped are the elements whose content nobody reads.
const dropped = " script style iframe noembed noframes noscript object "

// blocks are the elements that begin and end on a line of their own.
const blocks = " address article aside blockquote body dd div dl dt fieldset figcaption figure footer form h1 h2 h3 h4 h5 h6" +
	" header hr html li main nav ol p pre section table tbody tfoot thead tr ul "

// gap is what parts the next text from the one before, from the least to the most.
type gap int

const (
	nothing gap = iota
	space
	lineBreak
	blankLine
)

// Stripper leaves out tags, comments, and what scripts and styles hold, decodes
// character references, and lays the text out as a browser would, roughly:
// white space is one space, a block has its own lines, <br> breaks a line.
//
// What it calls a tag is what a browser does (html.spec.whatwg.org, 13.2.5), so
// "3 < 5" stays. The result does not depend on where the HTML was cut. It keeps
// a few bytes at most. The zero value is ready.
type Stripper struct {
	state   state
	name    []byte // of the tag at hand, in lower case
	closing bool   // it is an end tag
	quote   byte   // around the attribute's value at hand
	dashes  int    // before this place in a comment
	entity  []byte // so far, from its &
	dropping,
	matched string // the element that is left out, and how much of its end was seen
	owed  gap
	began bool
	out   strings.Builder
}

// Strip returns the text that is certain after one more piece of HTML.
func (s *Stripper) Strip(piece string) string {
	for i := range len(piece) {
		s.step(piece[i])
	}
	return s.take()
}

// End returns what was held back because more might have followed.
func (s *Stripper) End() string {
	switch s.state {
	case inText:
		s.endEntity()
	case tagBegan:
		s.write("<")
	case endTagBegan:
		s.write("</")
	}
	return s.take()
}

func (s *Stripper) take() string {
	text := s.out.String()
	s.out.Reset()
	return text
}

func (s *Stripper) text(c byte) {
	switch {
	case len(s.entity) > 0 && (isLetter(c) || isDigit(c) || c == '#' && len(s.entity) == 1):
		s.entity = append(s.entity, c)
		if len(s.entity) == maxEntity {
			s.endEntity()
		}
		return
	case len(s.entity) > 0 && c == ';':
		s.entity = append(s.entity, c)
		s.endEntity()
		return
	}
	s.endEntity()
	switch c {
	case '<':
		s.state = tagBegan
	case '&':
		s.entity = append(s.entity, c)
	default:
		s.put(c)
	}
}

func (s *Stripper) endEntity() {
	if len(s.entity) > 0 {
		s.write(html.UnescapeString(string(s.entity)))
		s.entity = s.entity[:0]
	}
}

func (s *Stripper) write(text string) {
	for i := range len(text) {
		s.put(text[i])
	}
}

// put adds text, each run of white space as what it becomes on a page.
func (s *Stripper) put(c byte) {
	if isSpace(c) {
		s.owed = max(s.owed, space)
		return
	}
	if s.began {
		s.out.WriteString([...]string{nothing: "", space: " ", lineBreak: "\n", blankLine: "\n\n"}[s.owed])
	}
	s.owed, s.began = nothing, true
	s.out.WriteByte(c)
}

// endTag does what the tag at hand means.
func (s *Stripper) endTag() {
	s.state = inText
	name := " " + string(s.name) + " "
	switch {
	case name == " br ":
		s.owed = min(max(s.owed, space)+1, blankLine)
	case name == " td " || name == " th ":
		s.owed = max(s.owed, space)
	case strings.Contains(blocks, name):
		s.owed = max(s.owed, lineBreak)
	case !s.closing && strings.Contains(dropped, name):
		s.state, s.dropping, s.matched = inDropped, "</"+string(s.name), ""
	}
}

// drop waits for the end tag of an element that is left out.
func (s *Stripper) drop(c byte) {
	switch {
	case s.matched == s.dropping && (isSpace(c) || c == '/' || c == '>'):
		s.name, s.closing, s.state = s.name[:0], true, afterName
		s.step(c)
	case s.matched != s.dropping && lower(c) == s.dropping[len(s.matched)]:
		s.matched = s.dropping[:len(s.matched)+1]
	case c == '<':
		s.matched = "<"
	default:
		s.matched = ""
	}
}

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isSpace(c byte) bool  { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
