package fanfare

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	zwnj = '\u200C'
	zwj  = '\u200D'
)

// CleanLine makes one line of a text that others wrote, for people to read, such
// as a provider's reason for a refusal: valid UTF-8 without control characters
// and those without width, white space folded to single spaces. What is longer
// than most characters ends in "…".
func CleanLine(text string, most int) string {
	line := strings.Join(strings.Fields(VisibleText(text)), " ")
	if utf8.RuneCountInString(line) <= most {
		return line
	}
	runes := []rune(line)
	return strings.TrimRight(string(runes[:max(most-1, 0)]), " ") + "…"
}

// VisibleText drops from a text what cannot be seen, yet changes how it reads
// or where it seems to come from: control characters but white space, and
// characters without width, among them those that turn the direction of
// writing. Joiners stay between letters of scripts that join, and between
// emoji; variation selectors stay after what they vary. Bytes that are no UTF-8
// become U+FFFD.
func VisibleText(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	var kept strings.Builder
	kept.Grow(len(text))
	runes, previous := []rune(text), rune(-1)
	for i, r := range runes {
		if !visible(r) && !joins(r, previous, runes[i+1:]) && !varies(r, previous) {
			continue
		}
		kept.WriteRune(r)
		previous = r
	}
	return kept.String()
}

// visible reports whether r takes space on its own. The marks that Arabic and
// others put under a number are format characters, yet seen.
func visible(r rune) bool {
	switch {
	case r >= ' ' && r <= '~', unicode.IsSpace(r), unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return true
	default:
		return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	}
}

func joins(r, previous rune, after []rune) bool {
	if r != zwj && r != zwnj || len(after) == 0 {
		return false
	}
	next := after[0]
	return joinable(previous) && joinable(next) || r == zwj && pictographic(previous) && pictographic(next)
}

// joinable reports whether r belongs to a script in which joiners tell words
// apart (Unicode Standard, 23.2).
func joinable(r rune) bool {
	return unicode.In(r, unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mongolian, unicode.Devanagari,
		unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu,
		unicode.Kannada, unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan)
}

// pictographic covers emoji, their skin tones and the selector that makes an
// emoji of a sign.
func pictographic(r rune) bool {
	return r == '\uFE0F' || r > unicode.MaxASCII && unicode.In(r, unicode.So, unicode.Sk, unicode.Sm)
}

func varies(r, previous rune) bool {
	switch r {
	case '\uFE0E', '\uFE0F':
		return pictographic(previous) && previous != '\uFE0F' || previous == '‼' || previous == '⁉' ||
			previous == '#' || previous == '*' || previous >= '0' && previous <= '9'
	default:
		return unicode.Is(unicode.Variation_Selector, r) && unicode.In(previous, unicode.Mongolian) &&
			unicode.IsLetter(previous)
	}
}
