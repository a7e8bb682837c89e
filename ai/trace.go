package ai

import (
	"context"
	"log/slog"

	"fanfare"
)

// trace measures one call, in the words of OpenTelemetry's conventions for
// generative AI (https://opentelemetry.io/docs/specs/semconv/gen-ai/), and
// without a word of what was asked and answered. The model's server is not told
// of the trace: it is somebody else's.
func (w *Writer) trace(ctx context.Context) (context.Context, func(answer, error)) {
	ctx, end := fanfare.Trace(ctx, fanfare.OpModel, "chat "+w.Model(),
		slog.String("gen_ai.operation.name", "chat"),
		slog.String("gen_ai.provider.name", "openai"), // whose protocol it is
		slog.String("gen_ai.request.model", w.Model()))
	return ctx, func(a answer, err error) {
		var spent tokens
		spent.add(a.usage)
		end(err, slog.Int("gen_ai.usage.input_tokens", spent.input), slog.Int("gen_ai.usage.output_tokens", spent.output))
	}
}
