package worker

import (
	"time"

	"fanfare"
)

// Meter hears how jobs go, for operators to count. Its methods never block.
type Meter interface {
	// JobClaimed hears of each attempt's start.
	JobClaimed(job fanfare.Job)
	// AttemptEnded hears how long an attempt took whose outcome was written.
	AttemptEnded(kind string, took time.Duration)
	// AttemptFenced hears of an attempt that found its lease gone: what it had
	// not recorded is dropped.
	AttemptFenced(kind string)
	// JobDone hears of each job that this worker has ended.
	JobDone(job fanfare.Job)
}

// unmetered is where nobody counts.
type unmetered struct{}

func (unmetered) JobClaimed(fanfare.Job)             {}
func (unmetered) AttemptEnded(string, time.Duration) {}
func (unmetered) AttemptFenced(string)               {}
func (unmetered) JobDone(fanfare.Job)                {}
