// Package demomodel is a stand-in for a language model: an OpenAI-compatible
// server that needs no key and no network. It reads the brief by simple rules
// and fills it into texts that hold every channel's limits. The same request
// always gets the same answer.
//
// It is for demonstrations and development only, and calls itself "demo".
package demomodel

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Name is the model's name in what it answers.
const Name = "demo"

const maxRequest = 4 << 20

// wordsAtOnce is how many words a piece of a stream has.
const wordsAtOnce = 3

// Option changes the stand-in.
type Option func(*model)

// Pace has it pause before each piece of a stream, a few words, so that people
// see it write. Without, it is as fast as it can.
func Pace(pause time.Duration) Option { return func(m *model) { m.pause = pause } }

type model struct{ pause time.Duration }

// New returns the server: POST /v1/chat/completions, also with stream: true,
// and GET /v1/models.
func New(options ...Option) http.Handler {
	m := &model{}
	for _, option := range options {
		option(m)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", m.complete)
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{
			"object": "list",
			"data":   []any{map[string]any{"id": Name, "object": "model", "owned_by": "fanfare"}},
		})
	})
	return mux
}

// request is the part of a chat completion request that the stand-in reads.
type request struct {
	Messages       []message `json:"messages"`
	Stream         bool      `json:"stream"`
	ResponseFormat struct {
		JSONSchema struct {
			Name string `json:"name"`
		} `json:"json_schema"`
	} `json:"response_format"`
	StreamOptions struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

// usage counts words, as the stand-in has no tokens.
type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

func (m *model) complete(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&q); err != nil {
		refuse(w, "The request is no JSON of a chat completion.")
		return
	}
	answer, known := write(q.ResponseFormat.JSONSchema.Name, briefOf(q.Messages))
	if !known {
		refuse(w, "The demo model only knows the answers that Fanfare asks for, by the name of their json_schema.")
		return
	}
	text := encode(answer)
	spent := count(q.Messages, text)
	if q.Stream {
		m.stream(w, r, text, spent, q.StreamOptions.IncludeUsage)
		return
	}
	writeJSON(w, http.StatusOK, envelope("chat.completion", map[string]any{
		"index": 0, "message": message{"assistant", text}, "finish_reason": "stop",
	}, spent))
}

// briefOf is the last thing that a user said.
func briefOf(messages []message) string {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == "user" {
			return messages[i].Content
		}
	}
	return ""
}

func count(messages []message, answer string) usage {
	u := usage{CompletionTokens: len(strings.Fields(answer))}
	for _, m := range messages {
		u.PromptTokens += len(strings.Fields(m.Content))
	}
	u.TotalTokens = u.PromptTokens + u.CompletionTokens
	return u
}

// stream sends the answer in pieces as server-sent events, in the form of
// OpenAI's chat.completion.chunk, until nobody reads it any more.
func (m *model) stream(w http.ResponseWriter, r *http.Request, text string, spent usage, includeUsage bool) {
	w.Header().Set("Content-Type", "text/event-stream")
	send := func(choice any, spent any) {
		fmt.Fprintf(w, "data: %s\n\n", encode(envelope("chat.completion.chunk", choice, spent)))
		_ = http.NewResponseController(w).Flush() // a writer that cannot flush sends it at the end
	}
	for words := range slices.Chunk(strings.SplitAfter(text, " "), wordsAtOnce) {
		if !wait(r.Context(), m.pause) {
			return
		}
		piece := strings.Join(words, "")
		send(map[string]any{"index": 0, "delta": message{"assistant", piece}, "finish_reason": nil}, nil)
	}
	send(map[string]any{"index": 0, "delta": struct{}{}, "finish_reason": "stop"}, nil)
	if includeUsage {
		send(nil, spent)
	}
	fmt.Fprint(w, "data: [DONE]\n\n")
}

// wait reports whether the whole pause went by.
func wait(ctx context.Context, pause time.Duration) bool {
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

func envelope(object string, choice, spent any) map[string]any {
	choices := []any{}
	if choice != nil {
		choices = append(choices, choice)
	}
	return map[string]any{"id": "chatcmpl-demo", "object": object, "created": 0, "model": Name, "choices": choices, "usage": spent}
}

func refuse(w http.ResponseWriter, sentence string) {
	writeJSON(w, http.StatusBadRequest, map[string]any{
		"error": map[string]any{"message": sentence, "type": "invalid_request_error", "code": nil, "param": nil},
	})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprint(w, encode(value))
}

// encode writes JSON in which < stays <, as models do.
func encode(value any) string {
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // maps, strings and numbers can always be encoded
	}
	return strings.TrimSpace(text.String())
}
