package ai

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswerSize = 4 << 20
	maxErrorSize  = 64 << 10
	maxRetryAfter = 24 * time.Hour
	maxIdleConns  = 256 // as many calls as a worker process keeps in flight
)

// doer sends requests for the OpenAI client. It bounds what it reads, follows
// no redirects (they would carry the brief and the key elsewhere), and makes
// every answer but a 2xx a *statusError.
type doer struct{ client *http.Client }

func newDoer() doer {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = maxIdleConns
	transport.MaxIdleConnsPerHost = maxIdleConns
	return doer{&http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do implements openai.HTTPDoer. Reading more of a body than maxAnswerSize
// fails with *http.MaxBytesError.
func (d doer) Do(request *http.Request) (*http.Response, error) {
	response, err := d.client.Do(request)
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

// statusError is an answer that was not a 2xx. It keeps nothing of the body
// but what it says in code words: providers quote keys and briefs in there.
type statusError struct {
	status        int
	code          string        // the provider's, such as insufficient_quota; "" if it gave none
	retryAfter    time.Duration // zero if it was not given
	refusesFormat bool          // it does not take our response_format
	refusesLimit  bool          // it does not take max_completion_tokens
}

func (e *statusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("HTTP %d %s", e.status, e.code))
}

func readStatusError(response *http.Response) *statusError {
	// A body that breaks off leaves us with the status, which is enough.
	body, _ := io.ReadAll(io.LimitReader(response.Body, maxErrorSize))
	e := &statusError{
		status:     response.StatusCode,
		code:       providerCode(body),
		retryAfter: retryAfter(response.Header, time.Now()),
	}
	if e.status == http.StatusBadRequest || e.status == http.StatusUnprocessableEntity {
		text := string(body)
		e.refusesFormat = strings.Contains(text, "response_format") || strings.Contains(text, "json_schema") ||
			strings.Contains(text, "json_object")
		e.refusesLimit = strings.Contains(text, "max_completion_tokens")
	}
	return e
}

var codeWord = regexp.MustCompile(`^[a-z0-9_]{1,64}$`)

// providerCode reads error.code, or error.type where that is no word
// (platform.openai.com/docs/guides/error-codes).
func providerCode(body []byte) string {
	var answer struct {
		Error struct {
			Code any `json:"code"`
			Type any `json:"type"`
		} `json:"error"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return ""
	}
	for _, value := range []any{answer.Error.Code, answer.Error.Type} {
		if word, ok := value.(string); ok && codeWord.MatchString(word) {
			return word
		}
	}
	return ""
}

// retryAfter reads Retry-After (RFC 9110, 10.2.3: seconds or a date) and the
// finer retry-after-ms that OpenAI and Azure send.
func retryAfter(header http.Header, now time.Time) time.Duration {
	if d, ok := number(header.Get("Retry-After-Ms"), time.Millisecond); ok {
		return d
	}
	value := header.Get("Retry-After")
	if d, ok := number(value, time.Second); ok {
		return d
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), maxRetryAfter)
	}
	return 0
}

func number(value string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(n >= 0) {
		return 0, false
	}
	return time.Duration(min(n*float64(unit), float64(maxRetryAfter))), true
}
