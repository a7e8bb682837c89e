package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// frame is one server-sent event.
type frame struct {
	id, event string
	data      struct {
		Type     string
		Sequence int64
		JobID    string
		Channel  string
		Field    string
		Text     string
		Partial  map[string]map[string]string
		Jobs     []struct{ ID string }
		Job      struct {
			Status string
			Done   bool
		}
	}
}

// follow reads a stream until it ends or handle returns false. The id is that
// of the last event seen before, "" for none.
func (c *cluster) follow(ctx context.Context, base, path, lastID string, handle func(frame) bool) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+c.key)
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, nil
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 4<<20)
	var f frame
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			f.id = value
		case "event":
			f.event = value
		case "data":
			if err := json.Unmarshal([]byte(value), &f.data); err != nil {
				return response.StatusCode, fmt.Errorf("reading an event: %w", err)
			}
			if !handle(f) {
				return response.StatusCode, nil
			}
			f = frame{}
		}
	}
	return response.StatusCode, lines.Err()
}

// wantSequence checks that the sequences are 1, 2, 3, … to the job's last event.
func (c *cluster) wantSequence(t testing.TB, who, jobID string, got []int64) {
	t.Helper()
	for i, sequence := range got {
		if sequence != int64(i+1) {
			t.Errorf("%s saw the events %v of a job: want 1, 2, 3, … each once", who, got)
			return
		}
	}
	if last := c.count(`SELECT sequence FROM jobs WHERE id = $1`, jobID); last != len(got) {
		t.Errorf("%s saw %d events of a job that has %d", who, len(got), last)
	}
}
