package ai

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"fanfare"
)

// maxObjectStarts bounds how many braces are tried as the start of the answer,
// so that prose full of them costs little.
const maxObjectStarts = 16

// firstObject finds the first JSON object in an answer that may have prose or
// a code fence around it. It refuses what JSON v2 does: repeated names,
// invalid UTF-8, lone surrogates.
func firstObject(text string) (object []byte, found bool) {
	rest := []byte(text)
	for range maxObjectStarts {
		start := bytes.IndexByte(rest, '{')
		if start < 0 {
			return nil, false
		}
		value, err := jsontext.NewDecoder(bytes.NewReader(rest[start:])).ReadValue()
		if err == nil {
			return value, true
		}
		rest = rest[start+1:]
	}
	return nil, false
}

// readContent reads and checks the content of a channel. The body of an e-mail
// is cleaned before it is measured.
func readContent(channel fanfare.Channel, object []byte) (content fanfare.ChannelContent, broken []string) {
	content = fanfare.NewChannelContent(channel)
	if broken := decode(object, content); len(broken) > 0 {
		return nil, broken
	}
	switch c := content.(type) {
	case *fanfare.EmailContent:
		broken = append(line("subject", c.Subject), line("preview", c.Preview)...)
		broken = append(broken, characters("body", c.Body, true)...)
		c.Body = fanfare.VisibleText(CleanHTML(c.Body)) // which has read references to characters
		broken = append(broken, placeholders("body", c.Body)...)
	case *fanfare.SocialContent:
		broken = prose("post", c.Post)
		c.Hashtags = normaliseHashtags(c.Hashtags)
		broken = append(broken, hashtags(c.Hashtags)...)
	case *fanfare.PPCContent:
		broken = append(lines("headlines", c.Headlines), lines("descriptions", c.Descriptions)...)
	case *fanfare.SMSContent:
		broken = prose("text", c.Text)
	}
	return content, append(broken, content.Problems()...)
}

// decode reads an object strictly: these names, these types, nothing else. Of
// its texts it leaves what can be seen, except for control characters: models
// write soft hyphens in good faith, but those never.
func decode(object []byte, into any) (broken []string) {
	err := json.Unmarshal(object, into, json.RejectUnknownMembers(true), json.WithUnmarshalers(json.UnmarshalFromFunc(readText)))
	if err == nil {
		return nil
	}
	return []string{"it does not have the fields and types that were asked for: " + shapeProblem(err)}
}

func readText(from *jsontext.Decoder, into *string) error {
	token, err := from.ReadToken()
	if err != nil {
		return err
	}
	switch token.Kind() {
	case 'n':
		*into = ""
	case '"':
		*into = visibleAnswer(token.String())
	default:
		return &json.SemanticError{JSONPointer: from.StackPointer()}
	}
	return nil
}

// visibleAnswer keeps control characters, which are refused with a reason.
func visibleAnswer(text string) string {
	var kept strings.Builder
	for text != "" {
		end := strings.IndexFunc(text, unicode.IsControl)
		if end < 0 {
			end = len(text)
		}
		kept.WriteString(fanfare.VisibleText(text[:end]))
		_, size := utf8.DecodeRuneInString(text[end:])
		kept.WriteString(text[end : end+size])
		text = text[end+size:]
	}
	return kept.String()
}

// shapeProblem says where an object is not what it should be, without quoting it.
func shapeProblem(err error) string {
	semantic, ok := errors.AsType[*json.SemanticError](err)
	switch {
	case !ok:
		return "it is no valid JSON"
	case errors.Is(semantic.Err, json.ErrUnknownName):
		return "it has a field that was not asked for"
	default:
		return fmt.Sprintf("the value at %q has the wrong type", string(semantic.JSONPointer))
	}
}

// normaliseHashtags writes every hashtag with one leading #. A list that was
// left out is an empty one.
func normaliseHashtags(tags []string) []string {
	normal := make([]string, len(tags))
	for i, tag := range tags {
		if word := strings.TrimLeft(strings.TrimSpace(tag), "#"); word != "" {
			normal[i] = "#" + word
		}
	}
	return normal
}

func hashtags(tags []string) (broken []string) {
	for i, tag := range tags {
		name := fmt.Sprintf("hashtags[%d]", i)
		broken = append(broken, line(name, tag)...)
		if strings.ContainsAny(tag, " \t") {
			broken = append(broken, name+" is more than one word")
		}
	}
	return broken
}

// intentAnswer is an intent as models write it.
type intentAnswer struct {
	Goal         string       `json:"goal"`
	Channels     []string     `json:"channels"`
	KeyMessage   string       `json:"keyMessage"`
	CallToAction string       `json:"callToAction"`
	Audience     string       `json:"audience"`
	Budget       budgetAnswer `json:"budget"`
	Schedule     string       `json:"schedule"`
}

const maxIntentText = 2000 // characters: no field says more than a brief can

func readIntent(object []byte) (fanfare.Intent, []string) {
	var a intentAnswer
	if broken := decode(object, &a); len(broken) > 0 {
		return fanfare.Intent{}, broken
	}
	channels, broken := readChannels(a.Channels)
	if strings.TrimSpace(a.Goal) == "" {
		broken = append(broken, "goal is missing or empty")
	}
	for _, f := range []struct{ name, value string }{
		{"goal", a.Goal}, {"keyMessage", a.KeyMessage}, {"callToAction", a.CallToAction},
		{"audience", a.Audience}, {"schedule", a.Schedule},
	} {
		broken = append(broken, plain(f.name, f.value, true)...)
		if n := utf8.RuneCountInString(f.value); n > maxIntentText {
			broken = append(broken, fmt.Sprintf("%s has %d characters; at most %d are allowed", f.name, n, maxIntentText))
		}
	}
	return fanfare.Intent{
		Goal: a.Goal, Channels: channels, KeyMessage: a.KeyMessage, CallToAction: a.CallToAction,
		Audience: a.Audience, Budget: a.Budget.amount, Schedule: a.Schedule,
	}, broken
}

// readChannels returns the named channels in their usual order, each once.
func readChannels(names []string) (channels []fanfare.Channel, broken []string) {
	for _, name := range names {
		if !slices.Contains(fanfare.Channels(), fanfare.Channel(name)) {
			broken = append(broken, "channels has an entry that is not one of email, social, ppc, sms")
		}
	}
	for _, channel := range fanfare.Channels() {
		if slices.Contains(names, string(channel)) {
			channels = append(channels, channel)
		}
	}
	if len(channels) == 0 {
		broken = append(broken, "channels names none; it needs at least one of email, social, ppc, sms")
	}
	return channels, broken
}

// budgetAnswer is a budget as models write it: a number, a number in quotes,
// or nothing in one of several ways.
type budgetAnswer struct{ amount *fanfare.Money }

// UnmarshalJSON implements json.Unmarshaler.
func (b *budgetAnswer) UnmarshalJSON(value []byte) error {
	text := strings.TrimSpace(strings.Trim(string(value), `"`))
	if text == "" || text == "null" {
		return nil
	}
	var amount fanfare.Money
	if err := amount.UnmarshalJSON([]byte(text)); err != nil {
		return err
	}
	if amount < 0 {
		return fmt.Errorf("a budget of %s", amount)
	}
	b.amount = &amount
	return nil
}
