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
	maxErrorSize  = 64 << 10
	maxRetryAfter = 24 * time.Hour
)

// statusError is an answer that was not a 2xx, or should not have been. It keeps nothing of the body
// but what it says in code words: providers quote keys and briefs in there.
type statusError struct {
	status        int
	code          string        // the provider's, such as insufficient_quota; "" if it gave none
	retryAfter    time.Duration // zero if it was not given
	refusesFormat bool          // it does not take our response_format
	refusesLimit  bool          // it does not take max_completion_tokens
	refusesStream bool          // it does not take stream, or stream_options
}

// streamWord tells a server that does not stream from a proxy that speaks of
// its upstream.
var streamWord = regexp.MustCompile(`(?i)\bstream(_options|ing)?\b`)

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
	switch e.status {
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotImplemented:
		text := string(body)
		e.refusesFormat = strings.Contains(text, "response_format") || strings.Contains(text, "json_schema") ||
			strings.Contains(text, "json_object")
		e.refusesLimit = strings.Contains(text, "max_completion_tokens")
		e.refusesStream = streamWord.MatchString(text)
	}
	return e
}

// errorInBody reads the error of an answer that began with 200: a stream that
// failed under way. Some providers give the status that it should have had.
func errorInBody(object json.RawMessage) *statusError {
	e := &statusError{status: http.StatusBadGateway, code: providerCode(fmt.Appendf(nil, `{"error":%s}`, object))}
	var given struct{ Code, Status json.RawMessage }
	_ = json.Unmarshal(object, &given) // an error that is only a sentence has neither
	for _, text := range []json.RawMessage{given.Status, given.Code} {
		if n, err := strconv.Atoi(strings.Trim(string(text), `"`)); err == nil && n >= 400 && n <= 599 {
			e.status = n
			return e
		}
	}
	if status, known := statusOfCode(e.code); known {
		e.status = status
	}
	return e
}

// statusOfCode knows the codes and types that OpenAI and its like document.
func statusOfCode(code string) (status int, known bool) {
	switch code {
	case "rate_limit_exceeded", "rate_limit_error", "requests", "tokens":
		return http.StatusTooManyRequests, true
	case "invalid_api_key", "authentication_error":
		return http.StatusUnauthorized, true
	case "permission_error":
		return http.StatusForbidden, true
	case "model_not_found", "not_found_error":
		return http.StatusNotFound, true
	case "context_length_exceeded", "invalid_request_error":
		return http.StatusBadRequest, true
	default:
		return 0, false
	}
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
