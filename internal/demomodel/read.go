package demomodel

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// reading is what the stand-in found in a brief.
type reading struct {
	goal     string // the brief's first sentence
	pitch    string // what it says to customers, without its wishes to us
	topic    string // the first part of that, without "launch" or "promote"
	keywords []string
	offer    string // the part with a discount or a gift, if it has one
	action   string
	audience string
	schedule string
	budget   *json.Number
	channels []string
}

const channelName = `(?:e-?mails?|newsletters?|social(?: media)?|instagram|facebook|linkedin|ppc|google ads?|search ads?|sms|text messages?)`

var (
	clause        = regexp.MustCompile(`[^.!?,;。！？，；]+(?:[.!?,;。！？，；]+\s*|$)`)
	firstClause   = regexp.MustCompile(`^[^.!?,;。！？，；]+`)
	imperative    = regexp.MustCompile(`(?i)^(?:please )?(?:launch|promote|announce|advertise|sell|market|introduce|write about|tell (?:everyone|people) about|create (?:a |an )?(?:\pL+ )?campaign (?:for|about)) `)
	firstSentence = regexp.MustCompile(`^[^.!?。！？]*(?:[.!?。！？]+|$)`)
	discount      = regexp.MustCompile(`(?i)(?:up to |\pL+ )?\d+ ?(?:%|percent\b|prozent\b)(?: \pL+){0,3}`)
	gift          = regexp.MustCompile(`(?i)[^.!?,;。！？，]*\b(?:free|gratis|discount|rabatt|sale)\b[^.!?,;。！？，]*`)
	wishes        = regexp.MustCompile(`(?i),? *\b(?:by|via|through|on|over|using|with) (?:an? )?` + channelName + `(?:(?:,? and|,| &|/) ?(?:an? )?` + channelName + `)*\b` +
		`|,? *\b(?:with )?(?:an? )?budget(?: of| is|:)? ?[$€£]? ?\d[\d.,]*k?(?: ?(?:usd|eur|gbp|dollars|euros|€|£))?`)
	audiencePart = regexp.MustCompile(`(?i)\b(?:for|aimed at|targeting|für|pour|para) ((?:[\pL'’-]+ ){0,4}[\pL'’-]+s)\b`)
	money        = regexp.MustCompile(`(?i)(?:[$€£] ?(\d[\d.,]*)(k?)|(\d[\d.,]*)(k?) ?(?:€|£|\b(?:usd|eur|gbp|dollars?|euros?|pounds?)\b))`)
	budgetWord   = regexp.MustCompile(`(?i)budget|presupuesto|orçamento|бюджет|预算|預算|予算|spend|ausgeben`)
	priceWord    = regexp.MustCompile(`(?i)\b(?:for|from|at|only|just|under|over|above|save|price|costs?|off|worth)(?: only| just)? *$`)
	when         = regexp.MustCompile(`(?i)\b(?:(?:next|this|on|by|before|every) (?:week|weekend|month|spring|summer|autumn|fall|winter|mon|tues|wednes|thurs|fri|satur|sun|black fri|cyber mon)(?:day)?s?|tomorrow|tonight|black friday|\d{4}-\d\d-\d\d|(?:in |on |by )?(?:january|february|march|april|june|july|august|september|october|november|december)(?: \d{1,2}(?:st|nd|rd|th)?)?)\b(?: at \d{1,2}(?::\d\d)? ?(?:am|pm)?\b)?`)
	thousands    = regexp.MustCompile(`[.,](\d{3})\b`)
	channelWords = map[string]*regexp.Regexp{
		"email":  regexp.MustCompile(`(?i)\b(?:e-?mails?|newsletters?|mailings?|correo)\b|邮件|電子メール|メール|письм|рассылк`),
		"social": regexp.MustCompile(`(?i)\b(?:social|instagram|facebook|linkedin|twitter|tiktok|mastodon|bluesky|posts?)\b|社交|соцсет`),
		"ppc":    regexp.MustCompile(`(?i)\b(?:ppc|adwords|google ads?|search ads?|paid search|sea|ads|anzeigen)\b|广告|広告|реклам`),
		"sms":    regexp.MustCompile(`(?i)\b(?:sms|text messages?|texts)\b|短信|смс`),
	}
)

// read finds in any brief, in any language, what the texts need.
func read(brief string) reading {
	text := first(harmless(brief), "Your campaign")
	said := pitch(text)
	r := reading{
		goal:     clip(first(strings.TrimRight(firstSentence.FindString(text), " .。"), text), 150),
		pitch:    said,
		topic:    clip(first(strings.Trim(firstClause.FindString(said), " ,;:.!?，。！？"), said), 60),
		keywords: keywords(said),
		offer:    clip(strings.TrimSpace(first(discount.FindString(said), gift.FindString(said))), 80),
		action:   "Find out more today.",
		schedule: clip(when.FindString(text), 100),
		budget:   budget(text),
		channels: channels(text),
	}
	if match := audiencePart.FindStringSubmatch(text); match != nil {
		r.audience = "For " + clip(match[1], 80) + "."
	}
	return r
}

