// Package events tells every process at once that something about a job was
// committed, and shows the texts that models are writing. What it carries may
// be lost, with Redis or on the way: hints point to the database, which
// listeners are made to look at again by a poll, and lost texts show as a gap.
package events

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
)

const (
	hintChannel = "fanfare:events"
	textChannel = "fanfare:texts"
	// publishLimit keeps a Redis that hangs from holding up work: the change
	// is committed, and a lost hint costs a listener a moment.
	publishLimit = 500 * time.Millisecond
	// pollEvery bounds what a lost hint costs.
	pollEvery = time.Second
	// textBuffer is how many deltas a slow listener may lag behind: half a
	// second of four texts. More are dropped, which it sees as a gap. Each
	// listener has room for all of them from the start (80 bytes a delta).
	textBuffer = 64
)

// Versions tells how far jobs and users are, by id, in one look at the
// database: a version changes with each event, and a job's is the sequence of
// its last one. Ids that are gone are left out.
type Versions func(ctx context.Context, jobIDs, userIDs []string) (map[string]string, error)

// Hub passes hints and texts on: to all processes through Redis, and within
// this one to whoever listens. One subscription serves all listeners.
type Hub struct {
	rdb    redis.UniversalClient
	logger *slog.Logger

	mu    sync.Mutex
	jobs  topics
	users topics
}

// topics are listeners by the id of what they listen to.
type topics map[string]*topic

type topic struct {
	version   string // as the poll saw it last, or a hint told
	listeners map[*listener]struct{}
}

type listener struct {
	signal chan struct{}
	texts  chan fanfare.TextDelta
}

// NewHub returns a hub that publishes. To hear anything, its Run must run.
func NewHub(rdb redis.UniversalClient, logger *slog.Logger) *Hub {
	return &Hub{rdb: rdb, logger: logger, jobs: topics{}, users: topics{}}
}

// hint says how far its job was, so that the poll need not signal again what a
// hint has brought: that would have each listener of a busy job read its events
// twice, and all of them at the same moment.
type hint struct {
	fanfare.Hint
	Sequence int64 `json:"sequence"`
}

// Publish tells everyone about jobs that were just committed.
func (h *Hub) Publish(ctx context.Context, jobs ...fanfare.Job) {
	if len(jobs) == 0 {
		return
	}
	hints := make([]hint, len(jobs))
	for i, job := range jobs {
		hints[i] = hint{fanfare.Hint{JobID: job.ID, UserID: job.UserID}, job.Sequence}
	}
	message, err := json.Marshal(hints)
	if err != nil {
		h.logger.ErrorContext(ctx, "encoding hints", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
	defer cancel()
	if err := h.rdb.Publish(ctx, hintChannel, message).Err(); err != nil {
		h.logger.DebugContext(ctx, "publishing hints", "error", err)
	}
}

// Listen returns a channel that gets a signal after each change of a job, and
// a function that ends it. Signals that nobody has taken yet are folded to one.
func (h *Hub) Listen(jobID string) (signal <-chan struct{}, stop func()) {
	l := &listener{signal: make(chan struct{}, 1)}
	return l.signal, h.listen(h.jobs, jobID, l)
}

// Watch is Listen with the job's texts as they are written.
func (h *Hub) Watch(jobID string) (signal <-chan struct{}, texts <-chan fanfare.TextDelta, stop func()) {
	l := &listener{signal: make(chan struct{}, 1), texts: make(chan fanfare.TextDelta, textBuffer)}
	return l.signal, l.texts, h.listen(h.jobs, jobID, l)
}

// ListenUser hears of changes of any of a user's jobs.
func (h *Hub) ListenUser(userID string) (signal <-chan struct{}, stop func()) {
	l := &listener{signal: make(chan struct{}, 1)}
	return l.signal, h.listen(h.users, userID, l)
}

func (h *Hub) listen(in topics, id string, l *listener) (stop func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if in[id] == nil {
		in[id] = &topic{listeners: map[*listener]struct{}{}}
	}
	in[id].listeners[l] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if t := in[id]; t != nil {
			delete(t.listeners, l)
			if len(t.listeners) == 0 {
				delete(in, id)
			}
		}
	}
}

// Run hears hints and texts until ctx is done. The subscription connects again
// by itself when Redis was away.
func (h *Hub) Run(ctx context.Context) {
	subscription := h.rdb.Subscribe(ctx, hintChannel, textChannel)
	defer func() { _ = subscription.Close() }()
	messages := subscription.Channel(redis.WithChannelSize(1000))
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-messages:
			h.hear(ctx, message)
		}
	}
}

func (h *Hub) hear(ctx context.Context, message *redis.Message) {
	var err error
	switch message.Channel {
	case hintChannel:
		var hints []hint
		if err = json.Unmarshal([]byte(message.Payload), &hints); err == nil {
			h.hint(hints)
		}
	case textChannel:
		var delta fanfare.TextDelta
		if err = json.Unmarshal([]byte(message.Payload), &delta); err == nil {
			h.text(delta)
		}
	}
	if err != nil {
		h.logger.WarnContext(ctx, "a message could not be read", "channel", message.Channel, "error", err)
	}
}

func (h *Hub) hint(hints []hint) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hint := range hints {
		if t := h.jobs[hint.JobID]; t != nil {
			t.version = strconv.FormatInt(hint.Sequence, 10)
			t.signal()
		}
		h.users[hint.UserID].signal()
	}
}

func (t *topic) signal() {
	if t == nil {
		return
	}
	for l := range t.listeners {
		select {
		case l.signal <- struct{}{}:
		default:
		}
	}
}

func (h *Hub) text(delta fanfare.TextDelta) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.jobs[delta.JobID]
	if t == nil {
		return
	}
	for l := range t.listeners {
		select {
		case l.texts <- delta:
		default:
		}
	}
}

// Poll looks at everything that is listened to, with one query a second until
// ctx is done, and signals where something has changed since it looked last: a
// hint may have been lost.
func (h *Hub) Poll(ctx context.Context, versions Versions) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		jobIDs, userIDs := h.listened()
		if len(jobIDs)+len(userIDs) == 0 {
			continue
		}
		found, err := versions(ctx, jobIDs, userIDs)
		if err != nil {
			h.logger.WarnContext(ctx, "polling for changes", "error", err)
			continue
		}
		h.compare(found)
	}
}

func (h *Hub) listened() (jobIDs, userIDs []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.jobs.ids(), h.users.ids()
}

func (t topics) ids() []string {
	ids := make([]string, 0, len(t))
	for id := range t {
		ids = append(ids, id)
	}
	return ids
}

func (h *Hub) compare(versions map[string]string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id, version := range versions {
		for _, t := range []*topic{h.jobs[id], h.users[id]} {
			if t != nil && t.version != version {
				t.version = version
				t.signal()
			}
		}
	}
}
