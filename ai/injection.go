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
	forged   *regexp.Regexp
	negation *regexp.Regexp
	phrases  []string
	rules    []rule
	roles    rule
	honest   *regexp.Regexp
}

// rule is a pattern that is worth trying only where one of its words occurs:
// most texts hold none, and skip the pattern's price.
type rule struct {
	words   []string
	pattern *regexp.Regexp
}

func (r rule) matches(compact string) bool {
	return containsAny(compact, r.words) && r.pattern.MatchString(compact)
}

func containsAny(text string, words []string) bool {
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

// steersModel checks a text line by line, and what was made of it.
func steersModel(text, cleaned string) bool {
	d := theDetector()
	if d.forges(strings.Map(lineBreak, cleanLines(text))) || d.forges(cleaned) {
		return true
	}
	compact := d.fold.compact(d.negation.ReplaceAllString(cleaned, "$1"))
	return containsAny(compact, d.phrases) ||
		slices.ContainsFunc(d.rules, func(r rule) bool { return r.matches(compact) }) ||
		d.playsRole(compact)
}

func lineBreak(r rune) rune {
	if strings.ContainsRune("\r\v\f\u0085\u2028\u2029", r) {
		return '\n'
	}
	return r
}

// forges reports whether a text imitates the marks that set a chat's roles apart.
func (d detector) forges(text string) bool {
	return strings.ContainsAny(text, ":|[<#") && d.forged.MatchString(d.fold.plain(text))
}

// playsRole reports whether a text gives the model another part to play.
func (d detector) playsRole(compact string) bool {
	if !containsAny(compact, d.roles.words) {
		return false
	}
	now := d.fold.compact(youAreNow)
	for _, at := range d.roles.pattern.FindAllStringIndex(compact, -1) {
		if compact[at[0]:at[1]] != now || !d.honest.MatchString(compact[at[1]:]) {
			return true
		}
	}
	return false
}

var theDetector = sync.OnceValue(func() detector {
	fold := newFolder()
	return detector{
		fold:     fold,
		forged:   regexp.MustCompile(forgeryPattern(fold)),
		negation: regexp.MustCompile(negated),
		phrases:  fold.words(phrases),
		rules:    rules(fold),
		roles: rule{
			words:   fold.words(youAreNow + " " + becomes),
			pattern: regexp.MustCompile(fold.compact(youAreNow) + "|" + fold.either(becomes) + ".{0,20}" + fold.either(parts)),
		},
		honest: regexp.MustCompile("^" + fold.either(honestNow)),
	}
})

func rules(fold folder) []rule {
	reveal := fold.either(reveals) + ".{0,24}" + fold.either(secrets) + "|" +
		fold.either(secretsFirst) + ".{0,8}" + fold.either(reveals)
	all := []rule{{words: fold.words(secrets), pattern: regexp.MustCompile(reveal)}}
	for _, l := range languages() {
		all = append(all, l.rule(fold))
	}
	return all
}

// rule knows the orders in which "ignore", "previous" and "instructions" come.
func (l language) rule(fold folder) rule {
	between := fold.either(fillers) + "{0,4}"
	verb, any := fold.either(l.verbs), fold.either(l.nouns+" "+l.rules)
	earlier := fold.either(l.before) + ".{0,3}" + between + any
	every := fold.either(l.all) + ".{0,3}" + between + fold.either(l.nouns)
	return rule{
		words: fold.words(l.verbs),
		pattern: regexp.MustCompile(strings.Join([]string{
			verb + ".{0,24}" + earlier,
			verb + ".{0,8}" + every,
			verb + ".{0,24}" + any + ".{0,4}" + fold.either(l.after),
			earlier + ".{0,12}" + verb,
			every + ".{0,4}" + verb,
		}, "|")),
	}
}

// words are folded as the text will be.
func (f folder) words(list string) []string {
	words := strings.Fields(list)
	for i, word := range words {
		words[i] = f.compact(word)
	}
	return words
}

// either matches any of the words.
func (f folder) either(list string) string {
	return "(?:" + strings.Join(f.words(list), "|") + ")"
}

// forgeryPattern matches role headers at the start of a line or sentence, and
// the marks of chat templates (ChatML, Llama, Alpaca) anywhere.
func forgeryPattern(fold folder) string {
	return `(?:^|[\n.!?])[^\pL\pN\n]*(?:` + fold.plain(headers) + `)` +
		`(?: ?(?:prompt|message|instructions?|note|override))?[^\pL\pN\n:]{0,3}:` +
		`|<\|[^|<>\n]{1,40}\|>|\[/?(?:inst|system|assistant)\]|<</?sys>>|</?(?:system|assistant|instructions?|prompt)>` +
		`|#{2,}\s*(?:instructions?|system|response|assistant|human|user)\b` +
		`|"role"\s*:\s*"(?:system|assistant|developer)"`
}

const headers = "system|assistant|sistema|systeem|система|系统|系統|システム|시스템"

// negated is what turns an attack into its opposite. It is left out before the
// check, only where it stands right at the verb.
const negated = `(?i)(^|[^\pL])(?:don['’]?t|do not|never|nie|não|не)\s+(?:ignor\pL*|disregard|forget|overlook|neglect|dismiss|игнорир\pL*)`
