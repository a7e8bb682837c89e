// Package social makes a post of a message's content, the same for every
// network.
package social

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"

	"fanfare"
)

// Compose joins the post and those of its hashtags that it does not have in its
// text already. It cuts nothing.
func Compose(c fanfare.Content) (string, error) {
	if c.Social == nil || strings.TrimSpace(c.Social.Post) == "" {
		return "", &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "The campaign has no content for social."}
	}
	text := strings.TrimSpace(fanfare.VisibleText(c.Social.Post))
	var said, more []string
	for _, tag := range Hashtags(text) {
		said = append(said, fold(tag.Value))
	}
	for _, hashtag := range c.Social.Hashtags {
		name := tagName(hashtag)
		if name == "" || slices.Contains(said, fold(name)) {
			continue
		}
		said, more = append(said, fold(name)), append(more, "#"+name)
	}
	if len(more) == 0 {
		return text, nil
	}
	return text + "\n\n" + strings.Join(more, " "), nil
}

func fold(name string) string { return strings.ToLower(name) }

// tagName is a hashtag as networks read one: without the #, and without what
// would end it.
func tagName(hashtag string) string {
	name := strings.Map(func(r rune) rune {
		if isTagRune(r) {
			return r
		}
		return -1
	}, hashtag)
	if strings.Trim(name, "0123456789_") == "" {
		return "" // a number is no hashtag anywhere
	}
	return name
}

func isTagRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// Length counts a post's characters as a reader does (grapheme clusters, UAX
// 29), which is how networks count unless they say otherwise.
func Length(text string) int { return uniseg.GraphemeClusterCount(text) }

// TooLong refuses a post with the sentence that says by how much.
func TooLong(network string, has, limit int) error {
	return &fanfare.SendError{Fate: fanfare.FateRefused, Reason: fmt.Sprintf(
		"%s takes posts of at most %d characters, and this one has %d with its hashtags.", network, limit, has)}
}
