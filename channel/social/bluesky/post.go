package bluesky

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"

	"fanfare/channel/connector"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

const collection = "app.bsky.feed.post"

// Limits of a post's text, as its schema has them
// (https://github.com/bluesky-social/atproto/blob/main/lexicons/app/bsky/feed/post.json).
const (
	maxCharacters = 300 // grapheme clusters
	maxBytes      = 3000
)

// Limits of a hashtag's name (lexicons/app/bsky/richtext/facet.json).
const (
	maxTagCharacters = 64
	maxTagBytes      = 640
)

type post struct {
	Type      string  `json:"$type"`
	Text      string  `json:"text"`
	Facets    []facet `json:"facets,omitempty"`
	CreatedAt string  `json:"createdAt"`
}

// facet says what a part of the text is; its bounds count bytes of UTF-8
// (https://docs.bsky.app/docs/advanced-guides/post-richtext).
type facet struct {
	Index    slice     `json:"index"`
	Features []feature `json:"features"`
}

type slice struct {
	Start int `json:"byteStart"`
	End   int `json:"byteEnd"`
}

type feature struct {
	Type string `json:"$type"`
	URI  string `json:"uri,omitempty"`
	Tag  string `json:"tag,omitempty"`
}

// create is the call that posts.
func create(repo, key, text string, at time.Time) rest.Call {
	return rest.Call{
		Method: http.MethodPost, Path: "/xrpc/com.atproto.repo.createRecord", Commits: true,
		Body: map[string]any{
			"repo": repo, "collection": collection, "rkey": key,
			"record": post{Type: collection, Text: text, Facets: facets(text), CreatedAt: at.UTC().Format("2006-01-02T15:04:05.000Z")},
		},
	}
}

func facets(text string) []facet {
	var found []facet
	for _, link := range social.Links(text) {
		found = append(found, facet{slice{link.Start, link.End}, []feature{{Type: "app.bsky.richtext.facet#link", URI: link.Value}}})
	}
	for _, tag := range social.Hashtags(text) {
		if social.Length(tag.Value) <= maxTagCharacters && len(tag.Value) <= maxTagBytes {
			found = append(found, facet{slice{tag.Start, tag.End}, []feature{{Type: "app.bsky.richtext.facet#tag", Tag: tag.Value}}})
		}
	}
	return found
}

// recordKey makes a delivery's id, a UUIDv7, into a key of the kind that posts
// have (https://atproto.com/specs/tid): the id's milliseconds, and 20 bits of
// its digest as microseconds and clock.
func recordKey(id string) (string, error) {
	began, err := connector.Began(id)
	if err != nil {
		return "", fmt.Errorf("making a record's key: %w", err)
	}
	digest := sha256.Sum256([]byte(id))
	micros := began.UnixMilli()*1000 + int64(binary.BigEndian.Uint32(digest[:4])%1000)
	return tid(micros, int64(binary.BigEndian.Uint16(digest[4:6]))), nil
}

// tid writes 53 bits of microseconds since 1970 and 10 of a clock's number.
func tid(micros, clock int64) string {
	const alphabet = "234567abcdefghijklmnopqrstuvwxyz"
	n := micros&(1<<53-1)<<10 | clock&(1<<10-1)
	var key [13]byte
	for i := len(key) - 1; i >= 0; i-- {
		key[i] = alphabet[n&31]
		n >>= 5
	}
	return string(key[:])
}
