package conformance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"fanfare/channel/connector"
	"fanfare/channel/egress"
)

// Standin is what a stand-in for a provider's HTTP API is made of: a server that
// obeys, but for the steps at which it was told to do otherwise.
type Standin struct {
	*httptest.Server
	step    func(*http.Request) string
	obey    http.HandlerFunc
	stalled chan struct{}
	end     chan struct{}

	mu    sync.Mutex
	acts  map[string]Act
	steps []string
}

// Act is what a stand-in does at a step. It answers with Answer, if there is
// one, in place of obeying; or it obeys, if it is told to, and then never
// answers or cuts the connection.
type Act struct {
	Answer           http.HandlerFunc
	Obey, Stall, Cut bool
}

// NewStandin starts a server. The name of a request's step is for Set; obey is
// called for one request at a time.
func NewStandin(t *testing.T, step func(*http.Request) string, obey http.HandlerFunc) *Standin {
	t.Helper()
	var one sync.Mutex
	s := &Standin{
		step: step, stalled: make(chan struct{}, 1000), end: make(chan struct{}),
		obey: func(w http.ResponseWriter, r *http.Request) {
			one.Lock()
			defer one.Unlock()
			obey(w, r)
		},
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() {
		close(s.end)
		s.Close()
	})
	return s
}

// Set says what to do from now on, by the name of the step.
func (s *Standin) Set(acts map[string]Act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts = acts
}

// Steps lists the requests that there were.
func (s *Standin) Steps() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.steps...)
}

// Stalled implements Peer.
func (s *Standin) Stalled() <-chan struct{} { return s.stalled }

// Outside implements Peer for a provider that is found by its credentials or by
// the given name, below the path.
func (s *Standin) Outside(provider, path string) connector.Outside {
	dial := egress.NewDialer(true, nil).DialContext
	alone := func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != s.Listener.Addr().String() {
			return nil, fmt.Errorf("a test goes to %s, past the stand-in: Open has to use Outside.BaseURLs", address)
		}
		return dial(ctx, network, address)
	}
	return connector.Outside{
		AllowPrivate: true,
		HTTP:         egress.NewClient(alone, nil),
		BaseURLs:     map[string]string{provider: s.URL + path},
	}
}

func (s *Standin) serve(w http.ResponseWriter, r *http.Request) {
	step := s.step(r)
	s.mu.Lock()
	act, told := s.acts[step]
	s.steps = append(s.steps, step)
	s.mu.Unlock()
	switch {
	case !told:
		s.obey(w, r)
		return
	case act.Answer != nil:
		act.Answer(w, r)
		return
	case act.Obey:
		s.obey(httptest.NewRecorder(), r)
	}
	if act.Cut {
		panic(http.ErrAbortHandler)
	}
	s.stalled <- struct{}{}
	select {
	case <-r.Context().Done():
	case <-s.end:
	}
}

// silence puts an empty object in place of the answer to the request by which the
// peer takes a message.
type silence struct {
	http.RoundTripper
	peer  Peer
	asked *atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (s silence) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked.Store(true)
	before := s.peer.Taken()
	response, err := s.RoundTripper.RoundTrip(r)
	if err != nil || s.peer.Taken() == before {
		return response, err
	}
	response.Body.Close()
	empty := httptest.NewRecorder()
	_, _ = empty.WriteString("{}")
	return empty.Result(), nil
}
