package ai

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fanfare"
)

const testKey = "sk-canary-0123456789"

// server is a model's server on loopback that answers from a list, the last
// one again and again, and keeps what it was asked.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	replies []http.HandlerFunc
	asked   []chatRequest
}

type chatRequest struct {
	Model               string
	MaxCompletionTokens int `json:"max_completion_tokens"`
	Messages            []chatMessage
	Stream              bool
	StreamOptions       *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	ResponseFormat struct {
		Type       string
		JSONSchema struct {
			Name   string
			Strict bool
			Schema json.RawMessage
		} `json:"json_schema"`
	} `json:"response_format"`
}

type chatMessage struct{ Role, Content string }

func newServer(t *testing.T, replies ...http.HandlerFunc) *server {
	t.Helper()
	s := &server{replies: replies}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q chatRequest
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	if err != nil || r.URL.Path != "/v1/chat/completions" || r.Header.Get("Authorization") != "Bearer "+testKey {
		http.Error(w, fmt.Sprintf("a wrong request to %s: %v", r.URL.Path, err), http.StatusTeapot)
		return
	}
	s.mu.Lock()
	reply := s.replies[min(len(s.asked), len(s.replies)-1)]
	s.asked = append(s.asked, q)
	s.mu.Unlock()
	reply(w, r)
}

func (s *server) requests() []chatRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]chatRequest(nil), s.asked...)
}

func (s *server) writer() *Writer {
	return New(Config{APIKey: testKey, BaseURL: s.URL + "/v1", Model: "test-model", Timeout: 10 * time.Second})
}

// says answers with a text that took 10 tokens in and 5 out.
func says(text string) http.HandlerFunc { return choice(text, "", "stop") }

func choice(text, refusal, finish string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		message := map[string]any{"role": "assistant", "content": text}
		if refusal != "" {
			message["refusal"] = refusal
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": finish}},
			"usage":   map[string]any{"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
		})
	}
}

// fails answers with a status and an error as OpenAI words it, with our key in it.
func fails(status int, code, message string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"message": message + " " + testKey, "type": "invalid_request_error", "code": code,
		}})
	}
}

const goodSMS = `{"text":"Vegan sneakers, 20% off until Sunday."}`

var sneakers = fanfare.Brief{Text: "Sell vegan sneakers"}

func body(words int) string {
	return "<p>" + strings.TrimSpace(strings.Repeat("word ", words)) + "</p>"
}

func email(subject, preview, body string) string {
	text, _ := json.Marshal(map[string]string{"subject": subject, "preview": preview, "body": body})
	return string(text)
}
