package ai

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// lookalikes are pairs of a letter and the Latin one that it passes for
// (a selection of Unicode's confusables, UTS 39).
const lookalikes = "аaвbеeкkмmнhоoрpсcтtуyхxіiјjѕsԁdԛqԝwһhӏlґrғf" + // Cyrillic
	"αaβbγyεeηnιiκkνvοoρpσsτtυuχxωw" + // Greek
	"օoսuոnհhցgյj" + // Armenian
	"ıiɩiɪiłløođdħhŧtßsɡgɑaəeɴnʀrᴏoᴇeᴜuᴀaᴛtᴘpᴠvᴍmᴄcᴅdʟlꜱsɢgʏyʙbꜰfʜhᴊjᴋkᴡwᴢz"

// leet are pairs of a sign and the letter that it stands for.
const leet = "0o1i3e4a5s7t8b9g@a$s€e"

// folder makes texts that look alike equal.
type folder struct{ letters, signs map[rune]rune }

func newFolder() folder {
	f := folder{letters: pairs(lookalikes), signs: pairs(leet)}
	for i := range rune(26) {
		for _, first := range []rune{'\U0001F1E6', '\U0001F150', '\U0001F170'} { // flags; white on black
			f.letters[first+i] = 'a' + i
		}
	}
	return f
}

func pairs(text string) map[rune]rune {
	table := map[rune]rune{}
	runes := []rune(text)
	for i := 0; i < len(runes); i += 2 {
		table[runes[i]] = runes[i+1]
	}
	return table
}

// plain folds letters and leaves everything else as it is.
func (f folder) plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		r = unicode.ToLower(r)
		if latin, ok := f.letters[r]; ok {
			return latin
		}
		return r
	}, norm.NFKD.String(text))
}

// compact folds letters and signs and leaves out everything between them, so
// that "1gn-0re" and "i g n o r e" are both one word. As 1, I and l cannot be
// told apart, they are all i.
func (f folder) compact(text string) string {
	var kept strings.Builder
	runes := []rune(f.plain(text))
	for i, r := range runes {
		if letter, ok := f.signs[r]; ok {
			r = letter
		}
		beforeLetter := i+1 < len(runes) && unicode.IsLetter(runes[i+1])
		switch {
		case r == 'l', (r == '!' || r == '|') && beforeLetter:
			kept.WriteByte('i')
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			kept.WriteRune(r)
		}
	}
	return kept.String()
}
