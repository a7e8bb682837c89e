package fanfare

import "time"

// Outgoing is a message that goes out: to one recipient, or to a provider that knows the
// recipients.
type Outgoing struct {
	// ID is its delivery's: unique, and the same at every attempt, so that a
	// provider can recognise a message that it has seen before.
	ID        string
	Channel   Channel
	Recipient string // "" for a broadcast
	Content   Content
	// UnsubscribeURL is where one click takes the recipient off the list; ""
	// where a message needs none.
	UnsubscribeURL string
	Test           bool // asked for by its author, to see how it looks
	// Again says that its sending was begun before, so the provider may have taken
	// it: one that soon forgets what it took has to mind.
	Again bool
}

// OutgoingRequest is a request that a launch would make, as a person reads it.
type OutgoingRequest struct {
	Method  string            `json:"method" example:"POST" doc:"An HTTP method, or SMTP"`
	URL     string            `json:"url" doc:"Where it goes, without credentials"`
	Headers map[string]string `json:"headers,omitempty" doc:"Without credentials"`
	Body    string            `json:"body"`
}

// Fate says what is known of a message that was not sent.
type Fate string

// The fates. Only of FateUnknown may the provider have taken the message.
const (
	// FateRefused: the provider will not take this message, now or later.
	FateRefused Fate = "refused"
	// FateDeferred: it did not take this message now, and may later.
	FateDeferred Fate = "deferred"
	// FateHalted: it takes no message at present: it can't be reached, or
	// says so.
	FateHalted Fate = "halted"
	// FateUnauthorized: it refuses the credentials, or can't be used with them
	// from here: no later attempt helps until they are changed.
	FateUnauthorized Fate = "unauthorized"
	// FateUnknown: the connection broke at a point where it may have taken it.
	FateUnknown Fate = "unknown"
)

// SendError says why a message was not sent, or is not known to be.
type SendError struct {
	Fate Fate
	// Reason is a sentence for a person. It may quote the provider, cleaned by
	// whoever made the error, and holds no credential.
	Reason     string
	RetryAfter time.Duration // when the provider wants to be asked again; 0 if it did not say
	Cause      error         // for the log
}

func (e *SendError) Error() string {
	if e.Cause == nil {
		return string(e.Fate) + ": " + e.Reason
	}
	return string(e.Fate) + ": " + e.Reason + ": " + e.Cause.Error()
}

func (e *SendError) Unwrap() error { return e.Cause }

// Answer is what a provider says about an earlier message.
type Answer struct {
	State      AnswerState
	ProviderID string // if it was taken
}

// AnswerState is what is known of an earlier message.
type AnswerState string

// What a provider can say. AnswerRepeat promises more than "not found": sending
// the message again can't make it arrive twice, even if somebody else is still
// at the first sending.
const (
	AnswerTaken   AnswerState = "taken"
	AnswerRepeat  AnswerState = "repeat"
	AnswerUnknown AnswerState = "unknown"
)
