package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"fanfare"
)

const (
	lanesMax = 32 // messages in flight per channel, where the provider takes so many
	// napMax is how long an attempt waits for its turn to send; for longer it
	// gives its place in the queue away.
	napMax = 30 * time.Second
	// lastWords is how long messages in flight may take after a cancel.
	lastWords    = 3 * time.Second
	strandedPage = 100
)

// state is what the lanes of a channel share.
type state struct {
	mu     sync.Mutex
	halted *fanfare.SendError // no more is begun
	later  *fanfare.SendError // why something was put off
	empty  bool               // nothing is pending

	booking sync.Mutex // held by the lane that waits for its time
}

// send sends what is pending on the channel, each message at most once.
func (c *sending) send(ctx context.Context) error {
	if c.trouble != nil {
		return nil
	}
	c.clerk = newClerk(ctx, c)
	if err := c.settleStranded(ctx); err != nil {
		return err
	}
	count := min(max(c.connection.Parallel(), 1), lanesMax)
	errs := make([]error, count)
	var wg sync.WaitGroup
	for i := range count {
		wg.Go(func() { errs[i] = Protect(func() error { return c.lane(ctx) }) })
	}
	wg.Wait()
	if _, err := c.clerk.visit(c.clerk.unsent(), false); err != nil {
		return err
	}
	c.trouble = c.state.halted
	if c.trouble == nil {
		c.trouble = c.state.later
	}
	return worst(errs)
}

// lane sends message after message. One visit to the clerk settles the last and
// begins the next; where the rate makes it wait in between, it takes two.
func (c *sending) lane(ctx context.Context) error {
	later, cancel := lateCancel(ctx, lastWords)
	defer cancel()
	var done []fanfare.Settlement
	for {
		if c.connection.Rate() > 0 && done != nil {
			if _, err := c.clerk.visit(done, false); err != nil {
				return err
			}
			done = nil
		}
		more, err := c.book(ctx)
		if err != nil {
			return err
		}
		next, err := c.clerk.visit(done, more)
		if err != nil || next == nil {
			c.noMore()
			return err
		}
		if done = nil; !next.Skipped {
			done = settled(c.one(later, *next))
		}
	}
}

// settled is a list of what a message has become, if that is known.
func settled(s fanfare.Settlement) []fanfare.Settlement {
	if s.ID == "" {
		return nil
	}
	return []fanfare.Settlement{s}
}

// book reports whether another message may go out now. Where there is a rate,
// one lane at a time waits for its time, so that no booked time is lost.
func (c *sending) book(ctx context.Context) (bool, error) {
	rate := c.connection.Rate()
	if rate == 0 || c.isOver(ctx) {
		return !c.isOver(ctx), nil
	}
	c.state.booking.Lock()
	defer c.state.booking.Unlock()
	if c.isOver(ctx) {
		return false, nil
	}
	wait, err := c.run.Ledger.Reserve(ctx, c.integration.ID, rate, napMax)
	if ctx.Err() != nil || err != nil {
		return false, err
	}
	if c.putOffFor(wait) {
		return false, nil
	}
	select {
	case <-ctx.Done():
		return false, nil
	case <-time.After(wait):
		return !c.isOver(ctx), nil
	}
}

// putOffFor gives the rest to a later attempt if the wait is long.
func (c *sending) putOffFor(wait time.Duration) bool {
	if wait <= napMax {
		return false
	}
	c.halt(&fanfare.SendError{
		Fate: fanfare.FateHalted, RetryAfter: wait, Reason: "The provider's sending rate is used up for now; sending goes on by itself.",
	})
	return true
}

// lateCancel returns a context that ends some time after ctx does: messages may
// end what they began when the attempt is stopped.
func lateCancel(ctx context.Context, late time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-later.Done():
		case <-time.After(late):
			cancel()
		}
	})
	return later, func() { stop(); cancel() }
}

func (c *sending) message(d fanfare.Begun) fanfare.Outgoing {
	m := fanfare.Outgoing{ID: d.ID, Channel: c.channel, Recipient: d.Recipient, Content: c.campaign.Content, Again: d.Again}
	if d.Recipient != "" && c.channel == fanfare.Email {
		m.UnsubscribeURL = c.run.Links.UnsubscribeURL(c.launch.UserID, c.channel, d.Recipient)
	}
	return m
}

