package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"fanfare"
)

func (t *trial) checksCredentials() {
	c := t.connector(longPatience)
	good := t.peer.Credentials()
	if err := c.Check(good); err != nil {
		t.Errorf("good credentials: %v", err)
	}
	for _, field := range c.Provider().CredentialFields {
		if field.Required {
			t.checkRefused(c.Check(with(good, field.Name, "")), field.Name)
		}
		t.checkRefused(c.Check(with(good, field.Name, good[field.Name]+"\r\nX: y")), field.Name)
	}
	t.checkRefused(c.Check(with(good, "surplus", "x")), "surplus")
	t.checkRefused(c.Check(with(good, "ratePerSecond", "fast")), "ratePerSecond")
	if err := c.Check(with(good, "ratePerSecond", "2.5")); err != nil {
		t.Errorf("every provider has connector.RateCredential: %v", err)
	}
	connection, err := c.Open(with(good, "ratePerSecond", "2.5"))
	if err != nil || connection.Rate() != 2.5 {
		t.Errorf("a limit of 2.5 a second: %v", err)
	}
}

func with(c fanfare.Credentials, name, value string) fanfare.Credentials {
	changed := maps.Clone(c)
	changed[name] = value
	return changed
}

func (t *trial) checkRefused(err error, field string) {
	t.Helper()
	t.hear(fmt.Sprintf("%v %+v", err, err))
	refusal, ok := errors.AsType[*fanfare.Error](err)
	if !ok || refusal.Code != fanfare.CodeInvalidRequest || !names(refusal, field) {
		t.Errorf("%s: %v", field, err)
	}
}

func names(refusal *fanfare.Error, field string) bool {
	return slices.ContainsFunc(refusal.Fields, func(f fanfare.FieldError) bool { return f.Field == "credentials."+field })
}

func (t *trial) tests() {
	if err := t.open(longPatience).Test(t.Context()); err != nil {
		t.Error(err)
	}
	t.wantTaken(0)
}

func (t *trial) previews() {
	t.peer.Behave(StallsBefore) // nobody is asked
	requests, err := t.open(longPatience).Preview(t.Context(), t.Message)
	if err != nil || len(requests) == 0 {
		t.Fatalf("%d requests, %v", len(requests), err)
	}
	for _, request := range requests {
		t.hear(fmt.Sprint(request.URL, request.Headers, request.Body))
		if request.Method == "" || !strings.Contains(request.URL, "://") {
			t.Errorf("%+v", request)
		}
	}
	select {
	case <-t.peer.Stalled():
		t.Error("a preview asked the provider")
	default:
	}
	t.wantTaken(0)
}

func (t *trial) sends() {
	connection := t.open(longPatience)
	t.send(connection, t.Message)
	t.wantTaken(1)
	t.hear(fmt.Sprintf("%v %+v %v", connection.Provider(), t.peer.Credentials(), t.connector(longPatience).Provider()))
}

func (t *trial) sendsAtOnce() {
	const messages = 20
	connection := t.open(longPatience)
	var sending sync.WaitGroup
	for i := range messages {
		m := t.Message
		m.ID = fmt.Sprintf("%s-%d", m.ID, i)
		sending.Go(func() { t.send(connection, m) })
	}
	sending.Wait()
	t.wantTaken(messages)
}

func (t *trial) isRefused() {
	t.peer.Behave(Refuses)
	connection := t.open(longPatience)
	t.wantFate(t.try(connection), fanfare.FateRefused)
	t.wantTaken(0)
	t.peer.Behave(Takes)
	m := t.Message
	m.ID += "-next"
	t.send(connection, m)
	t.wantTaken(1)
}

func (t *trial) isLimited() {
	t.peer.Behave(RateLimits)
	connection := t.open(longPatience)
	e := t.try(connection)
	t.wantFate(e, fanfare.FateHalted, fanfare.FateDeferred)
	if (e.RetryAfter-t.RetryAfter).Abs() > time.Second || (e.RetryAfter == 0) != (t.RetryAfter == 0) {
		t.Errorf("to be asked again in %v, want %v", e.RetryAfter, t.RetryAfter)
	}
	t.wantTaken(0)
	t.peer.Behave(Takes)
	t.send(connection, t.Message)
	t.wantTaken(1)
}

func (t *trial) hasBadCredentials() {
	t.peer.Behave(RejectsCredentials)
	connection := t.open(longPatience)
	t.wantFate(t.failed(connection.Test(t.Context())), fanfare.FateUnauthorized)
	t.wantFate(t.try(connection), fanfare.FateUnauthorized)
	t.wantTaken(0)
}

func (t *trial) waitsInVainBefore() { t.failsBefore(StallsBefore, shortPatience) }
func (t *trial) isCutOffBefore()    { t.failsBefore(BreaksBefore, longPatience) }

// failsBefore: the message was not taken, and may be sent again as soon as that
// is certain.
func (t *trial) failsBefore(b Behaviour, patience time.Duration) {
	t.peer.Behave(b)
	t.judgeBefore(t.try(t.open(patience)))
}

func (t *trial) judgeBefore(e *fanfare.SendError) {
	t.Helper()
	t.wantTaken(0)
	if t.OneRequest {
		t.wantFate(e, fanfare.FateUnknown)
		return
	}
	t.wantFate(e, fanfare.FateDeferred, fanfare.FateHalted)
	t.peer.Behave(Takes)
	t.send(t.open(longPatience), t.Message)
	t.wantTaken(1)
}

func (t *trial) waitsInVainAfter() { t.failsAfter(StallsAfter, shortPatience) }
func (t *trial) isCutOffAfter()    { t.failsAfter(BreaksAfter, longPatience) }

