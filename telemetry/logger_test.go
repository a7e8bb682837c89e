package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/lib/pq"

	"fanfare"
	"fanfare/telemetry"
)

// line returns the one line that log writes, decoded.
func line(t *testing.T, log func(*slog.Logger)) map[string]any {
	t.Helper()
	var out bytes.Buffer
	log(telemetry.NewLogger(&out, slog.LevelInfo))
	if strings.Count(out.String(), "\n") != 1 || !strings.HasSuffix(out.String(), "\n") {
		t.Fatalf("not one line: %q", out.String())
	}
	var fields map[string]any
	if err := json.Unmarshal(out.Bytes(), &fields); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	for key := range fields {
		if n := strings.Count(out.String(), `"`+key+`":`); n != 1 {
			t.Errorf("%s stands there %d times: %s", key, n, out.String())
		}
	}
	at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(fields["time"]))
	if _, offset := at.Zone(); err != nil || offset != 0 {
		t.Errorf("time %v, want UTC in RFC 3339", fields["time"])
	}
	delete(fields, "time")
	return fields
}

func TestLineCarriesTheContext(t *testing.T) {
	ctx := fanfare.WithJobID(fanfare.WithRequestID(t.Context(), "r1"), "j1")
	sibling := fanfare.WithLogAttrs(ctx, slog.String("campaignId", "c1"))
	_ = fanfare.WithLogAttrs(ctx, slog.String("campaignId", "c2"))
	for name, test := range map[string]struct {
		ctx  context.Context
		want map[string]any
	}{
		"nothing":       {t.Context(), map[string]any{}},
		"two ids":       {ctx, map[string]any{"requestId": "r1", "jobId": "j1"}},
		"not another's": {sibling, map[string]any{"requestId": "r1", "jobId": "j1", "campaignId": "c1"}},
		"the newest":    {fanfare.WithRequestID(ctx, "r2"), map[string]any{"requestId": "r2", "jobId": "j1"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := line(t, func(l *slog.Logger) { l.With("n", 1).WarnContext(test.ctx, "two\nlines") })
			test.want["level"], test.want["msg"], test.want["n"] = "WARN", "two\nlines", 1.0
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("line (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLevel(t *testing.T) {
	var out bytes.Buffer
	telemetry.NewLogger(&out, slog.LevelInfo).Debug("x")
	if out.Len() != 0 {
		t.Errorf("wrote %s", out.String())
	}
}

func TestPrintf(t *testing.T) {
	ctx := fanfare.WithJobID(t.Context(), "j1")
	got := line(t, func(l *slog.Logger) { telemetry.Printf{Logger: l}.Printf(ctx, "dialing %s", "db") })
	want := map[string]any{"level": "WARN", "msg": "dialing db", "jobId": "j1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
}

func TestErrorsAreTextWithoutWhatOthersWrote(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"plain":   {errors.New("out of order"), "out of order"},
		"wrapped": {fmt.Errorf("starting: %w", errors.New("out of order")), "starting: out of order"},
		"ours":    {fanfare.Errorf("internal", "Sorry.").WithCause(errors.New("disk full")), "internal: Sorry.: disk full"},
		"detail and context of PostgreSQL": {
			fmt.Errorf("inserting: %w", &pq.Error{
				Code: "23505", Message: "duplicate key value violates unique constraint \"users_email\"",
				Detail: "Key (email)=(canary) already exists.", Where: "COPY line 1: canary", Hint: "canary", InternalQuery: "canary",
			}),
			"inserting: pq: duplicate key value violates unique constraint \"users_email\" (23505)",
		},
		"a value that PostgreSQL quotes": {
			fmt.Errorf("reading: %w", &pq.Error{Code: "22P02", Message: `invalid input syntax for type uuid: "canary"`}),
			"reading: SQLSTATE 22P02",
		},
		"a webhook": {
			fmt.Errorf("posting: %w", &url.Error{Op: "Post", URL: "https://hooks.example.com/T0/canary?x=canary", Err: errors.New("EOF")}),
			`posting: Post "https://hooks.example.com": EOF`,
		},
		"a recipient":       {errors.New("550 <canary@example.com>: no such user"), "550 <[masked]>: no such user"},
		"a telephone":       {errors.New("can't reach +491701234567"), "can't reach [masked]"},
		"a password in URL": {errors.New("dialing redis://:canary@redis:6379"), "dialing redis://[masked]@redis:6379"},
		"an OpenAI key":     {errors.New("Incorrect API key provided: sk-canary-1234567."), "Incorrect API key provided: [masked]."},
		"an API key":        {errors.New("key ff_canary_12345678 is wrong"), "key [masked] is wrong"},
		"a bearer token":    {errors.New("sent Authorization: Bearer canary"), "sent Authorization: [masked]"},
	} {
		t.Run(name, func(t *testing.T) {
			got := line(t, func(l *slog.Logger) { l.Error("failed", "error", test.err) })
			if got["error"] != test.want {
				t.Errorf("error %q, want %q", got["error"], test.want)
			}
			got = line(t, func(l *slog.Logger) { l.Error(mask(test.err), "in", slog.GroupValue(slog.Any("e", test.err))) })
			if s := fmt.Sprint(got); strings.Contains(s, "canary") || strings.Contains(s, "4917") {
				t.Errorf("line %s", s)
			}
		})
	}
}

// mask is err's text where text alone has to do: PostgreSQL's and an address's
// own parts are known by their types only.
func mask(err error) string {
	var quoted interface{ SQLState() string }
	var address *url.Error
	if errors.As(err, &quoted) || errors.As(err, &address) {
		return "failed"
	}
	return err.Error()
}
