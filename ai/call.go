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

// answer is what one call brought back, however it travelled.
type answer struct {
	text      string
	refused   bool // the model, or its provider's filter, would not
	truncated bool // the model ran out of tokens
	usage     openai.Usage
}

// formats of an answer, from what holds a model best to what any server takes.
const (
	formatSchema int32 = iota
	formatObject
	formatNone
)

// dialect remembers what the server turned out not to take, so that it is not
// asked for in vain again.
type dialect struct {
	format  atomic.Int32
	noLimit atomic.Bool // it does not know max_completion_tokens
}

// learn reports whether asking in another way may help.
func (d *dialect) learn(refusal *statusError, used int32, limited bool) bool {
	switch {
	case refusal.refusesFormat && used < formatNone:
		d.format.CompareAndSwap(used, used+1)
		return true
	case refusal.refusesLimit && limited:
		d.noLimit.Store(true)
		return true
	default:
		return false
	}
}

// call asks once, in the form that the server takes.
func (w *Writer) call(ctx context.Context, q question) (answer, error) {
	for {
		format, limited := w.dialect.format.Load(), !w.dialect.noLimit.Load()
		a, err := w.complete(ctx, w.request(q, format, limited))
		refusal, refused := errors.AsType[*statusError](err)
		if !refused || !w.dialect.learn(refusal, format, limited) {
			return a, err
		}
		w.log.InfoContext(ctx, "the model's server does not take all that a request may hold; asking with less",
			slog.Int("status", refusal.status))
	}
}

func (w *Writer) request(q question, format int32, limited bool) openai.ChatCompletionRequest {
	request := openai.ChatCompletionRequest{Model: w.config.Model, Messages: q.messages}
	if limited {
		request.MaxCompletionTokens = maxTokens
	}
	switch format {
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

// complete is one call, bound to ctx and to the call's own timeout.
func (w *Writer) complete(ctx context.Context, request openai.ChatCompletionRequest) (answer, error) {
	callCtx, cancel := context.WithTimeoutCause(ctx, w.config.Timeout, errCallTimeout)
	defer cancel()
	response, err := w.client.CreateChatCompletion(callCtx, request)
	switch {
	case err != nil && ctx.Err() != nil:
		return answer{}, fmt.Errorf("asking the model: %w", context.Cause(ctx))
	case err != nil && errors.Is(context.Cause(callCtx), errCallTimeout):
		return answer{}, errTimeout(w.config.Timeout, err)
	case err != nil:
		return answer{}, classify(err)
	}
	return readResponse(response), nil
}

func readResponse(response openai.ChatCompletionResponse) answer {
	a := answer{usage: response.Usage}
	if len(response.Choices) == 0 {
		return a
	}
	choice := response.Choices[0]
	a.text = choice.Message.Content
	a.refused = choice.Message.Refusal != "" || choice.FinishReason == openai.FinishReasonContentFilter
	a.truncated = choice.FinishReason == openai.FinishReasonLength
	return a
}
