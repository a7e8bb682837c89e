package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"fanfare"
)

const (
	maxWait = 25 // seconds
	// lookEvery bounds what a lost signal costs somebody who waits.
	lookEvery = time.Second
	// carryLimit is how long an answer waits for a Redis that hangs.
	carryLimit = time.Second
)

// preferredWait reads "wait=N" from a Prefer header (RFC 7240); more than 25
// seconds is 25.
func preferredWait(prefer string) (time.Duration, bool) {
	for part := range strings.SplitSeq(prefer, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		value, _, _ = strings.Cut(value, ";")
		seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 64)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return 0, false
		}
		return time.Duration(min(seconds, maxWait)) * time.Second, true
	}
	return 0, false
}

// await returns the job as soon as it is over, and as it stands after wait.
func (s *Server) await(ctx context.Context, job fanfare.Job, wait time.Duration) (fanfare.Job, error) {
	defer waits(ctx)()
	signal, stop := s.Hub.Listen(job.ID)
	defer stop()
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	for {
		current, err := s.Store.Job(ctx, job.UserID, job.ID)
		if err != nil || current.Status.Done() {
			return current, err
		}
		select {
		case <-signal:
		case <-look.C:
		case <-deadline.C:
			return current, nil
		case <-s.draining:
			return current, nil
		case <-ctx.Done():
			return current, ctx.Err()
		}
	}
}

// submitOutput answers a POST that started a job: 202 and the job, or, for
// those who waited, 200 and what it ended with.
type submitOutput struct {
	Status            int
	Location          string `header:"Location" doc:"Where to poll the job"`
	RetryAfter        string `header:"Retry-After" doc:"Seconds between looks at it"`
	PreferenceApplied string `header:"Preference-Applied"`
	Body              any
}

// answerSubmission answers for what is accepted already, so it can't fail: what
// goes wrong while it waits for the job leaves the 202. asItStands makes the
// body for a job that is not over, or ended without a result.
func (s *Server) answerSubmission(ctx context.Context, answer created, prefer string, asItStands func(fanfare.Job) (any, error)) *submitOutput {
	out := &submitOutput{Status: answer.status, Location: answer.location, RetryAfter: s.pollPace(ctx), Body: answer.body}
	wait, asked := preferredWait(prefer)
	if !asked {
		return out
	}
	id := strings.TrimPrefix(answer.location, jobURL(""))
	job, err := s.await(ctx, fanfare.Job{ID: id, UserID: user(ctx).ID}, wait)
	if err == nil && job.Status == fanfare.JobSucceeded {
		out.Status, out.RetryAfter, out.PreferenceApplied = http.StatusOK, "", "wait"
		out.Body = job.Result
		return out
	}
	var body any
	if err == nil {
		body, err = asItStands(job)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "an accepted job could not be waited for", "jobId", id, "error", err)
		return out
	}
	out.PreferenceApplied, out.Body = "wait", body
	return out
}
