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

	json streamjson.Decoder
	body htmltext.Stripper
	tags hashtagger
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
	t.json, t.body, t.tags = *streamjson.New(t.tell, t.fields...), htmltext.Stripper{}, hashtagger{}
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
	}
}

func (t *texts) tell(field, text string) {
	switch field {
	case bodyField:
		text = t.body.Strip(text)
	case hashtagsField:
		text = t.tags.normalise(text)
	}
	t.append(field, text)
}

// append keeps control characters away, which mean something to a terminal:
// the text has not been checked yet.
func (t *texts) append(field, text string) {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, text)
	if text != "" {
		t.sink.Append(t.channel, field, text)
	}
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
