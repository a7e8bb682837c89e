package telemetry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/getsentry/sentry-go"

	"fanfare"
)

// Reporter sends errors and traces to Sentry: by a client of its own, and only
// what report and clean let out. Without a DSN it does nothing.
type Reporter struct {
	client *sentry.Client // nil for off
}

var _ fanfare.Reporter = (*Reporter)(nil)

// NewReporter returns a Reporter to dsn; "" turns it off. A tenth of the traces
// is kept in production, all of them in other environments.
func NewReporter(dsn, environment, release string) (*Reporter, error) {
	if dsn == "" {
		return &Reporter{}, nil // sentry would look for a DSN in the environment
	}
	rate := 1.0
	if environment == "production" {
		rate = 0.1
	}
	client, err := sentry.NewClient(sentry.ClientOptions{
		Dsn:                   dsn,
		Environment:           environment,
		Release:               cmp.Or(release, "unknown"), // for "" sentry would run git
		EnableTracing:         true,
		TracesSampleRate:      rate,
		BeforeSend:            clean,
		BeforeSendTransaction: clean,
		// The standard ones tell of the machine, the modules, the environment.
		Integrations: func([]sentry.Integration) []sentry.Integration { return nil },
	})
	if err != nil {
		return nil, errors.New("starting sentry: SENTRY_DSN is not a DSN") // its own error quotes it
	}
	return &Reporter{client: client}, nil
}

// Report implements fanfare.Reporter.
func (r *Reporter) Report(ctx context.Context, err error, tags map[string]string) {
	if r.client == nil || err == nil {
		return
	}
	event := sentry.NewEvent()
	event.Level = sentry.LevelError
	event.Tags = tagsOf(ctx, tags)
	event.Tags["code"] = fanfare.ErrorCode(err)
	event.Exception = exceptions(err)
	event.Exception[len(event.Exception)-1].Stacktrace = sentry.NewStacktrace()
	// By its stack alone, which begins where it is reported, everything that a
	// worker reports would be one issue.
	for _, e := range event.Exception {
		event.Fingerprint = append(event.Fingerprint, e.Type, e.Value)
	}
	event.Fingerprint = append(event.Fingerprint, event.Tags["kind"], event.Tags["route"])
	r.client.CaptureEvent(event, nil, nil)
}

// Trace implements fanfare.Reporter.
func (r *Reporter) Trace(ctx context.Context, op fanfare.Op, name string, _ ...slog.Attr) (context.Context, fanfare.EndTrace) {
	if r.client == nil {
		return ctx, func(error, ...slog.Attr) {}
	}
	ctx = sentry.SetHubOnContext(ctx, sentry.NewHub(r.client, sentry.NewScope()))
	span := sentry.StartTransaction(ctx, name,
		sentry.WithOpName(string(op)), sentry.WithTransactionSource(sentry.SourceRoute))
	return span.Context(), func(error, ...slog.Attr) { span.Finish() }
}

// Flush waits until what was reported has been sent, or ctx ends. It reports
// whether all of it was.
func (r *Reporter) Flush(ctx context.Context) bool {
	return r.client == nil || r.client.FlushWithContext(ctx)
}

// exceptions lists the types in err's chain, the innermost first, as Sentry
// wants them. The value is a code; the text stays here, since it may quote
// anything.
func exceptions(err error) []sentry.Exception {
	var chain []sentry.Exception
	for ; err != nil; err = errors.Unwrap(err) {
		chain = append(chain, sentry.Exception{Type: fmt.Sprintf("%T", err), Value: codeOf(err)})
	}
	slices.Reverse(chain)
	return chain
}

func codeOf(err error) string {
	switch e := err.(type) { //nolint:errorlint // of this link of the chain alone
	case *fanfare.Error:
		return e.Code
	case sqlError:
		return "SQLSTATE " + e.SQLState()
	}
	return ""
}

// tagsOf picks the tags that may leave, and the ids by which to find the log.
func tagsOf(ctx context.Context, tags map[string]string) map[string]string {
	kept := map[string]string{}
	for _, name := range []string{"kind", "route", "method", "process"} {
		if value, ok := tags[name]; ok {
			kept[name] = value
		}
	}
	for _, attr := range fanfare.LogAttrs(ctx) {
		if attr.Key == "requestId" || attr.Key == "jobId" {
			kept[attr.Key] = attr.Value.String()
		}
	}
	return kept
}

// clean rebuilds an event from what may leave.
func clean(event *sentry.Event, _ *sentry.EventHint) *sentry.Event {
	kept := sentry.NewEvent()
	kept.Type, kept.EventID, kept.Level, kept.Platform = event.Type, event.EventID, event.Level, event.Platform
	kept.Timestamp, kept.StartTime = event.Timestamp, event.StartTime
	kept.Environment, kept.Release, kept.Sdk = event.Environment, event.Release, event.Sdk
	kept.Tags, kept.Exception, kept.Fingerprint = event.Tags, event.Exception, event.Fingerprint
	kept.Transaction, kept.TransactionInfo = event.Transaction, event.TransactionInfo
	if trace, ok := event.Contexts["trace"]; ok {
		kept.Contexts = map[string]sentry.Context{"trace": trace}
	}
	return kept
}
