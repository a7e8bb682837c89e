package fanfare

import (
	"encoding/json"
	"time"
)

// The roles of a message in a conversation.
const (
	MessageUser      = "user"
	MessageAssistant = "assistant"
)

// Message is one turn of a conversation. Only what our own model answered may
// be given to a model as its own words; Quoted marks turns that a client
// brought along, whatever role it gave them.
type Message struct {
	ID        string    `json:"id" format:"uuid"`
	Role      string    `json:"role" enum:"user,assistant"`
	Content   string    `json:"content"`
	CreatedAt time.Time `json:"createdAt"`
	Quoted    bool      `json:"-"`
}

// Turn is one turn of a history, as a model is given it.
type Turn struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	Quoted  bool   `json:"quoted,omitempty"`
}

// Reply is what a job adds to a conversation when it succeeds.
type Reply struct {
	ConversationID string
	Content        string
}

// Conversation is a thread of briefs and answers.
type Conversation struct {
	ID        string          `json:"id" format:"uuid"`
	Messages  []Message       `json:"messages" nullable:"false" doc:"The latest 200, oldest first"`
	Metadata  json.RawMessage `json:"metadata" doc:"An object"`
	CreatedAt time.Time       `json:"createdAt"`
	UpdatedAt time.Time       `json:"updatedAt"`
}
