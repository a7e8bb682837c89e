package demomodel

import (
	"embed"
	"html/template"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed templates/email.html
var templateFiles embed.FS

// email, ppc and social are in the order in which people read them.
type (
	email struct {
		Subject string `json:"subject"`
		Preview string `json:"preview"`
		Body    string `json:"body"`
	}
	ppc struct {
		Headlines    []string `json:"headlines"`
		Descriptions []string `json:"descriptions"`
	}
	social struct {
		Post     string   `json:"post"`
		Hashtags []string `json:"hashtags"`
	}
)

// write returns the answer of a name; not known means that there is none such.
func write(name, brief string) (answer any, known bool) {
	switch name {
	case "analyze":
		return readPerformance(brief).insights(), true
	case "optimize":
		return readPerformance(brief).suggestions(), true
	}
	r := read(brief)
	switch name {
	case "intent":
		return r.intent(), true
	case "email":
		return email{Subject: clip(r.topic, 55), Preview: clip(r.pitch, 90), Body: r.emailBody()}, true
	case "social":
		return social{Post: r.post(), Hashtags: r.hashtags()}, true
	case "ppc":
		return ppc{
			Headlines:    []string{clip(r.topic, 30), clip(first(strings.Join(r.keywords, " "), r.goal), 30), clip(first(r.offer, r.action), 30)},
			Descriptions: []string{clip(r.pitch, 90), clip(r.topic+". "+r.action, 90)},
		}, true
	case "sms":
		return map[string]any{"text": clip(r.message(), 110) + " " + r.action}, true
	default:
		return nil, false
	}
}

func (r reading) intent() map[string]any {
	return map[string]any{
		"goal": r.goal, "channels": r.channels, "keyMessage": first(r.offer, r.pitch), "callToAction": r.action,
		"audience": r.audience, "budget": r.budget, "schedule": r.schedule,
	}
}

// emailBody fills the brief's words into a letter of 200 to 400 words: the
// letter's own are about 260, and clip bounds the others.
func (r reading) emailBody() string {
	letter := template.Must(template.ParseFS(templateFiles, "templates/email.html"))
	var body strings.Builder
	err := letter.Execute(&body, map[string]string{
		"Goal": clipWords(r.topic, 12), "Quote": clipWords(clip(r.pitch, 600), 30), "Offer": clipWords(r.offer, 12),
		"Topic": lower(clipWords(r.topic, 8)), "Audience": clipWords(first(r.audience, "Whoever you are, you are welcome."), 15),
		"Action": clipWords(r.action, 12),
	})
	if err != nil {
		panic(err) // the template is ours, and its values are strings
	}
	return body.String()
}

// message is what it is about, and the offer unless that says it already.
func (r reading) message() string {
	if r.offer == "" || strings.Contains(r.topic, r.offer) {
		return clip(r.topic, 100) + "."
	}
	return clip(r.offer, 60) + ": " + clip(r.topic, 45) + "."
}

func (r reading) post() string {
	parts := []string{clip(r.pitch, 240)}
	if r.offer != "" && !strings.Contains(parts[0], r.offer) {
		parts = append(parts, r.offer)
	}
	return strings.Join(append(parts, r.action), "\n\n")
}

func (r reading) hashtags() []string {
	tags := []string{}
	for _, word := range r.keywords {
		tags = append(tags, "#"+cut(word, 40))
	}
	return tags
}

// clip shortens to at most so many characters, between words where it can.
func clip(text string, most int) string {
	if utf8.RuneCountInString(text) <= most {
		return strings.TrimSpace(text)
	}
	short := cut(text, most-1)
	if space := strings.LastIndexByte(short, ' '); space > len(short)/2 {
		short = short[:space]
	}
	return strings.TrimRight(short, " ,;:.-–—") + "…"
}

// lower is for a topic within a sentence: Our sneakers, our sneakers.
func lower(topic string) string {
	if rest, ok := strings.CutPrefix(topic, "Our "); ok {
		return "our " + rest
	}
	return topic
}

// clipWords shortens to at most so many words, as fanfare.CountWords counts
// them: in Chinese and Japanese each character is one.
func clipWords(text string, most int) string {
	words, inWord := 0, false
	for i, r := range text {
		switch alone := unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana); {
		case alone, !inWord && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			words, inWord = words+1, !alone
		case unicode.IsSpace(r):
			inWord = false
		}
		if words > most {
			return strings.TrimSpace(text[:i]) + "…"
		}
	}
	return text
}

func cut(text string, most int) string {
	runes := []rune(text)
	return string(runes[:min(len(runes), most)])
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
