package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

type eventStore interface {
	Events(ctx context.Context, userID, jobID string, after int64, limit int) ([]fanfare.Event, error)
	Unfinished(ctx context.Context, userID string, limit int) ([]fanfare.Job, fanfare.Cursor, error)
	UserEvents(ctx context.Context, userID string, after fanfare.Cursor, limit int) (events []fanfare.Event, next []fanfare.Cursor, behind bool, err error)
}

// Texts reads what models have written so far.
type Texts interface {
	Partial(ctx context.Context, jobID string) (fanfare.PartialTexts, error)
}

// eventsAtOnce is how many events are read at a time: what a slow reader makes
// us keep.
const eventsAtOnce = 50

// StreamedEvent is a durable event of a job, with the job as it stood then.
type StreamedEvent struct {
	Type     string `json:"type" enum:"job.queued,job.started,job.progress,job.retrying,job.succeeded,job.failed,job.canceled,job.expired"`
	Sequence int64  `json:"sequence" doc:"From 1, without gaps, per job"`
	JobID    string `json:"jobId" format:"uuid"`
	Job      Job    `json:"job"`
}

// StreamedSnapshot says how a job stands, with the texts written so far: the
// sum of all deltas up to now.
type StreamedSnapshot struct {
	Type    string                                `json:"type" enum:"job.snapshot"`
	JobID   string                                `json:"jobId" format:"uuid"`
	Job     Job                                   `json:"job"`
	Partial map[fanfare.Channel]map[string]string `json:"partial"`
}

// StreamedDelta is readable text to append to a field of a channel.
type StreamedDelta struct {
	Type    string          `json:"type" enum:"job.delta"`
	JobID   string          `json:"jobId" format:"uuid"`
	Channel fanfare.Channel `json:"channel"`
	Field   string          `json:"field"`
	Text    string          `json:"text"`
}

type jobEventsInput struct {
	IDInput
	LastEventID string `header:"Last-Event-ID" doc:"The sequence of the last event that was seen; what came after it is sent"`
	After       string `query:"after" doc:"The same, for clients that can't set the header"`
}

func (s *Server) jobEvents(ctx context.Context, in *jobEventsInput) (*huma.StreamResponse, error) {
	after, resumed, err := in.after()
	if err != nil {
		return nil, err
	}
	job, err := s.Store.Job(ctx, user(ctx).ID, in.ID)
	if err != nil {
		return nil, err
	}
	if after > job.Sequence && !job.Status.Done() {
		after = 0 // of a database that went back in time: everything is news
	}
	if resumed && job.Status.Done() && after >= job.Sequence {
		return &huma.StreamResponse{Body: func(ctx huma.Context) { ctx.SetStatus(http.StatusNoContent) }}, nil
	}
	return s.stream(func(ctx context.Context, w *sse) error {
		signal, texts, stop := s.Hub.Watch(job.ID)
		defer stop()
		f := &jobFollower{s: s, w: w, userID: job.UserID, jobID: job.ID, after: after}
		return f.follow(ctx, signal, texts)
	}), nil
}

// after is the sequence to go on from. A browser that connects again sends the
// header by itself, so that counts before the address.
func (in *jobEventsInput) after() (after int64, resumed bool, err error) {
	name, text := "Last-Event-ID", in.LastEventID
	if text == "" {
		name, text = "after", in.After
	}
	if text == "" {
		return 0, false, nil
	}
	after, err = strconv.ParseInt(text, 10, 64)
	if err != nil || after < 0 {
		return 0, false, fanfare.Invalid(name, "must be the number of an event of this job")
	}
	return after, true, nil
}

// jobFollower writes one job's stream.
type jobFollower struct {
	s             *Server
	w             *sse
	userID, jobID string
	after         int64 // the last event that was written
	heard         int64 // the last delta that was written or is in a snapshot
	live          bool  // the job was not over at the last snapshot
}

