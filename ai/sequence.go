package ai

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// rule recognises words that follow each other closely. It takes time that is
// linear in the text, which expressions with counted gaps do at a price that
// hostile texts could run up.
type rule struct {
	classes map[string][]string // words by what they mean
	needs   string              // a class that every sequence has, and most texts have not
	any     []sequence
}

// sequence is a way in which a rule can be fulfilled.
type sequence []step

// step is a word of a class, at most so many characters behind the one before.
type step struct {
	class  string
	within int
	upTo   int // it may be left out, and stand up to so many times, where this is set
}

// then puts another sequence at most so many characters behind.
func (s sequence) then(within int, next sequence) sequence {
	joined := slices.Concat(s, next)
	joined[len(s)].within = within
	return joined
}

// span is where a word stands, in bytes.
type span struct{ from, to int }

func (r rule) matches(text string) bool {
	found := map[string][]span{}
	spans := func(class string) []span {
		if _, known := found[class]; !known {
			found[class] = spansOf(text, r.classes[class])
		}
		return found[class]
	}
	return len(spans(r.needs)) > 0 && slices.ContainsFunc(r.any, func(s sequence) bool { return s.stands(text, spans) })
}

// spansOf finds every place of every word, in the order in which they begin.
func spansOf(text string, words []string) (all []span) {
	for _, word := range words {
		for at := 0; ; at++ {
			next := strings.Index(text[at:], word)
			if next < 0 {
				break
			}
			at += next
			all = append(all, span{at, at + len(word)})
		}
	}
	slices.SortFunc(all, func(a, b span) int { return a.from - b.from })
	return all
}

func (s sequence) stands(text string, spans func(class string) []span) bool {
	var ends []int // of what was found so far, in order
	for i, next := range s {
		words := spans(next.class)
		if i == 0 {
			ends = endsOf(words)
		} else if next.upTo == 0 {
			ends = behind(text, ends, words, next.within)
		}
		for range next.upTo {
			ends = inOrder(append(ends, behind(text, ends, words, next.within)...))
		}
		if len(ends) == 0 {
			return false
		}
	}
	return true
}

func endsOf(words []span) []int {
	ends := make([]int, len(words))
	for i, word := range words {
		ends[i] = word.to
	}
	return inOrder(ends)
}

func inOrder(ends []int) []int {
	slices.Sort(ends)
	return slices.Compact(ends)
}

// behind returns the ends of the words that begin close behind one of ends.
func behind(text string, ends []int, words []span, within int) (reached []int) {
	next := 0
	for _, word := range words {
		for next < len(ends) && ends[next] <= word.from {
			next++
		}
		if next > 0 && closeBy(text[ends[next-1]:word.from], within) {
			reached = append(reached, word.to)
		}
	}
	return inOrder(reached)
}

// closeBy looks at no more of a gap than decides.
func closeBy(gap string, within int) bool {
	return len(gap) <= within*utf8.UTFMax && utf8.RuneCountInString(gap) <= within
}
