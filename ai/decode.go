package ai

import (
	"encoding/base64"
	"encoding/hex"
	"html"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// decodings returns what a text says in the codes that models read without
// effort: backwards, in ROT13, and as far as there is any, in base64, in hex,
// in percent signs and in references.
func decodings(text string) []string {
	var all []string
	for _, turned := range []string{backwards(text), strings.Map(rot13, text)} {
		if containsAny(strings.ToLower(turned), strings.Fields(meansUs)) {
			all = append(all, turned)
		}
	}
	var found strings.Builder
	for _, code := range encodedRun.FindAllString(text, -1) {
		for _, decode := range decoders() {
			if plain, err := decode(code); err == nil && isText(plain) {
				found.Write(plain)
				found.WriteByte('\n')
			}
		}
	}
	if found.Len() > 0 {
		all = append(all, found.String())
	}
	if strings.Count(text, "%") >= leastEscapes {
		all = append(all, unescapePercent(text))
	}
	if strings.Contains(text, "&#") {
		all = append(all, html.UnescapeString(text))
	}
	return all
}

// meansUs is what an order cannot do without, and what no honest text says
// backwards.
const meansUs = "instruction guideline prompt rules previous"

// leastEscapes keeps the percent signs of honest texts out: an order takes more.
const leastEscapes = 8

// encodedRun is as short as an order can be in base64.
var encodedRun = regexp.MustCompile(`[0-9A-Za-z+/_-]{16,}={0,2}`)

// decoders read base64 in both of its alphabets (RFC 4648), padded or not, and hex.
func decoders() []func(string) ([]byte, error) {
	base := func(e *base64.Encoding) func(string) ([]byte, error) {
		return func(code string) ([]byte, error) { return e.DecodeString(strings.TrimRight(code, "=")) }
	}
	return []func(string) ([]byte, error){base(base64.RawStdEncoding), base(base64.RawURLEncoding), hex.DecodeString}
}

// isText tells what was written from what only happens to decode.
func isText(decoded []byte) bool {
	return utf8.Valid(decoded) && !strings.ContainsFunc(string(decoded), func(r rune) bool {
		return unicode.IsControl(r) && !unicode.IsSpace(r)
	})
}

func backwards(text string) string {
	runes := []rune(text)
	slices.Reverse(runes)
	return string(runes)
}

func rot13(r rune) rune {
	switch {
	case 'a' <= r && r <= 'z':
		return 'a' + (r-'a'+13)%26
	case 'A' <= r && r <= 'Z':
		return 'A' + (r-'A'+13)%26
	default:
		return r
	}
}

var percentEscape = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// unescapePercent is lenient: what is no escape stays.
func unescapePercent(text string) string {
	return strings.ToValidUTF8(percentEscape.ReplaceAllStringFunc(text, func(escape string) string {
		plain, err := hex.DecodeString(escape[1:])
		if err != nil {
			return escape
		}
		return string(plain)
	}), "\uFFFD")
}
