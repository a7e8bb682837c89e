package store_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
)

// spans keeps what is measured.
type spans struct{ names []string }

func (s *spans) Trace(ctx context.Context, op fanfare.Op, name string, _ ...slog.Attr) (context.Context, fanfare.EndTrace) {
	return ctx, func(err error, _ ...slog.Attr) {
		if err != nil {
			name += " failed"
		}
		s.names = append(s.names, string(op)+" "+name)
	}
}

// TestStatementsAreMeasuredWithinATrace, prepared ones and those in a
// transaction, and that there is no row is no failure.
func TestStatementsAreMeasuredWithinATrace(t *testing.T) {
	db := teststore.New(t)
	measured := &spans{}
	ctx := fanfare.WithTrace(t.Context(), fanfare.NewTraceparent(), measured)
	job, err := db.Submit(ctx, db.NewJob())
	if err != nil {
		t.Fatal(err)
	}
	if job.Traceparent != fanfare.Traceparent(ctx) || db.Now(job).Traceparent != job.Traceparent {
		t.Errorf("the job belongs to %q, want %q", job.Traceparent, fanfare.Traceparent(ctx))
	}
	_, _ = db.Campaign(ctx, db.User.ID, job.ID)
	stop := errors.New("stop")
	_ = db.Atomic(ctx, func(ctx context.Context) error {
		_, _ = db.Job(ctx, db.User.ID, job.ID)
		if _, err := db.StartConversation(ctx, "no id"); err == nil {
			t.Error("a conversation of nobody")
		}
		return stop
	})
	_ = db.Atomic(ctx, func(ctx context.Context) error { return db.Audit(ctx, fanfare.AuditRecord{Action: "x"}) })
	want := []string{
		"db submit", "db SELECT campaigns", "db job", "db INSERT conversations failed", "db INSERT audit_logs", "db COMMIT",
	}
	if diff := cmp.Diff(want, measured.names); diff != "" {
		t.Errorf("measured (-want +got):\n%s", diff)
	}
}

// TestARetryBelongsToItsOwnRequest, and what nobody traces to none.
func TestARetryBelongsToItsOwnRequest(t *testing.T) {
	db := teststore.New(t)
	job := db.Queued()
	if job.Traceparent != "" {
		t.Errorf("a job of no trace belongs to %q", job.Traceparent)
	}
	if _, err := db.Cancel(t.Context(), db.User.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	ctx := fanfare.WithTrace(t.Context(), fanfare.NewTraceparent(), nil)
	again, err := db.Retry(ctx, db.User.ID, job.ID, false)
	if err != nil || again.Traceparent != fanfare.Traceparent(ctx) {
		t.Errorf("the retry belongs to %q, want %q; %v", again.Traceparent, fanfare.Traceparent(ctx), err)
	}
}
