package fanfare

import "time"

// Backlog is what waits to be done over all processes, at one moment. Large
// counts are cut off: Store.Backlog says where.
type Backlog struct {
	Queues []QueueBacklog // those on which a job waits or runs
	// RelayLag is how long the relay has owed a look to the job that waits
	// longest for it; 0 if it owes none.
	RelayLag time.Duration
	// Unsealed counts audit records that have no seal yet, and UnsealedAge is
	// how old the first of them is.
	Unsealed    int
	UnsealedAge time.Duration
	// Overdue counts schedules whose time has come and that nothing has
	// launched yet, and OverdueBy is by how much the first of them is late.
	Overdue   int
	OverdueBy time.Duration
	Workers   int // heard of within the last half minute
}

// QueueBacklog is what one queue holds.
type QueueBacklog struct {
	Queue   string        `json:"queue"`
	Waiting int           `json:"waiting"` // scheduled, queued or retrying
	Running int           `json:"running"`
	Oldest  time.Duration `json:"oldest"` // for how long the first of those waiting could have run
}
