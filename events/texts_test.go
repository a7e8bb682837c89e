package events_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/events"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
)

// reader puts a job's texts together as a stream does: what stands, then each
// delta, and what stands again where one is missing or says so.
type reader struct {
	t      *testing.T
	texts  *events.Texts
	deltas <-chan fanfare.TextDelta
	jobID  string
	now    fanfare.PartialTexts
}

func (r *reader) readAnew() {
	var err error
	if r.now, err = r.texts.Partial(r.t.Context(), r.jobID); err != nil {
		r.t.Fatal(err)
	}
}

// until reads deltas until the texts are those wanted.
func (r *reader) until(want map[fanfare.Channel]map[string]string) {
	r.t.Helper()
	for cmp.Diff(want, r.now.Fields) != "" {
		delta := await.Value(r.t, fmt.Sprintf("a delta that makes %v of %v", want, r.now.Fields), r.deltas)
		switch {
		case delta.N <= r.now.N: // what was read anew has it
		case delta.Restart || delta.N > r.now.N+1:
			r.readAnew()
		default:
			if r.now.Fields[delta.Channel] == nil {
				r.now.Fields[delta.Channel] = map[string]string{}
			}
			r.now.Fields[delta.Channel][delta.Field] += delta.Text
			r.now.N = delta.N
		}
	}
}

// watch returns the texts of a job and somebody who reads them.
func watch(t *testing.T, url, jobID string) (*events.Texts, *reader) {
	t.Helper()
	texts := events.NewTexts(client(t, url), quiet)
	_, deltas, stop := running(t, url).Watch(jobID)
	t.Cleanup(stop)
	r := &reader{t: t, texts: texts, deltas: deltas, jobID: jobID}
	r.readAnew()
	return texts, r
}

type fields = map[fanfare.Channel]map[string]string

func TestTextsAreReadAsTheyAreWritten(t *testing.T) {
	texts, r := watch(t, testdb.OwnRedis(t).URL(), "j1")
	sink, done := texts.Open("j1")
	sink.Append(fanfare.Email, "subject", "Grüße ")
	r.until(fields{"email": {"subject": "Grüße "}})
	sink.Append(fanfare.Email, "subject", "👋 “now”")
	sink.Append(fanfare.Email, "body", "one\n\"two\"")
	sink.Append(fanfare.SMS, "text", "sms")
	r.until(fields{"email": {"subject": "Grüße 👋 “now”", "body": "one\n\"two\""}, "sms": {"text": "sms"}})
	sink.Restart(fanfare.Email)
	sink.Append(fanfare.Email, "subject", "Anew")
	r.until(fields{"email": {"subject": "Anew"}, "sms": {"text": "sms"}})
	sink.Append(fanfare.SMS, "text", ", the end")
	done()
	partial, err := texts.Partial(t.Context(), "j1")
	if diff := cmp.Diff(fields{"email": {"subject": "Anew"}, "sms": {"text": "sms, the end"}}, partial.Fields); diff != "" || err != nil {
		t.Errorf("after the end: %v (-want +got):\n%s", err, diff)
	}
	if other, err := texts.Partial(t.Context(), "j2"); other.N != 0 || len(other.Fields) != 0 || err != nil {
		t.Errorf("another job has %v, %v", other, err)
	}
}

func TestAnySequenceOfTextsIsReadAsWritten(t *testing.T) {
	texts, r := watch(t, testdb.OwnRedis(t).URL(), "j1")
	sink, done := texts.Open("j1")
	defer done()
	want := fields{}
	for n := range 2000 {
		channel := fanfare.Channels()[rand.IntN(2)]
		if rand.IntN(50) == 0 {
			sink.Restart(channel)
			delete(want, channel)
			continue
		}
		if want[channel] == nil {
			want[channel] = map[string]string{}
		}
		field, text := fmt.Sprint("f", rand.IntN(3)), fmt.Sprint(n, "ü👋 ")
		sink.Append(channel, field, text)
		want[channel][field] += text
	}
	r.until(want)
}

// TestALaterAttemptBeginsAnew: what an earlier one left is replaced.
func TestALaterAttemptBeginsAnew(t *testing.T) {
	texts, r := watch(t, testdb.OwnRedis(t).URL(), "j1")
	first, done := texts.Open("j1")
	first.Append(fanfare.SMS, "text", "half a sen")
	done()
	r.until(fields{"sms": {"text": "half a sen"}})
	second, done := texts.Open("j1")
	defer done()
	second.Append(fanfare.SMS, "text", "A sentence.")
	r.until(fields{"sms": {"text": "A sentence."}})
}

// TestTextsOutliveTheLossOfRedis: the writer has them all.
func TestTextsOutliveTheLossOfRedis(t *testing.T) {
	url := testdb.OwnRedis(t).URL()
	texts, r := watch(t, url, "j1")
	sink, done := texts.Open("j1")
	defer done()
	sink.Append(fanfare.SMS, "text", "One, ")
	r.until(fields{"sms": {"text": "One, "}})
	if err := client(t, url).FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	sink.Append(fanfare.SMS, "text", "two.")
	await.True(t, "the texts are whole again", func() bool {
		partial, err := texts.Partial(t.Context(), "j1")
		return err == nil && cmp.Diff(fields{"sms": {"text": "One, two."}}, partial.Fields) == ""
	})
}

func TestTextsAreForgottenSoon(t *testing.T) {
	url := testdb.OwnRedis(t).URL()
	texts, r := watch(t, url, "j1")
	sink, done := texts.Open("j1")
	sink.Append(fanfare.SMS, "text", "secret")
	done()
	r.until(fields{"sms": {"text": "secret"}})
	keys := client(t, url).Keys(t.Context(), "*").Val()
	if len(keys) != 1 {
		t.Fatalf("Redis holds %v", keys)
	}
	if left := client(t, url).TTL(t.Context(), keys[0]).Val(); left <= 0 || left > 10*time.Minute {
		t.Errorf("%s is kept for %s", keys[0], left)
	}
}

// TestWithoutRedisWritingGoesOn: who works is not held up by who watches.
func TestWithoutRedisWritingGoesOn(t *testing.T) {
	t.Parallel()
	server := testdb.OwnRedis(t)
	texts := events.NewTexts(client(t, server.URL()), quiet)
	sink, done := texts.Open("j1")
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		for range 1000 {
			sink.Append(fanfare.SMS, "text", "word ")
		}
		done()
		close(ended)
	}()
	await.Value(t, "the end", ended)
	if _, err := texts.Partial(t.Context(), "j1"); err == nil {
		t.Error("texts were read from a frozen Redis")
	}
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
}
