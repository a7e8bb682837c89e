package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"
)

const callLimit = 30 * time.Second

// client calls the API as any program would: with a key, or with the cookie of
// a session once it has signed in.
type client struct {
	base, key string
	http      http.Client
}

func newClient(base, key string) *client {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &client{base: base, key: key, http: http.Client{Jar: jar}}
}

// apiError is an answer that was not a success.
type apiError struct {
	Status  int
	Message string `json:"error"`
	Code    string `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

// csvFile is sent as it is.
type csvFile string

// do sends in as JSON, unless it is nil or a csvFile, and decodes the answer into out.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callLimit)
	defer cancel()
	response, err := c.call(ctx, method, path, nil, in)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	return nil
}

// call returns the answer of a success, whose body is the caller's to close.
func (c *client) call(ctx context.Context, method, path string, header http.Header, in any) (*http.Response, error) {
	body, kind, err := encode(in)
	if err != nil {
		return nil, fmt.Errorf("encoding a request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	if header != nil {
		request.Header = header
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("calling the API: %w", err)
	}
	if response.StatusCode < http.StatusBadRequest {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	e := &apiError{Status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(e); err != nil || e.Message == "" {
		e.Message = "the API answered " + response.Status
	}
	return nil, e
}

// encode makes a body of in, and names its kind; none of nil.
func encode(in any) (body io.Reader, kind string, err error) {
	switch in := in.(type) {
	case nil:
		return nil, "", nil
	case csvFile:
		return strings.NewReader(string(in)), "text/csv", nil
	default:
		text, err := json.Marshal(in)
		return bytes.NewReader(text), "application/json", err
	}
}

// stream reads server-sent events until the server ends them. It goes on after
// the event with the id given, "" for the beginning.
func (c *client) stream(ctx context.Context, path, after string, handle func(id string, event demoEvent)) error {
	header := http.Header{}
	if after != "" {
		header.Set("Last-Event-ID", after)
	}
	response, err := c.call(ctx, http.MethodGet, path, header, nil)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, maxFrame)
	id := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "data":
			var event demoEvent
			if err := json.Unmarshal([]byte(value), &event); err != nil {
				return fmt.Errorf("reading an event: %w", err)
			}
			handle(id, event)
			id = ""
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading a stream: %w", err)
	}
	return nil
}

const maxFrame = 4 << 20
