package ai

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/sashabaranov/go-openai"
)

// maxTokens is generous: the longest answer needs about a fifth of it, the
// rest is for models that think before they write.
const maxTokens = 8192

// formats of an answer, from what holds a model best to what any server takes.
const (
	formatSchema = iota
	formatObject
	formatNone
)

// streams in which an answer may come, likewise.
const (
	streamUsage = iota // that ends with what it took
	streamPlain
	streamNone
)

// form is what a request asks for beside its question; the zero one asks for
// the most.
type form struct {
	format, stream int
	noLimit        bool // it goes without max_completion_tokens
}

// without returns the form to ask in after a refusal, and what it leaves out:
// "" if nothing would help. A server that names streams last: its sentence may
// well quote the rest of the request.
func (f form) without(refusal *statusError) (lesser form, left string) {
	switch {
	case refusal.refusesFormat && f.format < formatNone:
		f.format++
		return f, "response_format"
	case refusal.refusesLimit && !f.noLimit:
		f.noLimit = true
		return f, "max_completion_tokens"
	case refusal.refusesStream && f.stream < streamNone:
		f.stream++
		return f, "stream"
	default:
		return f, ""
	}
}

// dialect remembers the form that the server turned out to take, so that more
// is not asked for in vain again.
type dialect struct {
	mu    sync.Mutex
	taken form
}

func (d *dialect) form() form {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken
}

// learn keeps a form in which a call succeeded. What was only tried proves
// nothing: a refusal may name what it does not mean.
func (d *dialect) learn(f form) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken.format = max(d.taken.format, f.format)
	d.taken.stream = max(d.taken.stream, f.stream)
	d.taken.noLimit = d.taken.noLimit || f.noLimit
}

// call asks once, in the form that the server takes.
func (w *Writer) call(ctx context.Context, q question) (answer, error) {
	for form := w.dialect.form(); ; {
		a, err := w.complete(ctx, q, form)
		if err == nil {
			w.dialect.learn(form)
			return a, nil
		}
		refusal, refused := errors.AsType[*statusError](err)
		if !refused {
			return a, err
		}
		lesser, left := form.without(refusal)
		if left == "" {
			return a, err
		}
		w.log.WarnContext(ctx, "the model's server does not take all that a request may hold; asking with less",
			slog.Int("status", refusal.status), slog.String("without", left))
		form = lesser
	}
}

func (w *Writer) request(q question, f form) openai.ChatCompletionRequest {
	request := openai.ChatCompletionRequest{Model: w.config.Model, Messages: q.messages, Stream: f.stream < streamNone}
	if f.stream == streamUsage {
		request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	}
	if !f.noLimit {
		request.MaxCompletionTokens = maxTokens
	}
	switch f.format {
	case formatSchema:
		request.ResponseFormat = &openai.ChatCompletionResponseFormat{
			Type:       openai.ChatCompletionResponseFormatTypeJSONSchema,
			JSONSchema: &openai.ChatCompletionResponseFormatJSONSchema{Name: q.name, Schema: q.schema, Strict: true},
		}
	case formatObject:
		request.ResponseFormat = &openai.ChatCompletionResponseFormat{Type: openai.ChatCompletionResponseFormatTypeJSONObject}
	}
	return request
}

// errCallTimeout is the cause of a call's context that ended by AI_TIMEOUT.
var errCallTimeout = errors.New("the call's own time is over")

// complete is one call, bound to ctx and to the call's own timeout. What it
// brought before it failed is told to whoever listens, and never used.
func (w *Writer) complete(ctx context.Context, q question, f form) (a answer, err error) {
	ctx, end := w.trace(ctx)
	defer func() { end(a, err) }()
	callCtx, cancel := context.WithTimeoutCause(ctx, w.config.Timeout, errCallTimeout)
	defer cancel()
	q.texts.restart()
	a, err = w.exchange(callCtx, cancel, w.request(q, f), q.texts.hear)
	switch {
	case err != nil && ctx.Err() != nil:
		return a, fmt.Errorf("asking the model: %w", context.Cause(ctx))
	case err != nil && errors.Is(context.Cause(callCtx), errCallTimeout):
		return a, errTimeout(w.config.Timeout, err)
	case err != nil:
		return a, classify(err)
	}
	q.texts.end()
	return a, nil
}

// exchange sends a request and reads its answer, as far as cut lets it.
func (w *Writer) exchange(ctx context.Context, cut func(), request openai.ChatCompletionRequest, hear func(string)) (answer, error) {
	response, err := w.server.post(ctx, request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a, err := readAnswer(response, hear)
	if err == nil {
		linger(response.Body, cut)
	}
	return a, err
}
