package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"fanfare"
)

// frame is a server-sent event, and when it was read. Its raw data is good
// until the next one is read.
type frame struct {
	id, event string
	raw       []byte
	at        time.Time
}

// streamed is what the bench looks at in an event.
type streamed struct {
	Sequence int64
	JobID    string
	Text     string
	Partial  map[fanfare.Channel]map[string]string
	Job      struct{ Done bool }
}

func (f frame) decode() (streamed, error) {
	var s streamed
	if err := json.Unmarshal(f.raw, &s); err != nil {
		return s, fmt.Errorf("reading a %s: %w", f.event, err)
	}
	return s, nil
}

// client reads streams, each on a connection of its own.
type client struct {
	base string
	http *http.Client
}

func newClient(base string) *client {
	transport := &http.Transport{
		DialContext:        (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		ReadBufferSize:     4 << 10,
		WriteBufferSize:    1 << 10,
		DisableCompression: true,
	}
	return &client{base: base, http: &http.Client{Transport: transport}}
}

// follow reads a stream until it ends, ctx is done or handle returns false.
func (c *client) follow(ctx context.Context, path, key, lastID string, handle func(frame) bool) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	if lastID != "" {
		request.Header.Set("Last-Event-ID", lastID)
	}
	response, err := c.http.Do(request)
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
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(name) {
		case "id":
			f.id = string(value)
		case "event":
			f.event = string(value)
		case "data":
			f.raw, f.at = append(f.raw, value...), time.Now()
		case "": // the frame is whole; one that was cut off has no such line
			if f.event != "" && !handle(f) {
				return response.StatusCode, nil
			}
			f = frame{raw: f.raw[:0]}
		}
	}
	return response.StatusCode, lines.Err()
}

// submit sends a brief and returns the job's id.
func (c *client) submit(ctx context.Context, key, brief string) (string, error) {
	body := strings.NewReader(fmt.Sprintf(`{"prompt": %q, "channels": ["sms"]}`, brief))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/api/campaign", body)
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("a brief was refused: %s", response.Status)
	}
	var accepted struct{ Job struct{ ID string } }
	return accepted.Job.ID, json.NewDecoder(response.Body).Decode(&accepted)
}
