package fanfare

import "context"

// Brief is what a user asked for, cleaned, with what the model needs to know
// beside it.
type Brief struct {
	Text    string `json:"text"`
	History []Turn `json:"history,omitempty"` // oldest first
	Voice   *Voice `json:"voice,omitempty"`
}

// Writer reads briefs and writes content. Its answers have been checked: what
// broke a rule was asked for again, and is never cut to fit or made up.
//
// The usage that a method returns counts, whether it succeeds or not. Errors
// are *Error with one of the ai_ codes.
type Writer interface {
	// ReadBrief tells what the brief wants. The intent names at least one channel.
	ReadBrief(ctx context.Context, brief Brief) (Intent, Usage, error)
	// WriteContent writes the content of one channel.
	WriteContent(ctx context.Context, channel Channel, brief Brief, intent Intent) (ChannelContent, Usage, error)
}
