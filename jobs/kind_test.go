package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fanfare"
)

func TestKindsAreThoseOfTheContract(t *testing.T) {
	if diff := cmp.Diff([]string{"analytics.analyze", "analytics.optimize", "campaign.generate", "campaign.launch"}, Names()); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"ai", "launch"}, Queues()); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	launch, _ := Lookup("campaign.launch")
	if launch.Queue != QueueLaunch || launch.Expiry != 24*time.Hour || launch.Backoff != (Backoff{2 * time.Second, time.Minute}) || launch.Timeout != nil {
		t.Errorf("campaign.launch is %+v", launch)
	}
	for _, name := range []string{"analytics.analyze", "analytics.optimize", "campaign.generate"} {
		definition, known := Lookup(name)
		if !known || definition.Queue != QueueAI || definition.Expiry != 15*time.Minute || definition.Backoff != (Backoff{time.Second, 16 * time.Second}) {
			t.Errorf("%s is %+v", name, definition)
		}
		if got := definition.Timeout(Settings{JobTimeout: 7 * time.Second}); got != 7*time.Second {
			t.Errorf("%s: an attempt's timeout is %s, want JOB_TIMEOUT", name, got)
		}
	}
	for _, name := range []string{"", "campaign", "campaign.generate2", "Campaign.generate"} {
		if _, known := Lookup(name); known {
			t.Errorf("%q is known", name)
		}
	}
}

// temporary makes kinds known for one test.
func temporary(t *testing.T) {
	before := maps.Clone(registry)
	t.Cleanup(func() { registry = before })
}

func TestTwoKindsCantHaveOneName(t *testing.T) {
	temporary(t)
	define(Kind[int, int]{Name: "test.twice", Queue: QueueLaunch})
	if diff := cmp.Diff([]string{QueueAI, QueueLaunch}, Queues()); diff != "" {
		t.Errorf("queues (-want +got):\n%s", diff)
	}
	err := Protect(func() error { define(Kind[string, int]{Name: "test.twice"}); return nil })
	if _, panicked := errors.AsType[*PanicError](err); !panicked {
		t.Errorf("the second was taken: %v", err)
	}
}

func TestNewFillsAJobFromItsKind(t *testing.T) {
	payload := GenerateCampaignPayload{CampaignID: "c", ConversationID: "v", Brief: fanfare.Brief{Text: "a < b & “c”"}}
	got, err := GenerateCampaign.New("u", "c", payload)
	if err != nil {
		t.Fatal(err)
	}
	var sent GenerateCampaignPayload
	if err := json.Unmarshal(got.Payload, &sent); err != nil || cmp.Diff(payload, sent) != "" {
		t.Errorf("payload: %v %s", err, cmp.Diff(payload, sent))
	}
	want := fanfare.NewJob{
		UserID: "u", CampaignID: "c", Kind: "campaign.generate", Queue: "ai", MaxAttempts: 5, Expiry: 15 * time.Minute,
		Exclusive: "campaign.generate:c", Settles: map[fanfare.JobStatus]fanfare.CampaignStatus{
			"queued": "generating", "succeeded": "ready", "failed": "failed", "expired": "failed", "canceled": "draft",
		},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(fanfare.NewJob{}, "Payload")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := (Kind[chan int, int]{}).New("u", "", nil); err == nil {
		t.Error("a payload that is no JSON was taken")
	}
}

// definitionOf makes a kind of the work and returns it as the worker sees it.
func definitionOf[R any](t *testing.T, work func(context.Context, *Run, int) (Done[R], error)) Definition {
	temporary(t)
	define(Kind[int, R]{Name: "test." + t.Name(), Queue: QueueAI, Work: work})
	definition, _ := Lookup("test." + t.Name())
	return definition
}

func TestWorkGetsItsPayloadAndGivesItsResult(t *testing.T) {
	campaign, reply := &fanfare.Campaign{ID: "c"}, &fanfare.Reply{Content: "r"}
	definition := definitionOf(t, func(_ context.Context, _ *Run, payload int) (Done[int], error) {
		return Done[int]{Result: payload + 1, Campaign: campaign, Reply: reply}, nil
	})
	got, err := definition.Work(t.Context(), newRun(nil, `41`))
	if diff := cmp.Diff(Finished{Result: json.RawMessage(`42`), Campaign: campaign, Reply: reply}, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if _, err := definition.Work(t.Context(), newRun(nil, `"x"`)); !IsPermanent(err) {
		t.Errorf("a payload of another shape: %v; no retry mends that", err)
	}
}

func TestWorkWhoseResultIsNoJSONIsPermanent(t *testing.T) {
	definition := definitionOf(t, func(context.Context, *Run, int) (Done[chan int], error) {
		return Done[chan int]{Result: make(chan int)}, nil
	})
	if _, err := definition.Work(t.Context(), newRun(nil, `1`)); !IsPermanent(err) {
		t.Errorf("%v; no retry mends that", err)
	}
}

func TestWorksErrorsSteer(t *testing.T) {
	definition := definitionOf(t, func(context.Context, *Run, int) (Done[int], error) {
		return Done[int]{}, &fanfare.Error{Code: fanfare.CodeAIRefused, Message: "No.", Final: true}
	})
	if _, err := definition.Work(t.Context(), newRun(nil, `1`)); !IsPermanent(err) {
		t.Errorf("a refusal: %v, want it permanent", err)
	}
}
