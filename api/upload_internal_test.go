package api

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"fanfare"
)

// A client that says nothing more is given up, and one that never ends too.
func TestAnUploadThatStalls(t *testing.T) {
	for name, c := range map[string]struct {
		patience, left time.Duration
	}{
		"says nothing for too long": {10 * time.Millisecond, time.Hour},
		"takes too long in all":     {time.Hour, 10 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			ended := make(chan error, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				u := &upload{body: r.Body, connection: http.NewResponseController(w), patience: c.patience, until: time.Now().Add(c.left)}
				_, err := io.ReadAll(u)
				ended <- err
			}))
			defer server.Close()
			body, client := io.Pipe()
			go func() { _, _ = client.Write([]byte("email,ada@example.com\n")) }() // and no more
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, body)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				if response, err := http.DefaultTransport.RoundTrip(request); err == nil {
					_ = response.Body.Close()
				}
			}()
			if err := <-ended; fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
				t.Errorf("the upload ended with %v", err)
			}
			_ = client.Close()
		})
	}
}

// The limits of an upload end with it: who waits for its answer is not cut off.
func TestAnUploadThatIsOver(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := &upload{body: r.Body, connection: http.NewResponseController(w), patience: time.Minute, until: time.Now().Add(50 * time.Millisecond)}
		if _, err := io.ReadAll(u); err != nil {
			t.Error(err)
		}
		select {
		case <-r.Context().Done():
			t.Error("the request was given up while it was answered")
		case <-time.After(100 * time.Millisecond):
		}
	}))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server.URL, strings.NewReader("email,ada@example.com\n"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
}
