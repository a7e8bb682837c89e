package api_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fanfare/internal/apitest"
)

// TestStalledBodiesHoldNothing: whoever sends the head of a request and not its
// body gets an answer all the same, whether the body would have been read or not.
func TestStalledBodiesHoldNothing(t *testing.T) {
	t.Parallel()
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	address := strings.TrimPrefix(a.URL, "http://")
	for name, c := range map[string]struct {
		line, headers string
		status        int
	}{
		"signed in nobody":   {"POST /api/campaign", "", http.StatusUnauthorized},
		"no such page":       {"POST /nope", "", http.StatusNotFound},
		"no such method":     {"PUT /api/campaign", "", http.StatusMethodNotAllowed},
		"compressed":         {"POST /api/auth/login", "Content-Encoding: gzip\r\n", http.StatusUnsupportedMediaType},
		"foreign":            {"POST /api/auth/login", "Origin: https://evil.example\r\n", http.StatusForbidden},
		"unsubscribing":      {"POST /unsubscribe/abc", "", http.StatusNotFound},
		"read":               {"POST /api/auth/login", "", http.StatusBadRequest},
		"somebody else's":    {"PUT /api/campaign/01a204f5-ed6d-77fe-bfbc-ed33a961c0ee/recipients", "Content-Type: text/csv\r\nAuthorization: " + ada.Header["Authorization"] + "\r\n", http.StatusNotFound},
		"with a body in GET": {"GET /api/keys", "", http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "%s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n%s\r\n{", c.line, c.headers)
			response, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatalf("no answer: %v", err)
			}
			_ = response.Body.Close()
			if response.StatusCode != c.status {
				t.Errorf("%s, want %d", response.Status, c.status)
			}
		})
	}
}

// TestStalledReadersHoldNothing: whoever asks for answers and reads none of them
// is let go. The limit itself is net/http's to keep; here is that it is set, for
// each answer anew.
func TestStalledReadersHoldNothing(t *testing.T) {
	t.Parallel()
	a := apitest.New(t)
	for _, path := range []string{"/api/openapi.json", "/api/health", "/nope", "/unsubscribe/abc"} {
		w := &limited{ResponseRecorder: httptest.NewRecorder()}
		begun := time.Now()
		a.API.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.until.Before(begun.Add(30*time.Second)) || w.until.After(time.Now().Add(time.Minute)) {
			t.Errorf("GET %s: the answer may be written until %s, %s from now", path, w.until, time.Until(w.until))
		}
	}
}

// limited keeps the deadline of its writes.
type limited struct {
	*httptest.ResponseRecorder
	until time.Time
}

// SetWriteDeadline is what http.ResponseController looks for.
func (l *limited) SetWriteDeadline(until time.Time) error {
	l.until = until
	return nil
}
