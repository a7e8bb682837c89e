package scheduler

import "fanfare"

// Meter hears what the scheduler had to do, for operators to count. Its methods
// never block.
type Meter interface {
	// JobDone hears of each job that the scheduler has ended.
	JobDone(job fanfare.Job)
	// LeaseLost hears of each attempt that was taken from a worker which did not
	// renew its lease.
	LeaseLost(kind string)
	// TaskRestored hears of each task that was not on its way and was enqueued
	// again.
	TaskRestored(queue string)
}

// unmetered is where nobody counts.
type unmetered struct{}

func (unmetered) JobDone(fanfare.Job) {}
func (unmetered) LeaseLost(string)    {}
func (unmetered) TaskRestored(string) {}

// metered is m, or one that does nothing for nil.
func metered(m Meter) Meter {
	if m == nil {
		return unmetered{}
	}
	return m
}
