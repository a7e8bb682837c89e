package fanfare

import "time"

// EventType names what happened to a job.
type EventType string

// The durable events of a job. The last four end it: each job has exactly one.
const (
	EventQueued    EventType = "job.queued"
	EventStarted   EventType = "job.started"
	EventProgress  EventType = "job.progress"
	EventRetrying  EventType = "job.retrying"
	EventSucceeded EventType = "job.succeeded"
	EventFailed    EventType = "job.failed"
	EventCanceled  EventType = "job.canceled"
	EventExpired   EventType = "job.expired"
)

// Event is one durable step in a job's life, with the job as it stood then.
type Event struct {
	JobID     string
	Sequence  int64 // from 1, without gaps, per job
	Type      EventType
	Job       Job
	CreatedAt time.Time
}

// Hint tells listeners that something about a job was committed. It may be
// lost or come twice; what it points to is in the database.
type Hint struct {
	JobID  string `json:"job"`
	UserID string `json:"user"`
}

// TextDelta is readable text to append to what a model has written so far.
type TextDelta struct {
	JobID   string  `json:"job"`
	N       int64   `json:"n"` // counts the job's deltas; a gap means that some were missed
	Channel Channel `json:"channel"`
	Field   string  `json:"field"`
	Text    string  `json:"text"`
	Restart bool    `json:"restart"` // not an appendix: read the texts anew
}

// PartialTexts are a job's texts as far as they are written: the sum of the
// deltas up to N.
type PartialTexts struct {
	N      int64
	Fields map[Channel]map[string]string
}

// Cursor is a place in the stream of all of a user's events. A database that
// was restored elsewhere counts positions anew, so Origin names the one that
// the cursor is good for.
type Cursor struct {
	Origin   string
	Position string // of a transaction
	JobID    string
	Sequence int64
}