// failsAfter: the message was taken. The connector finds that out, or does not
// know; it never says anything else.
func (t *trial) failsAfter(b Behaviour, patience time.Duration) {
	t.peer.Behave(b)
	id, err := t.open(patience).Send(t.Context(), t.Message)
	t.judgeAfter(id, err)
}

func (t *trial) judgeAfter(id string, err error) {
	t.Helper()
	t.hear(id)
	if err != nil {
		t.wantFate(t.failed(err), fanfare.FateUnknown)
	}
	t.wantTaken(1)
	t.peer.Behave(Takes)
	connection := t.open(longPatience)
	answer, err := connection.Ask(t.Context(), t.Message)
	if err != nil || answer.State != t.AnswerTaken || (answer.State == fanfare.AnswerTaken) != (answer.ProviderID != "") {
		t.Errorf("asked, it says %+v, %v; want %s", answer, err, t.AnswerTaken)
	}
	if answer.State == fanfare.AnswerRepeat {
		t.send(connection, t.Message)
	}
	t.wantTaken(1)
}

// isToldNothing: a success that does not name the message is none. The connector
// finds out what became of it, or does not know.
func (t *trial) isToldNothing() {
	outside := t.peer.Outside()
	if outside.HTTP == nil {
		return // it speaks something else
	}
	client := *outside.HTTP
	var asked atomic.Bool
	client.Transport = silence{client.Transport, t.peer, &asked}
	outside.HTTP = &client
	id, err := t.connect(t.New(outside)).Send(t.Context(), t.Message)
	if !asked.Load() {
		t.Error("it reaches the provider past Outside.HTTP")
	}
	if err == nil && (id == "" || t.OneRequest) {
		t.Errorf("an answer that says nothing counts as sent, with the id %q", id)
	}
	t.judgeAfter(id, err)
}

func (t *trial) isCanceledBefore() {
	_, err := t.sendUntilStalled(StallsBefore)
	t.judgeBefore(t.failed(err))
}

func (t *trial) isCanceledAfter() {
	t.judgeAfter(t.sendUntilStalled(StallsAfter))
}

// sendUntilStalled cancels a Send as soon as the provider stalls. It then ends,
// well before its own patience does.
func (t *trial) sendUntilStalled(b Behaviour) (id string, err error) {
	t.peer.Behave(b)
	connection := t.open(longPatience)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		id, err = connection.Send(ctx, t.Message)
	}()
	for _, wait := range []<-chan struct{}{t.peer.Stalled(), ended} {
		select {
		case <-wait:
		case <-time.After(longPatience / 3):
			t.Fatal("the provider was not asked, or Send did not end with its context")
		}
		cancel()
	}
	return id, err
}

func (t *trial) isNotBegun() {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := t.open(longPatience).Send(ctx, t.Message)
	t.wantFate(t.failed(err), fanfare.FateDeferred, fanfare.FateHalted)
	t.wantTaken(0)
}

func (t *trial) asksForNothing() {
	connection := t.open(longPatience)
	answer, err := connection.Ask(t.Context(), t.Message)
	want := cmp.Or(t.AnswerNothing, fanfare.AnswerUnknown)
	if err != nil || answer.State != want || answer.ProviderID != "" {
		t.Errorf("asked for what was never sent, it says %+v, %v; want %s", answer, err, want)
	}
	t.wantTaken(0)
	if answer.State == fanfare.AnswerRepeat { // whoever was at it first may come last
		t.send(connection, t.Message)
		t.send(connection, t.Message)
		t.wantTaken(1)
	}
}

// isTooMuch: what does not fit is refused wherever it comes up, never cut.
func (t *trial) isTooMuch() {
	fitter, ok := t.open(longPatience).(fanfare.Fitter)
	if !ok {
		if t.TooMuch != nil {
			t.Error("a launch can't find out that it is too much")
		}
		return
	}
	if t.TooMuch == nil {
		t.Fatal("it is a fanfare.Fitter: Case.TooMuch has to say what it refuses")
	}
	if err := fitter.Fits(t.Context(), t.Message.Content); err != nil {
		t.Errorf("what fits is too much: %v", err)
	}
	t.wantFate(t.failed(fitter.Fits(t.Context(), *t.TooMuch)), fanfare.FateRefused)
	m := t.Message
	m.Content = *t.TooMuch
	_, err := t.open(longPatience).Send(t.Context(), m)
	t.wantFate(t.failed(err), fanfare.FateRefused)
	t.wantTaken(0)
}

// try sends the message, which must fail.
func (t *trial) try(connection fanfare.Connection) *fanfare.SendError {
	t.Helper()
	id, err := connection.Send(t.Context(), t.Message)
	if id != "" {
		t.Errorf("a message that failed has the id %q", id)
	}
	return t.failed(err)
}

// failed returns the error as what it has to be: fit for people.
func (t *trial) failed(err error) *fanfare.SendError {
	t.Helper()
	t.hear(fmt.Sprintf("%v %+v %#v", err, err, err))
	e, ok := errors.AsType[*fanfare.SendError](err)
	if !ok {
		t.Fatalf("%v is no *fanfare.SendError", err)
	}
	t.hear(e.Reason)
	if e.Cause != nil {
		t.hear(fmt.Sprintf("%v %+v", e.Cause, e.Cause))
	}
	n := utf8.RuneCountInString(e.Reason)
	if n == 0 || n > 200 || !utf8.ValidString(e.Reason) || strings.ContainsFunc(e.Reason, unicode.IsControl) {
		t.Errorf("the reason is not fit for people: %q", e.Reason)
	}
	return e
}

func (t *trial) wantFate(e *fanfare.SendError, want ...fanfare.Fate) {
	t.Helper()
	if !slices.Contains(want, e.Fate) {
		t.Errorf("the fate is %q, want %q", e, want)
	}
}
