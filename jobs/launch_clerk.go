package jobs

import (
	"context"
	"sync"

	"fanfare"
)

// clerk writes the ledger for the lanes of a channel. It has no timer: whoever
// comes while a turn is being written shares the next one, so that a lane never
// waits for the message of another, and many messages share a commit.
type clerk struct {
	sending *sending
	ctx     context.Context // without a cancel

	mu      sync.Mutex
	waiting []*visit
	busy    bool
	last    string          // the last delivery that was begun
	stock   []fanfare.Begun // begun for nobody yet
}

// visit is a lane's settlement of its last messages, and its wish for another.
type visit struct {
	done  []fanfare.Settlement
	more  bool
	next  *fanfare.Begun
	err   error
	ended chan struct{}
}

func newClerk(ctx context.Context, s *sending) *clerk {
	return &clerk{sending: s, ctx: context.WithoutCancel(ctx)}
}

// visit settles what is done and returns the next delivery, whose sending has
// begun; nil where there is none, or none was wanted. It writes whatever
// happens to the attempt: nobody else knows what became of the messages.
func (c *clerk) visit(done []fanfare.Settlement, more bool) (*fanfare.Begun, error) {
	if len(done) == 0 && !more {
		return nil, nil
	}
	v := &visit{done: done, more: more, ended: make(chan struct{})}
	c.mu.Lock()
	c.waiting = append(c.waiting, v)
	if !c.busy {
		c.busy = true
		go c.work()
	}
	c.mu.Unlock()
	<-v.ended
	return v.next, v.err
}

// work takes turns until nobody waits.
func (c *clerk) work() {
	for {
		c.mu.Lock()
		visits := c.waiting
		c.waiting = nil
		c.busy = len(visits) > 0
		c.mu.Unlock()
		if len(visits) == 0 {
			return
		}
		c.serve(visits)
	}
}

func (c *clerk) serve(visits []*visit) {
	var done []fanfare.Settlement
	wanted := 0
	for _, v := range visits {
		done = append(done, v.done...)
		if v.more {
			wanted++
		}
	}
	err := Protect(func() error { return c.turn(done, max(wanted-len(c.stock), 0)) })
	for _, v := range visits {
		if v.err = err; err == nil && v.more && len(c.stock) > 0 {
			v.next, c.stock = &c.stock[0], c.stock[1:]
		}
		close(v.ended)
	}
}

// turn settles and begins in one commit. One whose answer was lost is written
// again: what it began comes back.
func (c *clerk) turn(done []fanfare.Settlement, n int) error {
	s := c.sending
	page := fanfare.LedgerPage{LaunchID: s.launch.ID, Channel: s.channel, After: c.last, Limit: n}
	err := Persist(c.ctx, func() error {
		begun, err := s.run.Ledger.Turn(c.ctx, s.run.lease, done, page)
		if err != nil {
			return err
		}
		c.stock = append(c.stock, begun...)
		return nil
	})
	if err != nil {
		return err
	}
	settled := 0
	for _, d := range done {
		if d.Status != fanfare.DeliveryPending {
			settled++
		}
	}
	for _, d := range c.stock {
		c.last = max(c.last, d.ID)
	}
	s.meter.add(c.ctx, settled)
	return nil
}

// unsent gives back what was begun and taken by no lane.
func (c *clerk) unsent() []fanfare.Settlement {
	c.mu.Lock()
	defer c.mu.Unlock()
	var back []fanfare.Settlement
	for _, d := range c.stock {
		if !d.Skipped {
			back = append(back, fanfare.Settlement{ID: d.ID, Status: fanfare.DeliveryPending})
		}
	}
	c.stock = nil
	return back
}
