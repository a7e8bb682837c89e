package ai

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"

	"fanfare/ai/streamjson"
)

// We read streams ourselves: go-openai's reader cannot tell an answer that was
// cut off from one that ended, misses errors that do not come first in their
// event, and gives up after so many keep-alives.

// answer is what one call brought back, however it travelled.
type answer struct {
	text      []byte
	chosen    bool // there is one at all
	refused   bool // the model, or its provider's filter, would not
	truncated bool // the model ran out of tokens
	usage     openai.Usage

	unquoter streamjson.Unquoter // of the text
}

// chunk is an event of a stream, or a whole answer that came without one
// (platform.openai.com/docs/api-reference/chat-streaming).
type chunk struct {
	Choices []struct {
		Index          int
		Delta, Message struct { // the latter is of a whole answer
			Content inside
			Refusal string
		}
		FinishReason openai.FinishReason `json:"finish_reason"`
	}
	Usage *openai.Usage
	Error json.RawMessage
}

// inside is what is inside a JSON string, as it was sent: a character may go on
// in the next chunk.
type inside []byte

// UnmarshalJSON implements json.Unmarshaler.
func (i *inside) UnmarshalJSON(value []byte) error {
	switch {
	case string(value) == "null":
		return nil
	case value[0] != '"':
		return &json.UnmarshalTypeError{Value: "no string", Type: reflect.TypeFor[string]()}
	default:
		*i = slices.Clone(value[1 : len(value)-1])
		return nil
	}
}

// readAnswer reads a stream to its end, and tells its pieces as they come. A
// server that answers with plain JSON though a stream was asked for is fine.
// What the call took is returned with an error too, as far as it is known.
func readAnswer(response *http.Response, hear func(piece string)) (answer, error) {
	var a answer
	body := bufio.NewReader(response.Body)
	read := a.readWhole
	if isStream(response, body) {
		read = a.readStream
	}
	err := read(body, hear)
	if err == nil && !a.chosen {
		err = errNoChoice
	}
	if err != nil {
		return answer{usage: a.usage}, err
	}
	return a, nil
}

func (a *answer) readWhole(body io.Reader, hear func(piece string)) error {
	var whole chunk
	if err := json.NewDecoder(body).Decode(&whole); err != nil {
		return err
	}
	_, err := a.take(whole, hear)
	return err
}

func (a *answer) readStream(body io.Reader, hear func(piece string)) error {
	events := newEventData(body)
	finished := false
	for chunks := json.NewDecoder(events); ; {
		var next chunk
		err := chunks.Decode(&next)
		switch {
		case err != nil && (finished || events.done):
			return nil // nothing of the answer is missing
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
		ended, err := a.take(next, hear)
		if err != nil {
			return err
		}
		finished = finished || ended
	}
}

// take adds a chunk; ended says that it was the last with text in it.
func (a *answer) take(c chunk, hear func(piece string)) (ended bool, err error) {
	if c.Usage != nil {
		a.usage = *c.Usage
	}
	if len(c.Error) > 0 && string(c.Error) != "null" {
		return false, errorInBody(c.Error)
	}
	for _, choice := range c.Choices {
		if choice.Index != 0 {
			continue
		}
		a.chosen = true
		piece := a.unquoter.Text(choice.Delta.Content) + a.unquoter.Text(choice.Message.Content)
		a.text = append(a.text, piece...)
		hear(piece)
		a.refused = a.refused || choice.Delta.Refusal+choice.Message.Refusal != "" ||
			choice.FinishReason == openai.FinishReasonContentFilter
		a.truncated = a.truncated || choice.FinishReason == openai.FinishReasonLength
		ended = choice.FinishReason != ""
	}
	return ended, nil
}

// isStream goes by the type, and where that is wrong, by how the body begins.
func isStream(response *http.Response, body *bufio.Reader) bool {
	begin, _ := body.Peek(len(dataField)) // what fails here fails again when it is read
	return strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") || string(begin) == dataField
}

const dataField = "data:"

// eventData reads the data of server-sent events
// (html.spec.whatwg.org/multipage/server-sent-events.html), one after the
// other, up to the [DONE] that ends a stream of completions. Events need no
// parting: each is a JSON object.
type eventData struct {
	lines *bufio.Scanner
	rest  []byte
	done  bool // [DONE] was read
}

func newEventData(body io.Reader) *eventData {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxAnswerSize+1) // the body is not longer
	return &eventData{lines: lines}
}

// Read implements io.Reader.
func (e *eventData) Read(into []byte) (int, error) {
	for len(e.rest) == 0 {
		if e.done || !e.lines.Scan() {
			return 0, e.end()
		}
		data, found := bytes.CutPrefix(e.lines.Bytes(), []byte(dataField))
		if e.done = found && string(bytes.TrimSpace(data)) == "[DONE]"; found && !e.done {
			e.rest = data
		}
	}
	n := copy(into, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func (e *eventData) end() error {
	if err := e.lines.Err(); err != nil {
		return err
	}
	return io.EOF
}

// maxLinger bounds the wait for a connection to come free.
const maxLinger = time.Second

// linger reads on to the end of a body behind its answer, without which the
// connection could not be used again. A server that keeps it open is cut off.
func linger(body io.Reader, cut func()) {
	defer time.AfterFunc(maxLinger, cut).Stop()
	_, _ = io.Copy(io.Discard, body)
}
