package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"fanfare/internal/demomodel"
)

const (
	// thinking is long enough for the client to open the job's stream.
	thinking = 300 * time.Millisecond
	// tokenGap is how fast the model writes.
	tokenGap     = 20 * time.Millisecond
	firstWordMax = 20 * time.Second
)

// model is the stand-in, as slow as a model, and says when it wrote the first
// word of a text.
type model struct {
	server *httptest.Server
	mu     sync.Mutex
	first  time.Time
}

func newModel() *model {
	m := &model{}
	answer := demomodel.New()
	m.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte(`"name":"intent"`)) {
			time.Sleep(thinking)
			w = &slowWriter{ResponseWriter: w, model: m}
		}
		answer.ServeHTTP(w, r)
	}))
	return m
}

func (m *model) url() string { return m.server.URL }
func (m *model) close()      { m.server.Close() }

func (m *model) wrote() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first.IsZero() {
		m.first = time.Now()
	}
}

// takeFirst returns when the first word was written, and forgets it.
func (m *model) takeFirst() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := m.first
	m.first = time.Time{}
	return first
}

// slowWriter gets a chunk of an answer with each Write.
type slowWriter struct {
	http.ResponseWriter
	model *model
	begun bool
}

func (w *slowWriter) Write(chunk []byte) (int, error) {
	if w.begun {
		time.Sleep(tokenGap)
	}
	w.begun = true
	w.model.wrote()
	return w.ResponseWriter.Write(chunk)
}

func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// firstWords sends briefs, one at a time, and returns how much later than the
// model wrote its first word a client had it.
func (b *streamBench) firstWords(ctx context.Context, briefs int) ([]time.Duration, error) {
	worker, err := startPart(ctx, "worker", b.env)
	if err != nil {
		return nil, err
	}
	defer worker.stop()
	owners, err := b.newOwners(ctx, 1, 0)
	if err != nil {
		return nil, err
	}
	latencies := make([]time.Duration, briefs)
	for i := range latencies {
		b.model.takeFirst()
		read, err := b.firstWord(ctx, owners[0].key, i)
		if err != nil {
			return nil, fmt.Errorf("brief %d: %w", i+1, err)
		}
		latencies[i] = read.Sub(b.model.takeFirst())
	}
	slices.Sort(latencies)
	return latencies, nil
}

// firstWord returns when a client read the first word of a text.
func (b *streamBench) firstWord(ctx context.Context, key string, n int) (at time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, firstWordMax)
	defer cancel()
	jobID, err := b.client.submit(ctx, key, fmt.Sprintf("Tell our customers about our summer sale number %d", n))
	if err != nil {
		return at, err
	}
	_, err = b.client.follow(ctx, "/api/jobs/"+jobID+"/events", key, "", func(f frame) bool {
		event, decodeErr := f.decode()
		if decodeErr == nil && at.IsZero() && (event.Text != "" || len(event.Partial) > 0) {
			at = f.at
		}
		return decodeErr == nil && !event.Job.Done // to the end: the next brief finds the worker idle
	})
	if err == nil && at.IsZero() {
		err = fmt.Errorf("job %s ended and no word of it was streamed", jobID)
	}
	return at, err
}