// one sends one message and says what became of it. Only where the provider
// certainly did not take it, it is pending again.
func (c *sending) one(ctx context.Context, d fanfare.Begun) fanfare.Settlement {
	m := c.message(d)
	var providerID string
	err := Protect(func() (err error) {
		providerID, err = c.connection.Send(ctx, m)
		return err
	})
	if err == nil {
		return fanfare.Settlement{ID: d.ID, Status: fanfare.DeliverySent, ProviderID: providerID}
	}
	trouble := ofUnknownFate(err)
	switch trouble.Fate {
	case fanfare.FateRefused:
		return fanfare.Settlement{ID: d.ID, Status: fanfare.DeliveryFailed, Reason: trouble.Reason}
	case fanfare.FateDeferred:
		c.putOff(trouble)
		return fanfare.Settlement{ID: d.ID, Status: fanfare.DeliveryPending, Reason: trouble.Reason}
	case fanfare.FateHalted, fanfare.FateUnauthorized:
		c.stopFor(ctx, trouble)
		return fanfare.Settlement{ID: d.ID, Status: fanfare.DeliveryPending, Reason: trouble.Reason}
	default:
		settled := c.ask(ctx, m, trouble.Reason)
		if settled.Status == fanfare.DeliveryPending {
			c.putOff(&fanfare.SendError{Fate: fanfare.FateDeferred, Reason: trouble.Reason})
		}
		return settled
	}
}

// ofUnknownFate: an error that says nothing of the message's fate leaves it
// unknown.
func ofUnknownFate(err error) *fanfare.SendError {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e
	}
	return &fanfare.SendError{Fate: fanfare.FateUnknown, Reason: "Something broke while the message was handed over.", Cause: err}
}

// ask settles a delivery that was cut off by what its provider says. One that
// can't be asked now leaves it as it is, and stops the channel: a later attempt
// asks again.
func (c *sending) ask(ctx context.Context, m fanfare.Outgoing, reason string) fanfare.Settlement {
	var answer fanfare.Answer
	err := Protect(func() (err error) {
		answer, err = c.connection.Ask(ctx, m)
		return err
	})
	if err != nil {
		c.halt(asSendError(err))
		return fanfare.Settlement{}
	}
	switch answer.State {
	case fanfare.AnswerTaken:
		return fanfare.Settlement{ID: m.ID, Status: fanfare.DeliverySent, ProviderID: answer.ProviderID}
	case fanfare.AnswerRepeat:
		return fanfare.Settlement{ID: m.ID, Status: fanfare.DeliveryPending, Reason: reason}
	default:
		return fanfare.Settlement{ID: m.ID, Status: fanfare.DeliveryUnknown, Reason: reason}
	}
}

// settleStranded settles what a lost attempt left in flight, as far as the
// provider can be asked.
func (c *sending) settleStranded(ctx context.Context) error {
	if c.replaced {
		return c.run.Ledger.Abandon(ctx, c.run.lease, c.launch.ID, c.channel, fanfare.LostInFlight)
	}
	page := fanfare.LedgerPage{LaunchID: c.launch.ID, Channel: c.channel, Limit: strandedPage}
	for {
		stranded, err := c.run.Ledger.Stranded(ctx, c.run.lease, page)
		if err != nil || len(stranded) == 0 {
			return err
		}
		for _, d := range stranded {
			if c.isOver(ctx) {
				return nil
			}
			if settled := c.ask(ctx, c.message(d), fanfare.LostInFlight); settled.ID != "" {
				if _, err := c.clerk.visit([]fanfare.Settlement{settled}, false); err != nil {
					return err
				}
			}
		}
		page.After = stranded[len(stranded)-1].ID
	}
}

// stopFor begins no more messages, and lets other workers know how long the
// provider wants to be left alone.
func (c *sending) stopFor(ctx context.Context, trouble *fanfare.SendError) {
	if !c.halt(trouble) {
		return
	}
	if trouble.Fate == fanfare.FateUnauthorized {
		c.mark(ctx, trouble)
	}
	if trouble.RetryAfter > 0 {
		if err := c.run.Ledger.Hold(ctx, c.integration.ID, trouble.RetryAfter); err != nil {
			c.run.Logger.WarnContext(ctx, "an integration could not be held back", "error", err)
		}
	}
}

func (c *sending) halt(trouble *fanfare.SendError) (first bool) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	first = c.state.halted == nil
	if first {
		c.state.halted = trouble
	}
	return first
}

// isOver reports whether no more messages are to be begun.
func (c *sending) isOver(ctx context.Context) bool {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	return ctx.Err() != nil || c.state.halted != nil || c.state.empty
}

func (c *sending) noMore() {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	c.state.empty = true
}

func (c *sending) putOff(trouble *fanfare.SendError) {
	c.state.mu.Lock()
	defer c.state.mu.Unlock()
	c.state.later = trouble
}
