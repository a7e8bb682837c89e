package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"time"
)

// client calls the API as any program would: with a key, or with the cookie of
// a session once it has signed in.
type client struct {
	base, key string
	http      http.Client
}

func newClient(base, key string) *client {
	jar, _ := cookiejar.New(nil) // never fails without options
	return &client{base: base, key: key, http: http.Client{Timeout: 30 * time.Second, Jar: jar}}
}

// apiError is an answer that was not a success.
type apiError struct {
	Status  int
	Message string `json:"error"`
	Code    string `json:"code"`
}

func (e *apiError) Error() string { return e.Message }

// do sends in as JSON, unless it is nil, and decodes the answer into out.
func (c *client) do(ctx context.Context, method, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encoding a request: %w", err)
	}
	if in == nil {
		body = nil
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	if in != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		request.Header.Set("Authorization", "Bearer "+c.key)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("calling the API: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= http.StatusBadRequest {
		e := &apiError{Status: response.StatusCode}
		if err := json.NewDecoder(response.Body).Decode(e); err != nil || e.Message == "" {
			e.Message = "the API answered " + response.Status
		}
		return e
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	return nil
}
