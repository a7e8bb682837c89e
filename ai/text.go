package ai

import (
	"fmt"
	"strings"
	"unicode"

	"fanfare"
)

// The checks here say which rules a text of an answer breaks beside those of
// fanfare.ChannelContent.Problems, which measure it.

// line checks a text that must be one line: no header or headline can hold more.
func line(name, value string) []string {
	return append(plain(name, value, false), placeholders(name, value)...)
}

func lines(name string, values []string) (broken []string) {
	for i, value := range values {
		broken = append(broken, line(fmt.Sprintf("%s[%d]", name, i), value)...)
	}
	return broken
}

// prose checks a text that may have several lines.
func prose(name, value string) []string {
	return append(plain(name, value, true), placeholders(name, value)...)
}

func plain(name, value string, multiline bool) []string {
	broken := characters(name, value, multiline)
	if hasMarkup(value) {
		broken = append(broken, name+" contains HTML; it must be plain text")
	}
	return broken
}

// characters refuses what is not text: control characters, and U+FFFD, which
// stands where bytes or surrogates were broken.
func characters(name, value string, multiline bool) []string {
	notText := func(r rune) bool {
		if multiline && (r == '\n' || r == '\r' || r == '\t') {
			return false
		}
		return r == unicode.ReplacementChar || unicode.IsControl(r) || r == '\u2028' || r == '\u2029'
	}
	if !strings.ContainsFunc(value, notText) {
		return nil
	}
	if multiline {
		return []string{name + " contains characters that are not text"}
	}
	return []string{name + " must be one line of text without control characters"}
}

func placeholders(name, value string) []string {
	if len(fanfare.Placeholders(value)) == 0 {
		return nil
	}
	return []string{name + " contains a placeholder in brackets; write it out or write around it"}
}
