package htmltext

type state uint8

const (
	inText         state = iota
	tagBegan             // behind <
	endTagBegan          // behind </
	inName               // of a tag
	afterName            // where an attribute may begin
	inAttribute          // in its name
	afterAttribute       // behind its name and a space
	beforeValue          // behind its =
	inValue              // that has no quotes
	inQuotes             //
	declBegan            // behind <!
	dashBegan            // behind <!-
	commentBegan         // behind <!-- and dashes
	inComment            //
	commentBang          // behind --! in a comment
	inBogus              // what ends at the next >, whatever it is
	inDropped            // what a script or its like holds
)

func (s *Stripper) step(c byte) {
	switch s.state {
	case inText:
		s.text(c)
	case tagBegan, endTagBegan, declBegan, dashBegan:
		s.open(c)
	case inName, afterName, inAttribute, afterAttribute, beforeValue, inValue, inQuotes:
		s.tag(c)
	case commentBegan, inComment, commentBang:
		s.comment(c)
	case inBogus:
		if c == '>' {
			s.state = inText
		}
	case inDropped:
		s.drop(c)
	}
}

// open tells what a < begins.
func (s *Stripper) open(c byte) {
	switch {
	case s.state == dashBegan && c == '-':
		s.state, s.dashes = commentBegan, 0
	case s.state == declBegan && c == '-':
		s.state = dashBegan
	case s.state == tagBegan && c == '!':
		s.state = declBegan
	case s.state == tagBegan && c == '/':
		s.state = endTagBegan
	case (s.state == tagBegan || s.state == endTagBegan) && isLetter(c):
		s.name, s.closing = append(s.name[:0], lower(c)), s.state == endTagBegan
		s.state = inName
	case s.state == tagBegan && c != '?':
		s.state = inText
		s.write("<")
		s.step(c)
	default:
		s.state = inBogus
		s.step(c)
	}
}

func (s *Stripper) tag(c byte) {
	switch {
	case s.state == inQuotes:
		if c == s.quote {
			s.state = afterName
		}
	case c == '>':
		s.endTag()
	case s.state == beforeValue && (c == '"' || c == '\''):
		s.state, s.quote = inQuotes, c
	case isSpace(c):
		s.state = s.state.afterSpace()
	case s.state == beforeValue || s.state == inValue:
		s.state = inValue
	case c == '/':
		s.state = afterName
	case s.state == inName:
		if len(s.name) < maxName {
			s.name = append(s.name, lower(c))
		}
	case c == '=' && (s.state == inAttribute || s.state == afterAttribute):
		s.state = beforeValue
	default:
		s.state = inAttribute
	}
}

func (s state) afterSpace() state {
	switch s {
	case inAttribute, afterAttribute:
		return afterAttribute
	case beforeValue:
		return beforeValue
	default:
		return afterName
	}
}

func (s *Stripper) comment(c byte) {
	switch {
	case c == '>' && (s.state != inComment || s.dashes >= 2): // <!--> is a whole one
		s.state = inText
	case c == '-' && s.state == commentBang:
		s.state, s.dashes = inComment, 1
	case c == '-':
		s.dashes++
	case c == '!' && s.state != commentBang && s.dashes >= 2:
		s.state = commentBang
	default:
		s.state, s.dashes = inComment, 0
	}
}
