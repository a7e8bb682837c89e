package linkedin

import (
	"regexp"
	"strings"
	"sync"

	"fanfare/channel/social"
)

const reserved = `\|{}@[]()<>#*_~`

// little writes a text in LinkedIn's format, so that each character is read as
// itself and hashtags as hashtags. What is reserved and not escaped would cut
// the post off there.
func little(text string) string {
	var b strings.Builder
	end := 0
	for _, tag := range social.Hashtags(text) {
		b.WriteString(plain(text[end:tag.Start]) + "#" + plain(tag.Value))
		end = tag.End
	}
	return b.String() + plain(text[end:])
}

func plain(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(reserved, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

var hashtagTemplate = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\{hashtag\\?\|\\?#\\?\|((?:[^\\}]|\\.)*)\}`)
})

// read is the text of a post as LinkedIn gives it back: with a template for each
// hashtag.
func read(commentary string) string {
	text := hashtagTemplate().ReplaceAllString(commentary, "#$1")
	var b strings.Builder
	escaped := false
	for _, r := range text {
		if escaped = r == '\\' && !escaped; !escaped {
			b.WriteRune(r)
		}
	}
	return strings.TrimSpace(b.String())
}
