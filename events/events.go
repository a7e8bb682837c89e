// Package events tells every process at once that something about a job was
// committed. What it carries are hints: one may be lost, with Redis or on the
// way, so whoever waits for one also looks at the database now and then.
package events

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
)

const (
	channel = "fanfare:events"
	// publishLimit keeps a Redis that hangs from holding up work: the change
	// is committed, and a lost hint costs a listener a moment.
	publishLimit = 500 * time.Millisecond
)

// Hub passes hints on: to all processes through one Redis channel, and within
// this one to whoever listens. One subscription serves all listeners.
type Hub struct {
	rdb    redis.UniversalClient
	logger *slog.Logger

	mu        sync.Mutex
	listeners map[string]map[*listener]struct{} // by job id
}

type listener struct{ signal chan struct{} }

// NewHub returns a hub that publishes. To hear anything, its Run must run.
func NewHub(rdb redis.UniversalClient, logger *slog.Logger) *Hub {
	return &Hub{rdb: rdb, logger: logger, listeners: map[string]map[*listener]struct{}{}}
}

// Publish tells everyone about jobs that were just committed.
func (h *Hub) Publish(ctx context.Context, jobs ...fanfare.Job) {
	if len(jobs) == 0 {
		return
	}
	hints := make([]fanfare.Hint, len(jobs))
	for i, job := range jobs {
		hints[i] = fanfare.Hint{JobID: job.ID, UserID: job.UserID, Sequence: job.Sequence, Done: job.Status.Done()}
	}
	message, err := json.Marshal(hints)
	if err != nil {
		h.logger.ErrorContext(ctx, "encoding hints", "error", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), publishLimit)
	defer cancel()
	if err := h.rdb.Publish(ctx, channel, message).Err(); err != nil {
		h.logger.DebugContext(ctx, "publishing hints", "error", err)
	}
}

// Listen returns a channel that gets a signal after each hint about a job, and
// a function that ends it. Signals that nobody has taken yet are folded to one.
func (h *Hub) Listen(jobID string) (<-chan struct{}, func()) {
	l := &listener{signal: make(chan struct{}, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.listeners[jobID] == nil {
		h.listeners[jobID] = map[*listener]struct{}{}
	}
	h.listeners[jobID][l] = struct{}{}
	return l.signal, func() { h.forget(jobID, l) }
}

func (h *Hub) forget(jobID string, l *listener) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.listeners[jobID], l)
	if len(h.listeners[jobID]) == 0 {
		delete(h.listeners, jobID)
	}
}

// Run hears hints until ctx is done. The subscription connects again by itself
// when Redis was away.
func (h *Hub) Run(ctx context.Context) {
	subscription := h.rdb.Subscribe(ctx, channel)
	defer func() { _ = subscription.Close() }()
	messages := subscription.Channel(redis.WithChannelSize(1000))
	for {
		select {
		case <-ctx.Done():
			return
		case message := <-messages:
			h.hear(ctx, message.Payload)
		}
	}
}

func (h *Hub) hear(ctx context.Context, message string) {
	var hints []fanfare.Hint
	if err := json.Unmarshal([]byte(message), &hints); err != nil {
		h.logger.WarnContext(ctx, "a hint could not be read", "error", err)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, hint := range hints {
		for l := range h.listeners[hint.JobID] {
			select {
			case l.signal <- struct{}{}:
			default:
			}
		}
	}
}
