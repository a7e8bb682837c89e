// Package email makes a letter of a message's content, the same for every
// provider of e-mail.
package email

import (
	"errors"
	"fmt"
	"html"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/microcosm-cc/bluemonday"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"fanfare"
)

// Letter is an e-mail as its reader sees it: a subject of one line, and the
// same text twice.
type Letter struct{ Subject, HTML, Text string }

// maxSubject keeps a subject within what a line of a header may hold (RFC 5322,
// 2.1.1), characters that have to be encoded included.
const maxSubject = 200

// Footer ends a letter. Its parts are left out where they are empty.
type Footer struct {
	Unsubscribe string // a link
	Sender      string // who sends it, and from where
}

// Compose makes a letter of the message's e-mail content. The body is cleaned
// once more: what is stored is trusted no further than what a model wrote. A
// test is marked as one in its subject.
func Compose(m fanfare.Outgoing, footer Footer) (Letter, error) {
	content := m.Content.Email
	if content == nil {
		return Letter{}, errors.New("the campaign has no e-mail content")
	}
	body, err := clean(content.Body)
	if err != nil {
		return Letter{}, fmt.Errorf("reading the body: %w", err)
	}
	text, err := Text(body)
	if err != nil {
		return Letter{}, fmt.Errorf("reading the body as text: %w", err)
	}
	subject := line(content.Subject)
	if utf8.RuneCountInString(subject) > maxSubject {
		return Letter{}, fmt.Errorf("the subject has more than %d characters", maxSubject)
	}
	if m.Test {
		subject = "[Test] " + subject
	}
	return Letter{
		Subject: subject,
		HTML:    page(subject, line(content.Preview), body, footer),
		Text:    text + "\n" + footer.text(),
	}, nil
}

// clean balances the tags, so that none reaches beyond the body, and leaves
// what formats text and links to elsewhere: nothing acts, and nothing is
// fetched when the letter is read.
func clean(body string) (string, error) {
	nodes, err := parse(body)
	if err != nil {
		return "", err
	}
	var balanced strings.Builder
	for _, node := range nodes {
		if err := xhtml.Render(&balanced, node); err != nil {
			return "", err
		}
	}
	return policy().Sanitize(balanced.String()), nil
}

func parse(body string) ([]*xhtml.Node, error) {
	return xhtml.ParseFragment(strings.NewReader(body), &xhtml.Node{Type: xhtml.ElementNode, Data: "body", DataAtom: atom.Body})
}

var policy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("h1", "h2", "h3", "h4", "p", "br", "hr", "ul", "ol", "li", "strong", "em", "b", "i",
		"blockquote", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	return p
})

// page puts the body on a page. The preview comes first and is not shown: mail
// readers show it beside the subject.
func page(subject, preview, body string, footer Footer) string {
	return `<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>` + html.EscapeString(subject) + `</title></head>
<body style="margin:0">
<div style="display:none;max-height:0;overflow:hidden">` + html.EscapeString(preview) + `</div>
<div style="max-width:40em;margin:0 auto;padding:1em;font-family:sans-serif;line-height:1.5">
` + body + footer.html() + `
</div>
</body></html>
`
}

func (f Footer) html() string {
	var parts []string
	if f.Sender != "" {
		parts = append(parts, html.EscapeString(f.Sender))
	}
	if f.Unsubscribe != "" {
		parts = append(parts, `<a href="`+html.EscapeString(f.Unsubscribe)+`">Unsubscribe</a>`)
	}
	if len(parts) == 0 {
		return ""
	}
	return "\n" + `<hr><p style="font-size:small">` + strings.Join(parts, "<br>") + "</p>"
}

func (f Footer) text() string {
	var b strings.Builder
	if f.Sender != "" {
		b.WriteString("\n" + f.Sender)
	}
	if f.Unsubscribe != "" {
		b.WriteString("\nUnsubscribe: " + f.Unsubscribe)
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n--" + b.String() + "\n"
}

// line is text without anything that could end a header's line.
func line(text string) string {
	spaced := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	return strings.Join(strings.Fields(spaced), " ")
}
