// Package streamjson reads the texts of a JSON object (RFC 8259) while it is
// still being written.
package streamjson

import (
	"slices"
	"unicode/utf8"
)

// maxName bounds what is kept of a member's name, in bytes.
const maxName = 64

// Decoder looks for the first JSON object with one of some fields, whatever
// prose or code fence is around it, and yields the texts of those fields: a
// string's as it is, the strings of a list with a line break between them.
// What is nested deeper, and what has another type, yields nothing.
//
// It does not check the object: what is no JSON yields nothing, or stops
// yielding. It keeps a few bytes at most, whatever it reads.
type Decoder struct {
	yield  func(field, text string)
	fields []string

	state   state
	name    []byte // of the member at hand
	listed  bool   // its value is a list of ours
	entries int    // strings in that list so far
	depth   int    // of what is nested and not ours
	yielded bool
	held    []byte // of a character that was cut
	text    []byte // that was read and not yielded yet
}

// New returns a decoder that calls yield with each piece of a field's text, as
// early as it is whole characters. A piece is never empty.
func New(yield func(field, text string), fields ...string) *Decoder {
	return &Decoder{yield: yield, fields: fields}
}

type state uint8

const (
	seeking     state = iota // the object's brace
	beforeName               //
	inName                   //
	beforeColon              //
	beforeValue              //
	inString                 // of a field of ours
	inEntry                  // a string in a list of ours
	inList                   // of ours, between its strings
	inSkipped                // a string that is not ours
	inNested                 // an object or list that is not ours
	inRest                   // a number or word, and the space to the next member
	done                     //
)

// Write reads a chunk, which may be cut anywhere, also within a character.
func (d *Decoder) Write(chunk []byte) {
	rest := slices.Concat(d.held, chunk)
	for len(rest) > 0 && d.state != done {
		size := d.step(rest)
		if size == 0 {
			break
		}
		rest = rest[size:]
	}
	d.held = d.held[:0]
	if d.state != done {
		d.held = append(d.held, rest...)
	}
	d.flush()
}

// step reads one character, or returns 0 if it is not whole yet.
func (d *Decoder) step(rest []byte) (size int) {
	switch d.state {
	case inName, inString, inEntry, inSkipped:
		return d.stringStep(rest)
	default:
		d.structureStep(rest[0])
		return 1
	}
}

func (d *Decoder) stringStep(rest []byte) (size int) {
	if rest[0] == '"' {
		d.endString()
		return 1
	}
	r, size, valid := character(rest)
	switch {
	case !valid:
		d.fail()
		return 1
	case size == 0:
		return 0
	case d.state == inName && len(d.name) < maxName:
		d.name = utf8.AppendRune(d.name, r)
	case d.state == inString || d.state == inEntry:
		d.text = utf8.AppendRune(d.text, r)
	}
	return size
}

func (d *Decoder) endString() {
	switch {
	case d.state == inName:
		d.state = beforeColon
	case d.state == inEntry:
		d.state = inList
	case d.state == inSkipped && d.depth > 0:
		d.state = inNested
	default:
		d.flush()
		d.state = inRest
	}
}

func (d *Decoder) structureStep(c byte) {
	switch d.state {
	case seeking:
		if c == '{' {
			d.state = beforeName
		}
	case beforeName:
		d.expect(c, '"', inName)
	case beforeColon:
		d.expect(c, ':', beforeValue)
	case beforeValue:
		d.beginValue(c)
	case inList:
		d.listStep(c)
	case inNested:
		d.nestedStep(c)
	case inRest:
		switch c {
		case ',':
			d.state, d.name = beforeName, d.name[:0]
		case '}':
			d.end()
		}
	}
}

// expect goes on to next at a character, over white space only.
func (d *Decoder) expect(c, wanted byte, next state) {
	switch {
	case c == wanted:
		d.state = next
	case !isSpace(c):
		d.fail()
		d.structureStep(c) // which may be the brace that is sought
	}
}

func (d *Decoder) beginValue(c byte) {
	ours := slices.Contains(d.fields, string(d.name))
	switch {
	case isSpace(c):
	case c == '"' && ours:
		d.state = inString
	case c == '"':
		d.state = inSkipped
	case c == '[' && ours:
		d.state, d.listed, d.entries = inList, true, 0
	case c == '[' || c == '{':
		d.state, d.depth = inNested, 1
	default:
		d.state = inRest
		d.structureStep(c)
	}
}

func (d *Decoder) listStep(c byte) {
	switch c {
	case '"':
		if d.entries++; d.entries > 1 {
			d.text = append(d.text, '\n')
		}
		d.state = inEntry
	case '[', '{':
		d.state, d.depth = inNested, 1
	case ']':
		d.flush()
		d.state, d.listed = inRest, false
	}
}

func (d *Decoder) nestedStep(c byte) {
	switch c {
	case '"':
		d.state = inSkipped
	case '[', '{':
		d.depth++
	case ']', '}':
		d.depth--
	}
	switch {
	case d.depth > 0:
	case d.listed:
		d.state = inList
	default:
		d.state = inRest
	}
}

// fail gives up what is no JSON. Once something was yielded, a second object
// would only be mixed up with it.
func (d *Decoder) fail() {
	d.flush()
	d.end()
}

// end is the end of an object; one without any text of ours may be an example
// in the prose before the one that counts.
func (d *Decoder) end() {
	if d.yielded {
		d.state = done
		return
	}
	*d = Decoder{yield: d.yield, fields: d.fields, name: d.name[:0]}
}

func (d *Decoder) flush() {
	if len(d.text) == 0 {
		return
	}
	d.yielded = true
	d.yield(string(d.name), string(d.text))
	d.text = d.text[:0]
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
