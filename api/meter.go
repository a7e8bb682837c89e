package api

import (
	"context"
	"time"

	"fanfare"
)

// Meter hears what the API does, for operators to count. Its methods never
// block, and nothing that they are told is of a user's making.
type Meter interface {
	// Request hears of each answer. The route is a pattern, "" where there is
	// none; took leaves out what the client wished to wait for: Prefer: wait,
	// and streams.
	Request(route, method string, status int, took time.Duration)
	// RateLimited hears of each refusal, by the name of the limit.
	RateLimited(limit string)
	// InputRefused hears of each text that tried to steer the model.
	InputRefused()
	StreamOpened() (closed func())
	// JobDone hears of each job that a request has ended: a waiting one that was
	// canceled.
	JobDone(job fanfare.Job)
}

// unmetered is where nobody counts.
type unmetered struct{}

func (unmetered) Request(string, string, int, time.Duration) {}
func (unmetered) RateLimited(string)                         {}
func (unmetered) InputRefused()                              {}
func (unmetered) StreamOpened() func()                       { return func() {} }
func (unmetered) JobDone(fanfare.Job)                        {}

// LimitNames are the names of all limits that there are.
func LimitNames() []string { return []string{"api", "poll", "ai", "auth-address", "auth-email"} }

// tellCanceled tells of canceled jobs, after the commit.
func (s *Server) tellCanceled(ctx context.Context, canceled []fanfare.Job) {
	s.Hub.Publish(ctx, canceled...)
	for _, job := range canceled {
		if job.Status.Done() {
			s.Meter.JobDone(job)
		}
	}
}

// waits leaves what happens until its result is called out of the time that
// a request takes.
func waits(ctx context.Context) (over func()) {
	r, began := requestFrom(ctx), time.Now()
	return func() { r.waited += time.Since(began) }
}
