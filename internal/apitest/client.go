package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Client calls the API as somebody.
type Client struct {
	app    *App
	UserID string            // "" for nobody
	Header map[string]string // sent with every request
}

// Anonymous is a client without credentials.
func (a *App) Anonymous() *Client { return &Client{app: a} }

// With returns a client that sends other headers too, each "Name: value".
func (c *Client) With(headers ...string) *Client {
	more := &Client{app: c.app, UserID: c.UserID, Header: map[string]string{}}
	for name, value := range c.Header {
		more.Header[name] = value
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		more.Header[name] = value
	}
	return more
}

// Do makes a request such as "POST /api/keys". A body that is a string is sent
// as it is, nil is none, and everything else as JSON.
func (c *Client) Do(t testing.TB, line string, body any) *Answer {
	t.Helper()
	method, path, _ := strings.Cut(line, " ")
	request, err := http.NewRequestWithContext(t.Context(), method, c.app.URL+path, reader(t, body))
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, value := range c.Header {
		request.Header.Set(name, value)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	answer := &Answer{line: line, Status: response.StatusCode, Header: response.Header, Body: string(raw)}
	hold(t, request, body, answer)
	return answer
}

func reader(t testing.TB, body any) io.Reader {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.NewReader(b)
	case io.Reader:
		return b
	}
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReader(string(raw))
}

// Answer is what the API answered.
type Answer struct {
	line   string
	Status int
	Header http.Header
	Body   string
}

// Want fails the test unless the answer has a status.
func (a *Answer) Want(t testing.TB, status int) *Answer {
	t.Helper()
	if a.Status != status {
		t.Fatalf("%s: %d %s, want %d", a.line, a.Status, a.Body, status)
	}
	return a
}

// WantError fails the test unless the answer is an error with a status and a
// code, in the one shape that errors have.
func (a *Answer) WantError(t testing.TB, status int, code string) *Answer {
	t.Helper()
	a.Want(t, status)
	if got := a.Text("code"); got != code {
		t.Errorf("%s: code %q in %s, want %q", a.line, got, a.Body, code)
	}
	if a.Text("error") == "" || a.Text("requestId") == "" || a.Text("requestId") != a.Header.Get("X-Request-Id") {
		t.Errorf("%s: %s (X-Request-Id %q) has not the shape of an error", a.line, a.Body, a.Header.Get("X-Request-Id"))
	}
	return a
}

// At returns a part of the body, such as "details.fields.0.message"; nil if it
// is not there.
func (a *Answer) At(path string) any {
	var at any
	if err := json.Unmarshal([]byte(a.Body), &at); err != nil {
		return nil
	}
	for name := range strings.SplitSeq(path, ".") {
		switch in := at.(type) {
		case map[string]any:
			at = in[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i >= len(in) {
				return nil
			}
			at = in[i]
		default:
			return nil
		}
	}
	return at
}

// Text returns a part of the body that is a string, "" for everything else.
func (a *Answer) Text(path string) string {
	text, _ := a.At(path).(string)
	return text
}

// Keys are the names in an object of the body; "" is the body itself.
func (a *Answer) Keys(path string) []string {
	at := a.At(path)
	if path == "" {
		_ = json.Unmarshal([]byte(a.Body), &at)
	}
	object, _ := at.(map[string]any)
	var keys []string
	for key := range object {
		keys = append(keys, key)
	}
	return keys
}
