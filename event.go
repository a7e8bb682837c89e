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
	JobID    string `json:"job"`
	UserID   string `json:"user"`
	Sequence int64  `json:"seq"`
	Done     bool   `json:"done"`
}
