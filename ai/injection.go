package ai

import (
	"regexp"
	"slices"
	"strings"
	"sync"
)

// detector recognises attempts to steer a model. It is a filter against the
// crude ones; what holds against the others is that user text reaches the
// model as data and that the model can start nothing by itself.
type detector struct {
	fold     folder
	forger   forger
	negation *regexp.Regexp
	phrases  []string
	rules    []rule
	dan      string
}

func containsAny(text string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// steersModel checks a text line by line, what was made of it, what its markup
// would have hidden, and what it holds in code.
func steersModel(text, cleaned string) bool {
	d := theDetector()
	whole := visibleText(text)
	if d.forger.forges(strings.Map(lineBreak, stripMarkup(whole))) || d.forger.forges(cleaned) || d.orders(cleaned) {
		return true
	}
	if strings.Contains(whole, "<") && d.orders(whole) {
		return true
	}
	return slices.ContainsFunc(decodings(cleaned), d.orders)
}

// orders reports whether a text tells a model what to do with its instructions.
func (d detector) orders(text string) bool {
	compact := d.fold.compact(d.negation.ReplaceAllString(text, "$1"))
	return containsAny(compact, d.phrases) || strings.HasSuffix(compact, d.dan) ||
		slices.ContainsFunc(d.rules, func(r rule) bool { return r.matches(compact) })
}

func lineBreak(r rune) rune {
	if strings.ContainsRune("\r\v\f\u0085\u2028\u2029", r) {
		return '\n'
	}
	return r
}

var theDetector = sync.OnceValue(func() detector {
	fold := newFolder()
	return detector{
		fold:     fold,
		forger:   newForger(fold),
		negation: regexp.MustCompile(negated),
		phrases:  fold.words(phrases),
		rules:    rules(fold),
		dan:      fold.compact(youAreNowDAN),
	}
})

func rules(fold folder) []rule {
	all := []rule{reveal(fold), role(fold), answerAs(fold)}
	for _, l := range languages() {
		all = append(all, l.rule(fold))
	}
	return all
}

// reveal knows the requests for our instructions, the verb first or last.
func reveal(fold folder) rule {
	return rule{
		classes: fold.classes(map[string]string{"show": reveals, "write": writes, "secret": secrets, "your": yours, "any": secrets + " " + yours}),
		needs:   "any",
		any: []sequence{
			{{class: "show"}, {class: "secret", within: 24}},
			{{class: "secret"}, {class: "show", within: 32}},
			{{class: "write"}, {class: "your", within: 32}},
			{{class: "your"}, {class: "write", within: 32}},
		},
	}
}

// role knows what gives the model another part to play.
func role(fold folder) rule {
	return rule{
		classes: fold.classes(map[string]string{
			"become": becomes, "be": becomes + " " + pretends, "part": parts, "mind": minds, "free": limitless,
		}),
		needs: "be",
		any: []sequence{
			{{class: "become"}, {class: "part", within: 20}},
			{{class: "be"}, {class: "mind", within: 32}, {class: "free", within: 7}},
			{{class: "be"}, {class: "free", within: 32}, {class: "mind", within: 16}},
			{{class: "mind"}, {class: "free", within: 7}, {class: "be", within: 16}},
			{{class: "free"}, {class: "mind", within: 16}, {class: "be", within: 12}},
		},
	}
}

// answerAs knows "from now on you will only answer in verse".
func answerAs(fold folder) rule {
	return rule{
		classes: fold.classes(map[string]string{"shall": fromNowOn, "answer": answering}),
		needs:   "shall",
		any:     []sequence{{{class: "shall"}, {class: "answer", within: 12}}},
	}
}

// rule knows the orders in which "ignore", "previous" and "instructions" come.
func (l language) rule(fold folder) rule {
	ignore := sequence{{class: "verb"}}
	own, given := sequence{{class: "own"}}, sequence{{class: "any"}, {class: "after", within: 4}}
	orders := []sequence{ignore.then(24, given), given.then(12, ignore), ignore.then(12, own), own.then(12, ignore)}
	for _, earlier := range through("before", "any") {
		orders = append(orders, ignore.then(24, earlier), earlier.then(12, ignore))
	}
	for _, every := range through("all", "noun") {
		orders = append(orders, ignore.then(8, every), every.then(12, ignore))
	}
	return rule{
		classes: fold.classes(map[string]string{
			"verb": l.verbs, "before": l.before, "all": l.all, "noun": l.nouns, "any": l.nouns + " " + l.rules,
			"after": l.after, "own": l.own + " " + ordersOfSystem, "filler": fillers,
		}),
		needs: "verb",
		any:   orders,
	}
}

// through is a word with the ending that its stem lacks, perhaps fillers, and
// another word.
func through(first, last string) []sequence {
	return []sequence{
		{{class: first}, {class: last, within: 3}},
		{{class: first}, {class: "filler", within: 3}, {class: "filler", upTo: 3}, {class: last}},
	}
}

func (f folder) classes(lists map[string]string) map[string][]string {
	classes := map[string][]string{}
	for class, list := range lists {
		classes[class] = f.words(list)
	}
	return classes
}

// words are folded as the text will be.
func (f folder) words(list string) []string {
	words := strings.Fields(list)
	for i, word := range words {
		words[i] = f.compact(word)
	}
	return words
}

// negated is what turns an attack into its opposite, or is no attack at all. It
// is left out before the check, only where it stands right at the verb, or makes
// of instructions those of a thing.
const negated = `(?i)(^|[^\pL])(?:show(?:ing)? off|answer to your own` +
	`|(?:diet\pL*|care|washing|laundry|cooking|assembly|knitting|feeding) (?:instructions?|guidelines?|rules)` +
	`|instructions? (?:manual|leaflet|booklet|sheet)s?\b` +
	`|(?:guidelines?|rules|advice) (?:on|about|for) (?:screen time|diets?|nutrition|sleep|skincare|bedtime|parenting|dating)\b` +
	`|(?:don['’]?t|do not|never|nie|não|не)\s+(?:ignor\pL*|disregard|forget|overlook|neglect|dismiss|bypass|override|игнорир\pL*))`
