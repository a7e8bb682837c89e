package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	// heartbeatEvery keeps proxies from closing a stream on which nothing
	// happens, and finds out readers that are gone.
	heartbeatEvery = 15 * time.Second
	// writeLimit is how long a reader may take nothing before it is dropped;
	// it comes back with its Last-Event-ID and misses nothing.
	writeLimit = 10 * time.Second
	// enough is how many bytes are gathered before they are sent: a reader that
	// takes nothing costs no more than this and one frame.
	enough = 64 << 10
	// outageGap is how long a stream waits before it looks again while the
	// database is away.
	outageGap = time.Second
)

// sse writes server-sent events (HTML Living Standard, 9.2). Frames are
// gathered until flush.
type sse struct {
	out        http.ResponseWriter
	controller *http.ResponseController
	buffer     bytes.Buffer
}

// stream answers with what follow writes, until it returns, the client goes,
// its credentials are revoked or the process stops.
func (s *Server) stream(follow func(ctx context.Context, w *sse) error) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		c := humaginContext(hctx)
		header := c.Writer.Header()
		header.Set("Content-Type", "text/event-stream")
		header.Set("Cache-Control", "no-cache, no-transform")
		header.Set("X-Accel-Buffering", "no")
		c.Writer.WriteHeader(http.StatusOK)
		ctx, cancel := context.WithCancelCause(c.Request.Context())
		defer cancel(nil)
		defer waits(ctx)()
		defer s.Meter.StreamOpened()()
		defer s.warden.watch(requestFrom(ctx).identity, cancel)()
		w := &sse{out: c.Writer, controller: http.NewResponseController(c.Writer)}
		w.buffer.WriteString("retry: 3000\n\n")
		if err := follow(ctx, w); err != nil && ctx.Err() == nil {
			s.Logger.DebugContext(ctx, "a stream was dropped", "error", err)
		}
	}}
}

// event adds a frame. id is "" for events that can't be resumed from.
func (w *sse) event(id, name string, data any) error {
	if id != "" {
		fmt.Fprintf(&w.buffer, "id: %s\n", id)
	}
	fmt.Fprintf(&w.buffer, "event: %s\ndata: ", name)
	if err := json.NewEncoder(&w.buffer).Encode(data); err != nil { // and the line's end
		return fmt.Errorf("encoding a %s: %w", name, err)
	}
	w.buffer.WriteByte('\n')
	return nil
}

// full reports whether it is time for a flush.
func (w *sse) full() bool { return w.buffer.Len() >= enough }

func (w *sse) heartbeat() error {
	w.buffer.WriteString(": heartbeat\n\n")
	return w.flush()
}

// flush sends what was gathered, or fails if the reader does not take it.
func (w *sse) flush() error {
	if w.buffer.Len() == 0 {
		return nil
	}
	if err := w.controller.SetWriteDeadline(time.Now().Add(writeLimit)); err != nil {
		return fmt.Errorf("setting a deadline: %w", err)
	}
	if _, err := w.out.Write(w.buffer.Bytes()); err != nil {
		return fmt.Errorf("writing to a stream: %w", err)
	}
	w.buffer = bytes.Buffer{} // most streams wait for long: their last frames' memory is worth more elsewhere
	if err := w.controller.Flush(); err != nil {
		return fmt.Errorf("writing to a stream: %w", err)
	}
	return nil
}
