package ai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/sashabaranov/go-openai"
)

const (
	maxAnswerSize = 4 << 20
	maxIdleConns  = 256 // as many calls as a worker process keeps in flight
)

// endpoint is a Chat Completions server. We send its requests ourselves, as we
// read its answers (see stream.go), with go-openai's types.
type endpoint struct {
	url, key string
	client   *http.Client
}

// newEndpoint follows no redirects: they would carry the brief and the key
// elsewhere.
func newEndpoint(baseURL, key string) endpoint {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = maxIdleConns
	transport.MaxIdleConnsPerHost = maxIdleConns
	return endpoint{strings.TrimRight(baseURL, "/") + "/chat/completions", key, &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// post returns the server's answer, its body to be closed. Reading more of that
// than maxAnswerSize fails with *http.MaxBytesError. Any status but a 2xx is a
// *statusError.
func (e endpoint) post(ctx context.Context, question openai.ChatCompletionRequest) (*http.Response, error) {
	body, err := json.Marshal(question)
	if err != nil {
		return nil, fmt.Errorf("encoding a request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream, application/json")
	if e.key != "" {
		request.Header.Set("Authorization", "Bearer "+e.key)
	}
	response, err := e.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode < 200 || response.StatusCode > 299 {
		defer response.Body.Close()
		return nil, readStatusError(response)
	}
	response.Body = http.MaxBytesReader(nil, response.Body, maxAnswerSize)
	return response, nil
}
