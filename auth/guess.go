package auth

import (
	_ "embed"
	"iter"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

const (
	minCore     = 3 // characters: shorter ones stand in honest passwords too
	minDistinct = 5 // different characters, capital or not
	maxLeet     = 9 // digits and signs at either end that may belong to a word
)

// guessable says why a password is among the first that an attacker tries, and
// "" if it is not. Digits and signs around a word, and 0 for o and the like
// within it, are what every cracking tool tries, so they don't count.
func guessable(password string, personal []string) string {
	password = fold(password)
	if distinct(password) < minDistinct {
		return "must not repeat the same few characters"
	}
	known, own := commonWords(), ownWords(personal)
	for core := range cores(password) {
		bare := skeleton(lettersAndDigits(core))
		core = skeleton(core)
		switch {
		case known[core] || known[bare]:
			return "is a common password with digits or signs around it; choose several words instead"
		case own[core] || own[bare]:
			return "must not be your name or e-mail address with digits or signs around it"
		case isRow(core):
			return "must not be a row of the alphabet or the keyboard with digits or signs around it"
		}
	}
	return ""
}

// fold makes upper and lower case, and full width and half width, equal.
func fold(s string) string { return strings.ToLower(norm.NFKC.String(s)) }

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

// cores yields what is left of a password without some of the digits and signs
// before it and some of those after it; which of them belong to the word ("$ecret",
// "pa$$1") can't be known, so it yields every combination.
func cores(password string) iter.Seq[string] {
	runes := []rune(password)
	prefix, suffix := 0, len(runes)
	for prefix < len(runes) && !unicode.IsLetter(runes[prefix]) {
		prefix++
	}
	for suffix > prefix && !unicode.IsLetter(runes[suffix-1]) {
		suffix--
	}
	return func(yield func(string) bool) {
		for from := max(prefix-maxLeet, 0); from <= prefix; from++ {
			for to := suffix; to <= min(suffix+maxLeet, len(runes)); to++ {
				if to-from >= minCore && !yield(string(runes[from:to])) {
					return
				}
			}
		}
	}
}

// skeleton maps letters, and the digits and signs that stand for them, to one.
func skeleton(s string) string { return strings.Map(plain, s) }

func plain(r rune) rune {
	switch r {
	case '1', '!', '|', 'l':
		return 'i'
	case '0':
		return 'o'
	case '@', '4':
		return 'a'
	case '3', '€':
		return 'e'
	case '5', '$':
		return 's'
	case '7', '+':
		return 't'
	case '8':
		return 'b'
	case '6', '9':
		return 'g'
	case '2':
		return 'z'
	}
	return r
}

func lettersAndDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}

// common.txt has a word a line: what the lists of leaked passwords that are
// published each year have in common, and words of this product.
//
//go:embed common.txt
var common string

func commonWords() map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(common) {
		words[skeleton(word)] = true
	}
	return words
}

// ownWords returns the words of names and addresses: the whole, and each part.
func ownWords(personal []string) map[string]bool {
	words := map[string]bool{}
	add := func(s string) {
		for core := range cores(lettersAndDigits(s)) {
			words[skeleton(core)] = true
		}
	}
	for _, name := range personal {
		name = fold(name)
		if local, _, isAddress := strings.Cut(name, "@"); isAddress {
			name, _, _ = strings.Cut(local, "+")
		}
		add(name)
		for part := range strings.FieldsFuncSeq(name, isSeparator) {
			add(part)
		}
	}
	return words
}

func isSeparator(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }

// isRow takes the skeleton of a password's core.
func isRow(core string) bool {
	for _, row := range []string{
		"abcdefghijklmnopqrstuvwxyz", "01234567890",
		"qwertyuiop", "asdfghjkl", "zxcvbnm", // English
		"qwertzuiopü", "asdfghjklöä", "yxcvbnm", // German
		"azertyuiop", "qsdfghjklm", "wxcvbn", // French
	} {
		row = skeleton(row)
		if strings.Contains(row, core) || strings.Contains(row, reverse(core)) {
			return true
		}
	}
	return false
}

func reverse(s string) string {
	var b strings.Builder
	runes := []rune(s)
	for i := range runes {
		b.WriteRune(runes[len(runes)-1-i])
	}
	return b.String()
}