func (f *jobFollower) follow(ctx context.Context, signal <-chan struct{}, texts <-chan fanfare.TextDelta) error {
	if err := f.snapshot(ctx); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeatEvery)
	defer beat.Stop()
	look := true
	var again <-chan time.Time
	for {
		more := false
		if look {
			var over bool
			var err error
			over, more, err = f.events(ctx)
			if over || ctx.Err() != nil {
				return f.w.flush()
			}
			if again = nil; err != nil {
				f.s.Logger.WarnContext(ctx, "a stream could not read its events", "error", err)
				again = time.After(outageGap)
			}
		}
		if err := f.w.flush(); err != nil {
			return err
		}
		if look = more; more {
			continue
		}
		var err error
		select {
		case <-signal:
			look, err = true, f.texts(ctx, texts)
		case <-again:
			look = true
		case delta := <-texts:
			if err = f.text(ctx, delta); err == nil {
				err = f.texts(ctx, texts)
			}
		case <-beat.C:
			err = f.w.heartbeat()
		case <-f.s.draining:
			return nil
		case <-ctx.Done():
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// snapshot writes how the job stands now. Texts that can't be read are left
// out: the next delta will then show a gap.
func (f *jobFollower) snapshot(ctx context.Context) error {
	job, err := f.s.Store.Job(ctx, f.userID, f.jobID)
	if err != nil {
		return err
	}
	partial := fanfare.PartialTexts{Fields: map[fanfare.Channel]map[string]string{}}
	if f.live = !job.Status.Done(); f.live {
		if partial, err = f.s.Texts.Partial(ctx, f.jobID); err != nil {
			f.s.Logger.DebugContext(ctx, "a snapshot is without texts", "error", err)
		}
	}
	return f.show(job, partial)
}

func (f *jobFollower) show(job fanfare.Job, partial fanfare.PartialTexts) error {
	f.heard = partial.N
	return f.w.event("", "job.snapshot", StreamedSnapshot{
		Type: "job.snapshot", JobID: f.jobID, Job: ViewJob(job), Partial: partial.Fields,
	})
}

// lastWords shows those that the end of the job has overtaken: the table may
// tell of it before Redis has brought the last deltas.
func (f *jobFollower) lastWords(ctx context.Context, job fanfare.Job) error {
	if !f.live {
		return nil
	}
	partial, err := f.s.Texts.Partial(ctx, f.jobID)
	if err != nil || partial.N <= f.heard {
		return nil // the result has them too
	}
	return f.show(job, partial)
}

// events writes what has happened since it was called last, until there is
// enough to flush. It reports whether the job is over, and whether there may be
// more.
func (f *jobFollower) events(ctx context.Context) (over, more bool, err error) {
	events, err := f.s.Store.Events(ctx, f.userID, f.jobID, f.after, eventsAtOnce)
	if err != nil {
		return false, false, err
	}
	for _, event := range events {
		if event.Job.Status.Done() {
			if err := f.lastWords(ctx, event.Job); err != nil {
				return false, false, err
			}
		}
		if err := f.w.event(strconv.FormatInt(event.Sequence, 10), string(event.Type), streamed(event)); err != nil {
			return false, false, err
		}
		f.after = event.Sequence
		if event.Job.Status.Done() {
			return true, false, nil
		}
		if f.w.full() {
			return false, true, nil
		}
	}
	return false, len(events) == eventsAtOnce, nil
}

func streamed(event fanfare.Event) StreamedEvent {
	return StreamedEvent{
		Type: string(event.Type), Sequence: event.Sequence, JobID: event.JobID, Job: ViewJob(event.Job),
	}
}

// texts writes the deltas that have come, until there is enough to flush.
func (f *jobFollower) texts(ctx context.Context, texts <-chan fanfare.TextDelta) error {
	for !f.w.full() {
		select {
		case delta := <-texts:
			if err := f.text(ctx, delta); err != nil {
				return err
			}
		default:
			return nil
		}
	}
	return nil
}

// text writes a delta, or a new snapshot where it does not continue what was
// written before.
func (f *jobFollower) text(ctx context.Context, delta fanfare.TextDelta) error {
	switch {
	case delta.N <= f.heard && !delta.Restart:
		return nil
	case delta.N != f.heard+1 || delta.Restart:
		return f.snapshot(ctx)
	}
	f.heard = delta.N
	return f.w.event("", "job.delta", StreamedDelta{
		Type: "job.delta", JobID: delta.JobID, Channel: delta.Channel, Field: delta.Field, Text: delta.Text,
	})
}
