package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"fanfare"
)

// A stream that breaks is resumed, so many times, after a pause.
const (
	streamTries = 10
	streamGap   = time.Second
)

// demoJob is what the demo shows of a job.
type demoJob struct {
	ID       string
	Kind     string
	Status   string
	Done     bool
	Attempt  int
	Progress fanfare.Progress
	Usage    fanfare.Usage
	Result   json.RawMessage
	Error    *fanfare.JobError
}

// demoEvent is any event of a job's stream.
type demoEvent struct {
	Type    string
	Job     *demoJob                              // of all but job.delta
	Partial map[fanfare.Channel]map[string]string // of job.snapshot
	Channel fanfare.Channel                       // of job.delta, as what follows
	Field   string
	Text    string
}

// run submits a job, shows it while it runs, and reads its result into out.
func (t *tour) run(ctx context.Context, path string, in, out any) (demoJob, error) {
	var submitted struct{ Job demoJob }
	if err := t.api.do(ctx, http.MethodPost, path, in, &submitted); err != nil {
		return demoJob{}, err
	}
	t.say("Accepted: job %s. It is in PostgreSQL; asynq carries it to a worker.", submitted.Job.ID)
	job, err := t.watch(ctx, submitted.Job)
	if err != nil {
		return job, err
	}
	if job.Error != nil {
		return job, fmt.Errorf("the job ended %s: %s (%s)", job.Status, job.Error.Message, job.Error.Code)
	}
	if err := json.Unmarshal(job.Result, out); err != nil {
		return job, fmt.Errorf("reading a job's result: %w", err)
	}
	return job, nil
}

// watch shows the job's stream until it is over: the words as they come, in a
// terminal; its steps line by line elsewhere.
func (t *tour) watch(ctx context.Context, job demoJob) (demoJob, error) {
	var view view = &lines{out: t.Out}
	if width, height, ok := terminal(t.Out); ok {
		view = newScreen(t.Out, width, height)
	}
	defer view.close()
	after := ""
	for try := 0; !job.Done; try++ {
		if try > 0 {
			select {
			case <-ctx.Done():
				return job, ctx.Err()
			case <-time.After(streamGap):
			}
		}
		err := t.api.stream(ctx, "/api/jobs/"+job.ID+"/events", after, func(id string, event demoEvent) {
			if id != "" {
				after = id
			}
			if event.Job != nil {
				job = *event.Job
			}
			view.show(event)
		})
		if err != nil && (ctx.Err() != nil || try == streamTries) {
			return job, err
		}
	}
	return job, nil
}
