package api

import (
	"io"
	"net/http"
	"net/http/httptest"
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
