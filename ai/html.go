package ai

import (
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

// CleanHTML leaves of an e-mail's body what formats text, and links to http,
// https and mailto: no images, scripts, styles or handlers. What is taken out
// of a tag's kind keeps its text, scripts and styles do not.
func CleanHTML(body string) string { return bodyPolicy().Sanitize(body) }

var bodyPolicy = sync.OnceValue(func() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("h1", "h2", "h3", "h4", "p", "br", "ul", "ol", "li", "strong", "em", "b", "i",
		"blockquote", "table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.RequireParseableURLs(true)
	p.AllowRelativeURLs(false)
	return p
})
