package smtp

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	maxSessions = 8                // servers take few from one client
	maxCarried  = 100              // messages of one session; servers count
	maxIdle     = 20 * time.Second // less than what servers wait for
)

// pool keeps sessions for the next message.
type pool struct {
	account
	slots chan struct{} // one for each session that may be in use

	mu     sync.Mutex
	idle   []*session
	closed bool
}

func newPool(a account) *pool { return &pool{account: a, slots: make(chan struct{}, maxSessions)} }

// take returns a session that is nobody else's, and whether it is a new one. It
// is to be given back.
func (p *pool) take(ctx context.Context) (s *session, isNew bool, failed *failure) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, &failure{connecting, ctx.Err()}
	}
	if s := p.takeIdle(); s != nil {
		return s, false, nil
	}
	s, failed = p.dial(ctx)
	if failed != nil {
		<-p.slots
	}
	return s, true, failed
}

func (p *pool) takeIdle() *session {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	last := len(p.idle) - 1
	s := p.idle[last]
	p.idle = p.idle[:last]
	s.idle.Stop()
	return s
}

func (p *pool) give(s *session) {
	defer func() { <-p.slots }()
	if s.broken || s.carried >= maxCarried || !p.keep(s) {
		s.quit()
	}
}

func (p *pool) keep(s *session) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.idle = append(p.idle, s)
	s.idle = time.AfterFunc(maxIdle, func() { p.expire(s) })
	return true
}

// expire ends a session that nobody wanted, unless somebody just took it.
func (p *pool) expire(s *session) {
	p.mu.Lock()
	at := slices.Index(p.idle, s)
	if at >= 0 {
		p.idle = slices.Delete(p.idle, at, at+1)
	}
	p.mu.Unlock()
	if at >= 0 {
		s.quit()
	}
}

// close ends the idle sessions; those in use end when they are given back.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	var leaving sync.WaitGroup
	for _, s := range idle {
		s.idle.Stop()
		leaving.Go(s.quit)
	}
	leaving.Wait()
}
