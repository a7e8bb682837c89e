package fanfare

import (
	"context"
	"log/slog"
	"testing"
)

func TestTraceparent(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for text, want := range map[string]string{
		"00-" + id + "-" + span + "-01":   id,
		"00-" + id + "-" + span + "-00":   id,
		"":                                "",
		"00-" + id + "-" + span:           "",
		"01-" + id + "-" + span + "-01":   "",
		"00-" + id + "-" + span + "-01-x": "",
		"00-" + id + "-" + span + "-01\n": "",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-" + span + "-01": "",
		"00-00000000000000000000000000000000-" + span + "-01": "",
		"00-" + id + "-0000000000000000-01":                   "",
	} {
		ctx := WithTrace(t.Context(), text, nil)
		var got string
		for _, attr := range LogAttrs(ctx) {
			got = attr.Key + "=" + attr.Value.String()
		}
		if (want == "" && got != "") || (want != "" && (got != "traceId="+want || Traceparent(ctx) != text)) {
			t.Errorf("%q: %q, %q", text, got, Traceparent(ctx))
		}
	}
	one, other := NewTraceparent(), NewTraceparent()
	if traceID(one) == "" || traceID(one) == traceID(other) {
		t.Errorf("new ones: %s, %s", one, other)
	}
}

// counter counts what is measured.
type counter struct{ names []string }

func (c *counter) Trace(ctx context.Context, op Op, name string, _ ...slog.Attr) (context.Context, EndTrace) {
	c.names = append(c.names, string(op)+" "+name)
	return ctx, func(error, ...slog.Attr) {}
}

// TestOnlyWhatIsWithinIsMeasured: what loops in the background is not.
func TestOnlyWhatIsWithinIsMeasured(t *testing.T) {
	measured := &counter{}
	_, end := Trace(t.Context(), OpSQL, "heartbeat")
	end(nil)
	_, end = Trace(WithTrace(t.Context(), NewTraceparent(), nil), OpSQL, "unrecorded")
	end(nil)
	ctx := WithTrace(t.Context(), NewTraceparent(), measured)
	_, end = Trace(ctx, OpSQL, "submit")
	end(nil)
	if len(measured.names) != 1 || measured.names[0] != "db submit" || !Traced(ctx) || Traced(t.Context()) {
		t.Errorf("measured: %v", measured.names)
	}
}
