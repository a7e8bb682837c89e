package fanfare

import "time"

// Page asks for part of a list that is sorted newest first.
type Page struct {
	Limit  int
	Before *Position // nil for the first page
}

// Position is where in a list a page ended.
type Position struct {
	CreatedAt time.Time
	ID        string
}

// JobFilter narrows a list of jobs; what is empty does not.
type JobFilter struct {
	Status     JobStatus
	Kind       string
	CampaignID string
}
