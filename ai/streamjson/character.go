package streamjson

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	escapeSize = len(`\u0000`)
	pairSize   = 2 * escapeSize
)

// character reads the first character of what is inside a JSON string. Its size
// is 0 if more bytes are needed to tell; not valid is an escape that there is
// none such. Broken UTF-8 and lone surrogates become U+FFFD, as in
// encoding/json.
func character(text []byte) (r rune, size int, valid bool) {
	switch {
	case text[0] == '\\':
		return escape(text)
	case !utf8.FullRune(text):
		return 0, 0, true
	default:
		r, size = utf8.DecodeRune(text)
		return r, size, true
	}
}

func escape(text []byte) (r rune, size int, valid bool) {
	if len(text) < 2 {
		return 0, 0, true
	}
	switch c := text[1]; c {
	case '"', '\\', '/':
		return rune(c), 2, true
	case 'b':
		return '\b', 2, true
	case 'f':
		return '\f', 2, true
	case 'n':
		return '\n', 2, true
	case 'r':
		return '\r', 2, true
	case 't':
		return '\t', 2, true
	case 'u':
		return unicodeEscape(text)
	default:
		return 0, 0, false
	}
}

// unicodeEscape reads \uXXXX, or two of them that are a surrogate pair.
func unicodeEscape(text []byte) (r rune, size int, valid bool) {
	if len(text) < escapeSize {
		return 0, 0, true
	}
	first, valid := hex(text)
	if !valid || !utf16.IsSurrogate(first) {
		return first, escapeSize, valid
	}
	second := text[escapeSize:]
	if mayBeEscape(second) && len(second) < escapeSize {
		return 0, 0, true
	}
	if mayBeEscape(second) {
		if low, valid := hex(second); valid && utf16.DecodeRune(first, low) != utf8.RuneError {
			return utf16.DecodeRune(first, low), pairSize, true
		}
	}
	return utf8.RuneError, escapeSize, true
}

func mayBeEscape(text []byte) bool {
	return len(text) == 0 || text[0] == '\\' && (len(text) == 1 || text[1] == 'u')
}

func hex(escape []byte) (rune, bool) {
	n, err := strconv.ParseUint(string(escape[2:escapeSize]), 16, 16)
	return rune(n), err == nil
}
