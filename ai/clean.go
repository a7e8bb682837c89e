package ai

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"fanfare"
)

// Limits of what users write, in Unicode characters.
const (
	BriefMax   = 2000
	HistoryMax = 50 // turns
	TurnMax    = 5000
)

// CleanBrief returns a brief as a model may see it: normalised (NFKC), without
// markup, control and zero-width characters, on one line. Its errors are
// fanfare.CodeInvalidRequest where nothing or too much is left, and
// fanfare.CodeSuspiciousInput, which does not say what matched, where the brief
// tries to steer the model.
func CleanBrief(text string) (string, error) {
	return cleanField("prompt", text, BriefMax, 1)
}

// CleanText cleans any other text that a model will see, like a brief. It must
// have 1 to most characters; errors name the field.
func CleanText(field, text string, most int) (string, error) {
	return cleanField(field, text, most, 1)
}

// CleanHistory cleans the turns that a client brought along, each like a
// brief. Roles that do not exist become user, assistant turns become quoted
// text, empty turns are dropped.
func CleanHistory(turns []fanfare.Turn) ([]fanfare.Turn, error) {
	if len(turns) > HistoryMax {
		return nil, fanfare.Invalid("conversationHistory", "it has %d turns; at most %d are allowed", len(turns), HistoryMax)
	}
	var cleaned []fanfare.Turn
	for i, turn := range turns {
		content, err := cleanField(fmt.Sprintf("conversationHistory[%d].content", i), turn.Content, TurnMax, 0)
		if err != nil {
			return nil, err
		}
		if content == "" {
			continue
		}
		role := fanfare.MessageUser
		if turn.Role == fanfare.MessageAssistant {
			role = fanfare.MessageAssistant
		}
		cleaned = append(cleaned, fanfare.Turn{Role: role, Content: content, Quoted: role == fanfare.MessageAssistant})
	}
	return cleaned, nil
}

func empty(field string) string {
	if field == "prompt" {
		return "it is empty; describe the campaign in a sentence or two"
	}
	return "it is empty; say it in a few words"
}

func cleanField(field, text string, most, least int) (string, error) {
	cleaned, settled := settle(text)
	if !settled {
		return "", fanfare.Invalid(field, "it holds markup within markup; write it as plain text")
	}
	switch n := utf8.RuneCountInString(cleaned); {
	case n < least:
		return "", fanfare.Invalid(field, "%s", empty(field))
	case n > most:
		return "", fanfare.Invalid(field, "it has %d characters; at most %d are allowed", n, most)
	}
	if steersModel(text, cleaned) {
		return "", fanfare.Suspicious(field)
	}
	return cleaned, nil
}

// maxPasses bounds how deep markup may be hidden in markup: each pass takes
// out what the one before laid bare, and honest text settles in two.
const maxPasses = 8

// settle cleans until nothing changes any more, so that cleaning twice is the
// same as cleaning once.
func settle(text string) (cleaned string, settled bool) {
	for range maxPasses {
		next := strings.Join(strings.Fields(cleanLines(text)), " ")
		if next == text {
			return next, true
		}
		text = next
	}
	return "", false
}

// cleanLines is one pass that leaves line breaks as they are.
func cleanLines(text string) string {
	return fanfare.VisibleText(stripMarkup(visibleText(text)))
}

// visibleText is a text as it would be seen, its markup included.
func visibleText(text string) string {
	return fanfare.VisibleText(norm.NFKC.String(strings.ToValidUTF8(text, "\uFFFD")))
}
