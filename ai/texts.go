package ai

import (
	"strings"
	"unicode"

	"fanfare"
	"fanfare/ai/htmltext"
	"fanfare/ai/streamjson"
)

// texts tells a sink the texts of a channel while a model writes them: readable
// ones, as the content would read. Nobody listens to a nil one.
type texts struct {
	sink    fanfare.TextSink
	channel fanfare.Channel
	fields  []string

	json  streamjson.Decoder
	field string // the last one that was heard
	body  htmltext.Stripper
	tags  hashtagger
	plain untagger // of the field, unless it is the body
}

func newTexts(sink fanfare.TextSink, channel fanfare.Channel) *texts {
	if sink == nil {
		return nil
	}
	t := &texts{sink: sink, channel: channel}
	for _, f := range contentFields(channel) {
		t.fields = append(t.fields, f.name)
	}
	return t
}

// restart forgets what was heard: the model is asked anew.
func (t *texts) restart() {
	if t == nil {
		return
	}
	t.json, t.field = *streamjson.New(t.tell, t.fields...), ""
	t.body, t.tags, t.plain = htmltext.Stripper{}, hashtagger{}, untagger{}
	t.sink.Restart(t.channel)
}

// hear takes the next piece of the model's answer.
func (t *texts) hear(piece string) {
	if t != nil {
		t.json.Write([]byte(piece))
	}
}

// end says that the answer is whole.
func (t *texts) end() {
	if t != nil {
		t.append(bodyField, t.body.End())
		t.append(t.field, t.plain.end())
	}
}

// tell takes markup out, of which no other field than the body may have any:
// the text has not been checked yet. Control characters go first, or what
// parted "<" from "b>" would leave a tag behind.
func (t *texts) tell(field, text string) {
	if field != t.field {
		t.append(t.field, t.plain.end())
		t.field = field
	}
	switch field {
	case bodyField:
		text = strings.ReplaceAll(text, "\r", "\n") // it is white space there
		t.append(field, t.body.Strip(printable(text)))
	case hashtagsField:
		t.append(field, t.plain.strip(t.tags.normalise(printable(text))))
	default:
		t.append(field, t.plain.strip(printable(text)))
	}
}

func (t *texts) append(field, text string) {
	if text = printable(text); text != "" { // the body may have spelled others as references
		t.sink.Append(t.channel, field, text)
	}
}

// printable keeps control characters away, which mean something to a terminal,
// and those that turn the direction of writing. What fanfare.VisibleText would
// take out beside them harms nobody for the moment that a text is written.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, text)
}

// hashtagger writes hashtags as normaliseHashtags does, piece by piece.
type hashtagger struct{ within bool }

func (h *hashtagger) normalise(text string) string {
	var normal strings.Builder
	for _, r := range text {
		switch {
		case r == '\n':
			h.within = false
			normal.WriteRune(r)
		case unicode.IsSpace(r), r == '#' && !h.within:
		case !h.within:
			h.within = true
			normal.WriteByte('#')
			fallthrough
		default:
			normal.WriteRune(r)
		}
	}
	return normal.String()
}
