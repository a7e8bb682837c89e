package fanfare_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestErrorCode(t *testing.T) {
	busy := fanfare.Errorf(fanfare.CodeCampaignBusy, "Wait for %s.", "it")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"none":       {nil, ""},
		"plain":      {errors.New("x"), fanfare.CodeInternal},
		"one":        {busy, fanfare.CodeCampaignBusy},
		"wrapped":    {fmt.Errorf("doing it: %w", busy), fanfare.CodeCampaignBusy},
		"joined":     {errors.Join(errors.New("x"), busy), fanfare.CodeCampaignBusy},
		"with cause": {busy.WithCause(fanfare.Errorf(fanfare.CodeNotFound, "No.")), fanfare.CodeCampaignBusy},
	} {
		if got := fanfare.ErrorCode(test.err); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestACauseStaysInside(t *testing.T) {
	plain := fanfare.Errorf(fanfare.CodeUnavailable, "Try again.")
	cause := errors.New("password of the database")
	caused := plain.WithCause(cause)
	if !errors.Is(caused, cause) || errors.Is(plain, cause) {
		t.Error("WithCause must return a copy that carries the cause, and leave the original")
	}
	if strings.Contains(caused.Message, cause.Error()) || !strings.Contains(caused.Error(), cause.Error()) {
		t.Errorf("message %q, for the log %q", caused.Message, caused.Error())
	}
}

func TestInvalidNamesTheField(t *testing.T) {
	want := &fanfare.Error{
		Code: fanfare.CodeInvalidRequest, Message: "The request was refused: email: has 3 characters",
		Fields: []fanfare.FieldError{{Field: "email", Message: "has 3 characters"}},
	}
	if diff := cmp.Diff(want, fanfare.Invalid("email", "has %d characters", 3)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLogAttrsAreReplacedByKeyAndNotShared(t *testing.T) {
	base := fanfare.WithRequestID(t.Context(), "r1")
	first := fanfare.WithJobID(base, "j1")
	second := fanfare.WithJobID(fanfare.WithRequestID(base, "r2"), "j2")
	for want, got := range map[string][]slog.Attr{
		"[requestId=r1]":          fanfare.LogAttrs(base),
		"[requestId=r1 jobId=j1]": fanfare.LogAttrs(first),
		"[requestId=r2 jobId=j2]": fanfare.LogAttrs(second),
		"[]":                      fanfare.LogAttrs(t.Context()),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("%v, want %s", got, want)
		}
	}
}
