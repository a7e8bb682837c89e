// Package rest calls providers' HTTP APIs, which speak JSON or take forms, and
// says of each call that failed what that means for a message.
package rest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"fanfare"
	"fanfare/channel/connector"
)

const (
	maxAnswer     = 4 << 20 // bytes
	maxRetryAfter = 24 * time.Hour
	// Patience is how long to wait for an answer where nobody says otherwise.
	Patience = 30 * time.Second
)

// API is a provider's.
type API struct {
	Name    string // of the provider, as people know it
	BaseURL string // without a slash at its end
	Client  *http.Client
	// Authorize shows the credentials; nil where the address or the body does.
	Authorize func(*http.Request)
	Clean     connector.Redactor
	// Explain reads what the provider says of an error; "" if nothing.
	Explain func(body []byte) string
	// Judge says what an answer that is no success means for the message, where
	// its status alone does not tell; "" leaves it to the status. It may be nil.
	Judge func(code int, body []byte) fanfare.Fate
	// ComeBack reads when the provider wants to be asked again, where it does not
	// say so in Retry-After. It may be nil.
	ComeBack func(http.Header) time.Time
	// Patience is how long to wait for an answer; 0 for 30 s.
	Patience time.Duration
}

// Call is a request.
type Call struct {
	Method, Path string
	Query        url.Values // of the address; unlike Path no error quotes it
	Header       map[string]string
	Body         any        // to be sent as JSON; nil for none
	Form         url.Values // to be sent as a form, in place of Body
	Answer       any        // to be read from JSON; nil for what nobody reads
	// Heard gets the header of a success, where an answer is given by that. It
	// may be nil.
	Heard func(http.Header)
	// Taken reports whether a success says that the message was taken, where that
	// is told neither by Answer nor by the header. It may be nil.
	Taken func(code int, body []byte) bool
	// Commits says that the provider takes a message by this call, so if it
	// breaks off nobody knows whether it did. What other calls left behind is
	// found, or does not matter.
	Commits bool
}

// StatusError is an answer that is not a success. As text it quotes nothing of
// it, so it may be logged.
type StatusError struct {
	Call string
	Code int
	Body []byte
}

func (e *StatusError) Error() string { return fmt.Sprintf("%s: status %d", e.Call, e.Code) }