// pitch leaves out what a brief says to us: the verb at its start, and which
// channels, when, and for how much.
func pitch(text string) string {
	said := clause.ReplaceAllStringFunc(wishes.ReplaceAllString(text, ""), func(part string) string {
		bare := strings.Trim(part, " ,;.!?，。！？；")
		if bare == "" || budgetWord.MatchString(bare) || len(named(bare)) > 0 && len(part) < len(text) || when.FindString(bare) == bare {
			return ""
		}
		return part
	})
	said = strings.Trim(imperative.ReplaceAllString(strings.TrimSpace(said), ""), " ,;，、")
	if said == "" {
		return text
	}
	return capital(said)
}

func capital(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}

// harmless leaves out what no text of a campaign may hold: brackets, which
// read as markup or as placeholders, and control characters.
func harmless(brief string) string {
	text := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r), strings.ContainsRune("<>[]{}|*#_", r):
			return ' '
		case unicode.IsControl(r), r == unicode.ReplacementChar:
			return -1
		default:
			return r
		}
	}, brief)
	return strings.Join(strings.Fields(placeholderPercent.ReplaceAllString(text, "$1 ")), " ")
}

// placeholderPercent is a percent sign that begins a word, as in %NAME%.
var placeholderPercent = regexp.MustCompile(`(^|\s|\pL)%`)

// keywords are up to three of the longest words that are no function words,
// in the order of the brief.
func keywords(text string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	words = slices.DeleteFunc(words, func(w string) bool {
		return utf8.RuneCountInString(w) < 2 || !strings.ContainsFunc(w, unicode.IsLetter) || common[strings.ToLower(w)]
	})
	weighty := slices.Clone(words)
	slices.SortStableFunc(weighty, func(a, b string) int {
		return cmp.Compare(utf8.RuneCountInString(b), utf8.RuneCountInString(a))
	})
	weighty = weighty[:min(3, len(weighty))]
	var chosen []string
	for _, word := range words {
		if slices.Contains(weighty, word) && !slices.Contains(chosen, word) {
			chosen = append(chosen, cut(word, 30))
		}
	}
	return chosen
}

// common are words of briefs that say nothing about the product.
var common = set("the and for with our your their this that from into about have campaign campaigns launch promote create write " +
	"generate marketing email emails newsletter social media post posts sms ppc text message messages ads announce announcing " +
	"budget audience target customers people please want need should will next week month new und für mit eine einen der die das " +
	"les des pour avec una para con los las por")

func set(words string) map[string]bool {
	members := map[string]bool{}
	for _, word := range strings.Fields(words) {
		members[word] = true
	}
	return members
}

// budget is the amount nearest behind a word for budget, or else the first
// one that does not read as a price.
func budget(text string) *json.Number {
	if at := budgetWord.FindStringIndex(text); at != nil {
		if match := money.FindStringSubmatch(text[at[0]:]); match != nil {
			return amount(match)
		}
		if match := money.FindStringSubmatch(text); match != nil {
			return amount(match)
		}
		return nil
	}
	for _, at := range money.FindAllStringSubmatchIndex(text, -1) {
		if !priceWord.MatchString(text[:at[0]]) {
			return amount(money.FindStringSubmatch(text[at[0]:]))
		}
	}
	return nil
}

// amount reads "5,000", "5.000", "1.5k" and "500"; what is too much to be a
// budget is none.
func amount(match []string) *json.Number {
	digits := thousands.ReplaceAllString(match[1]+match[3], "$1")
	value, err := strconv.ParseFloat(strings.TrimRight(strings.ReplaceAll(digits, ",", "."), "."), 64)
	if match[2]+match[4] != "" {
		value *= 1000
	}
	if err != nil || value > 1e9 {
		return nil
	}
	number := json.Number(strings.TrimSuffix(strconv.FormatFloat(value, 'f', 2, 64), ".00"))
	return &number
}

// channels are those that a brief names, or all.
func channels(text string) []string {
	if found := named(text); len(found) > 0 {
		return found
	}
	return allChannels()
}

func named(text string) []string {
	return slices.DeleteFunc(allChannels(), func(c string) bool { return !channelWords[c].MatchString(text) })
}

func allChannels() []string { return []string{"email", "social", "ppc", "sms"} }
