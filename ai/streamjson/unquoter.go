package streamjson

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Unquoter decodes what is inside a JSON string that comes in pieces: servers
// written in JavaScript cut their texts between the halves of a surrogate pair.
// The zero value is ready.
type Unquoter struct{ held []byte }

// Text decodes one more piece, as far as it is whole characters; half of one at
// the end of the string is left out. What is no valid escape becomes U+FFFD.
func (u *Unquoter) Text(piece []byte) string {
	var text strings.Builder
	rest := slices.Concat(u.held, piece)
	for len(rest) > 0 {
		r, size, valid := character(rest)
		if !valid {
			r, size = utf8.RuneError, 1
		}
		if size == 0 {
			break
		}
		text.WriteRune(r)
		rest = rest[size:]
	}
	u.held = rest
	return text.String()
}
