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
	// WriteContent writes the content of one channel. The sink hears its text
	// while it is being written; what it hears has not been checked yet.
	WriteContent(ctx context.Context, channel Channel, brief Brief, intent Intent, sink TextSink) (ChannelContent, Usage, error)
}

// TextSink hears the texts of a job as they are written. It never blocks for
// long and never fails: who only watches must not hold up who works. Its
// methods may be called from several goroutines, for different channels.
type TextSink interface {
	// Restart says that the channel's texts are written anew, from nothing.
	Restart(channel Channel)
	// Append adds readable text, without markup, to a field such as "subject".
	Append(channel Channel, field, text string)
}