// Do makes the call. Its error is a *fanfare.SendError, which wraps a
// *StatusError if the provider answered.
func (a API) Do(ctx context.Context, call Call) error {
	wait := a.Patience
	if wait == 0 {
		wait = Patience
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ctx, reached := Watch(ctx)
	request, err := a.request(ctx, call)
	if err != nil {
		return &fanfare.SendError{Fate: fanfare.FateRefused, Reason: a.Name + " can't be told this message.", Cause: err}
	}
	response, err := a.Client.Do(request)
	if err != nil {
		return a.unanswered(call, reached(), err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(http.MaxBytesReader(nil, response.Body, maxAnswer))
	if response.StatusCode/100 != 2 {
		return a.refused(call, response, body)
	}
	if call.Heard != nil {
		call.Heard(response.Header)
	}
	if err == nil && call.Answer != nil {
		err = json.Unmarshal(body, call.Answer)
	}
	if err != nil && call.Answer != nil {
		return a.unanswered(call, true, fmt.Errorf("reading the answer: %w", err))
	}
	if call.Taken != nil && !call.Taken(response.StatusCode, body) {
		return a.unanswered(call, true, errors.New("the answer does not say that it was taken"))
	}
	return nil
}

func (a API) request(ctx context.Context, call Call) (*http.Request, error) {
	body, kind, err := call.content()
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, call.Method, a.url(call), strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	request.Header.Set("Accept", "application/json")
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	for name, value := range call.Header {
		request.Header.Set(name, value)
	}
	if call.Commits {
		sendOnce(request)
	}
	if a.Authorize != nil {
		a.Authorize(request)
	}
	return request, nil
}

func (a API) url(call Call) string {
	if len(call.Query) == 0 {
		return a.BaseURL + call.Path
	}
	return a.BaseURL + call.Path + "?" + call.Query.Encode()
}

// content is what the call carries, and of what type it is.
func (c Call) content() (body, kind string, err error) {
	switch {
	case c.Form != nil:
		return c.Form.Encode(), "application/x-www-form-urlencoded", nil
	case c.Body != nil:
		encoded, err := json.Marshal(c.Body)
		if err != nil {
			return "", "", fmt.Errorf("encoding a request: %w", err)
		}
		return string(encoded), "application/json", nil
	default:
		return "", "", nil
	}
}

// sendOnce keeps net/http from sending a request again by itself where a kept
// connection ends without an answer: it does so to a GET, and to whatever has an
// Idempotency-Key, if it can read the body again.
func sendOnce(request *http.Request) {
	if request.Method != http.MethodGet && request.Header.Get("Idempotency-Key") == "" {
		return
	}
	request.GetBody = nil
	if request.Body == http.NoBody {
		request.Body = io.NopCloser(http.NoBody)
	}
}

// Watch returns a context for a request, and what tells whether it may have
// reached the provider. Clients that others wrote can be judged by it too.
func Watch(ctx context.Context) (context.Context, func() bool) {
	var reached atomic.Bool
	trace := &httptrace.ClientTrace{WroteHeaders: func() { reached.Store(true) }}
	return httptrace.WithClientTrace(ctx, trace), reached.Load
}

func (a API) unanswered(call Call, reached bool, cause error) *fanfare.SendError {
	return Unanswered(a.Name, reached, call.Commits, fmt.Errorf("%s %s: %w", call.Method, call.Path, withoutURL(cause)))
}

// Unanswered is a call without an answer that can be read. Only one that never
// reached the provider is certain to have done nothing.
func Unanswered(provider string, reached, commits bool, cause error) *fanfare.SendError {
	e := &fanfare.SendError{Cause: cause}
	switch {
	case !reached:
		e.Fate, e.Reason = fanfare.FateHalted, provider+" can't be reached."
	case commits:
		e.Fate, e.Reason = fanfare.FateUnknown, "The connection to "+provider+" broke before it said whether it took the message."
	default:
		e.Fate, e.Reason = fanfare.FateDeferred, provider+" did not answer in time, or not as expected."
	}
	return e
}

// Named returns the id by which a provider knows the message that it took. An
// answer without one is no success, whatever its status: nobody knows what became
// of the message.
func Named(provider, id string) (string, error) {
	if id == "" {
		return "", Unanswered(provider, true, true, errors.New("the answer has no id"))
	}
	return id, nil
}

// refused is an answer that is not a success.
func (a API) refused(call Call, response *http.Response, body []byte) *fanfare.SendError {
	code := response.StatusCode
	reason := fmt.Sprintf("%s answered %d", a.Name, code)
	if said := a.Explain(body); said != "" {
		reason += ": " + said
	}
	fate := FateOf(code, call.Commits)
	if a.Judge != nil {
		fate = cmp.Or(a.Judge(code, body), fate)
	}
	if fate == fanfare.FateUnknown && !call.Commits {
		fate = fanfare.FateHalted // no message was at stake
	}
	return &fanfare.SendError{
		Fate: fate, Reason: a.Clean.Clean(reason), RetryAfter: a.retryAfter(response.Header),
		Cause: &StatusError{call.Method + " " + call.Path, code, body},
	}
}

// FateOf is what a status means (RFC 9110) that is no success. A server that
// failed within may have taken the message before.
func FateOf(code int, commits bool) fanfare.Fate {
	switch {
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return fanfare.FateUnauthorized
	case code == http.StatusTooManyRequests:
		return fanfare.FateHalted
	case commits && (code >= 500 || code == http.StatusRequestTimeout || code < 400):
		return fanfare.FateUnknown
	case code >= 500 || code == http.StatusRequestTimeout || code < 400:
		return fanfare.FateHalted
	default:
		return fanfare.FateRefused
	}
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3), or what the provider
// says in their place.
func (a API) retryAfter(header http.Header) time.Duration {
	value := header.Get("Retry-After")
	wait := time.Duration(0)
	if seconds, err := strconv.ParseInt(value, 10, 32); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = time.Until(at)
	} else if a.ComeBack != nil && value == "" {
		wait = time.Until(a.ComeBack(header))
	}
	return min(max(wait, 0), maxRetryAfter)
}
