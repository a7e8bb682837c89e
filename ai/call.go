package ai

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/sashabaranov/go-openai"
)

// maxTokens is generous: the longest answer needs about a fifth of it, the
// rest is for models that think before they write.
const maxTokens = 8192

// formats of an answer, from what holds a model best to what any server takes.
const (
	formatSchema int32 = iota
	formatObject
	formatNone
)

// streams in which an answer may come, likewise.
const (
	streamUsage int32 = iota // that ends with what it took
	streamPlain
	streamNone
)

// dialect remembers what the server turned out not to take, so that it is not
// asked for in vain again.
type dialect struct {
	format  atomic.Int32
	stream  atomic.Int32
	noLimit atomic.Bool // it does not know max_completion_tokens
}

// form is what a request asks for beside its question.
type form struct {
	format, stream int32
	limited        bool
}

func (d *dialect) form() form {
	return form{format: d.format.Load(), stream: d.stream.Load(), limited: !d.noLimit.Load()}
}

// learn reports whether asking in another form may help. A server that names
// streams last: its sentence may well quote the rest of the request.
func (d *dialect) learn(refusal *statusError, used form) bool {
	switch {
	case refusal.refusesFormat && used.format < formatNone:
		d.format.CompareAndSwap(used.format, used.format+1)
		return true
	case refusal.refusesLimit && used.limited:
		d.noLimit.Store(true)
		return true
	case refusal.refusesStream && used.stream < streamNone:
		d.stream.CompareAndSwap(used.stream, used.stream+1)
		return true
	default:
		return false
	}
}

// call asks once, in the form that the server takes.
func (w *Writer) call(ctx context.Context, q question) (answer, error) {
	for {
		form := w.dialect.form()
		a, err := w.complete(ctx, q, form)
		refusal, refused := errors.AsType[*statusError](err)
		if !refused || !w.dialect.learn(refusal, form) {
			return a, err
		}
		w.log.InfoContext(ctx, "the model's server does not take all that a request may hold; asking with less",
			slog.Int("status", refusal.status))
	}
}

func (w *Writer) request(q question, f form) openai.ChatCompletionRequest {
	request := openai.ChatCompletionRequest{Model: w.config.Model, Messages: q.messages, Stream: f.stream < streamNone}
	if f.stream == streamUsage {
		request.StreamOptions = &openai.StreamOptions{IncludeUsage: true}
	}
	if f.limited {
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
func (w *Writer) complete(ctx context.Context, q question, f form) (answer, error) {
	callCtx, cancel := context.WithTimeoutCause(ctx, w.config.Timeout, errCallTimeout)
	defer cancel()
	q.texts.restart()
	a, err := w.exchange(callCtx, cancel, w.request(q, f), q.texts.hear)
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
