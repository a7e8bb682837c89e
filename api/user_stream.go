package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

const (
	// snapshotJobs is how many unfinished jobs a snapshot lists at most.
	snapshotJobs = 1000
	// behindGap is how soon a stream looks again for events that a transaction
	// which still runs is holding back.
	behindGap = 50 * time.Millisecond
)

// StreamedJobs lists a user's unfinished jobs.
type StreamedJobs struct {
	Type string `json:"type" enum:"jobs.snapshot"`
	Jobs []Job  `json:"jobs" nullable:"false"`
}

type userEventsInput struct {
	LastEventID string `header:"Last-Event-ID" maxLength:"500" doc:"The id of the last event that was seen; what came after it is sent"`
	After       string `query:"after" maxLength:"500" doc:"The same, for clients that can't set the header"`
}

func (s *Server) userEvents(ctx context.Context, in *userEventsInput) (*huma.StreamResponse, error) {
	text := in.LastEventID
	if text == "" {
		text = in.After
	}
	var cursor *fanfare.Cursor
	if text != "" {
		decoded, ok := decodeStreamCursor(text)
		if !ok {
			return nil, fanfare.Invalid("Last-Event-ID", "is not one that we gave out. Connect again without it")
		}
		cursor = &decoded
	}
	userID := user(ctx).ID
	return s.stream(func(ctx context.Context, w *sse) error {
		signal, stop := s.Hub.ListenUser(userID)
		defer stop()
		f := &userFollower{s: s, w: w, userID: userID}
		if err := f.begin(ctx, cursor); err != nil {
			return err
		}
		return f.follow(ctx, signal)
	}), nil
}

// userFollower writes the stream of all of a user's jobs.
type userFollower struct {
	s      *Server
	w      *sse
	userID string
	cursor fanfare.Cursor
}

// begin writes the unfinished jobs, and goes on from the client's cursor. Where
// there is none, or it is of another database, the stream starts now.
func (f *userFollower) begin(ctx context.Context, resume *fanfare.Cursor) error {
	jobs, now, err := f.s.Store.Unfinished(ctx, f.userID, snapshotJobs)
	if err != nil {
		return err
	}
	f.cursor = now
	id := encodeStreamCursor(now)
	if resume != nil && resume.Origin == now.Origin {
		f.cursor, id = *resume, "" // the client keeps the id that it has
	}
	snapshot := StreamedJobs{Type: "jobs.snapshot", Jobs: make([]Job, len(jobs))}
	for i, job := range jobs {
		snapshot.Jobs[i] = ViewJob(job)
	}
	return f.w.event(id, "jobs.snapshot", snapshot)
}

func (f *userFollower) follow(ctx context.Context, signal <-chan struct{}) error {
	beat := time.NewTicker(heartbeatEvery)
	defer beat.Stop()
	look := true
	var again <-chan time.Time
	for {
		more := false
		if look {
			var behind bool
			var err error
			behind, more, err = f.events(ctx)
			again = nil
			switch {
			case ctx.Err() != nil:
				return nil
			case err != nil:
				f.s.Logger.WarnContext(ctx, "a stream could not read its events", "error", err)
				again = time.After(outageGap)
			case behind:
				again = time.After(behindGap)
			}
		}
		if err := f.w.flush(); err != nil {
			return err
		}
		if look = more; more {
			continue
		}
		select {
		case <-signal:
			look = true
		case <-again:
			look = true
		case <-beat.C:
			if err := f.w.heartbeat(); err != nil {
				return err
			}
		case <-f.s.draining:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// events writes what has settled since it was called last, until there is
// enough to flush. It reports whether there are events that have not settled, and
// whether there may be more that have.
func (f *userFollower) events(ctx context.Context) (behind, more bool, err error) {
	events, next, behind, err := f.s.Store.UserEvents(ctx, f.userID, f.cursor, eventsAtOnce)
	if err != nil {
		return false, false, err
	}
	for i, event := range events {
		if err := f.w.event(encodeStreamCursor(next[i]), string(event.Type), streamed(event)); err != nil {
			return false, false, err
		}
		f.cursor = next[i]
		if f.w.full() {
			return behind, true, nil
		}
	}
	return behind, len(events) == eventsAtOnce, nil
}

// streamCursor is a cursor as an id: opaque to clients, who give it back.
type streamCursor struct {
	Origin   string `json:"o"`
	Position string `json:"p"`
	JobID    string `json:"j"`
	Sequence int64  `json:"s"`
}

func encodeStreamCursor(c fanfare.Cursor) string {
	raw, _ := json.Marshal(streamCursor(c)) // strings and a number always encode
	return base64.RawURLEncoding.EncodeToString(raw)
}

func decodeStreamCursor(text string) (fanfare.Cursor, bool) {
	var c streamCursor
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(raw, &c) != nil {
		return fanfare.Cursor{}, false
	}
	return fanfare.Cursor(c), isNumber(c.Position) && (c.JobID == "" || isID(c.JobID))
}

// isNumber tells the number of a transaction, which PostgreSQL takes as xid8.
func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 64)
	return err == nil
}
