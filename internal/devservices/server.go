package devservices

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// startLimit bounds one start: a recovery after a crash takes seconds.
const startLimit = time.Minute

// engine is what differs between PostgreSQL and Redis.
type engine interface {
	name() string
	// prepare makes the data if there is none and makes sure that no earlier
	// server uses it.
	prepare(ctx context.Context) error
	// spec says how to start the server.
	spec(port int) *spec
	// ready returns nil once the server on that port answers and is the process
	// with that id, not a stranger who was quicker to take the port.
	ready(ctx context.Context, port, pid int) error
	url(port int) string
	// dataDir is what is removed when the data is temporary.
	dataDir() string
}

// Server is one development server. It keeps its port and its data from start
// to start, so that a test can break it and bring it back under its clients.
type Server struct {
	engine    engine
	log       string
	temporary bool
	newPort   func() int

	mu    sync.Mutex
	port  int
	child *child
}

func newServer(e engine, dir string, temporary bool) *Server {
	return &Server{engine: e, temporary: temporary, newPort: randomPort, log: filepath.Join(dir, e.name()+".log")}
}

// URL returns the server's URL, the same over its whole life.
func (s *Server) URL() string {
	if s == nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.engine.url(s.port)
}

// PID returns the id of the server's process, 0 while it is not running.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.child.running() {
		return 0
	}
	return s.child.pid
}

// Start starts a server that was stopped or killed, and returns once it answers.
func (s *Server) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child.running() {
		return fmt.Errorf("starting %s: it runs already", s.engine.name())
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := s.engine.prepare(ctx); err != nil {
		return fmt.Errorf("preparing %s: %w", s.engine.name(), err)
	}
	return s.startAndRetry(ctx)
}

// startAndRetry tries again where the server ended by itself: a stranger took
// its port first, or an orphan of the run before still held its memory.
func (s *Server) startAndRetry(ctx context.Context) error {
	for attempt := 1; ; attempt++ {
		port := s.port
		if port == 0 {
			port = s.newPort()
		}
		err := s.startOn(ctx, port)
		if err == nil {
			s.port = port
			return nil
		}
		if !errors.Is(err, errEnded) || attempt == 5 {
			return err
		}
	}
}

var errEnded = errors.New("it ended by itself")

func (s *Server) startOn(ctx context.Context, port int) error {
	spec := s.engine.spec(port)
	spec.Log = s.log
	if s.temporary {
		spec.Remove = s.engine.dataDir()
	}
	child, err := launch(ctx, spec)
	if err != nil {
		return fmt.Errorf("starting %s: %w", s.engine.name(), err)
	}
	if err := s.awaitReady(ctx, child, port); err != nil {
		child.stop()
		return fmt.Errorf("starting %s: %w; the end of %s: %s", s.engine.name(), err, s.log, tail(s.log))
	}
	s.child = child
	return nil
}

func (s *Server) awaitReady(ctx context.Context, c *child, port int) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	var unready error
	for {
		answer := make(chan error, 1)
		go func() { answer <- s.engine.ready(ctx, port, c.pid) }()
		select {
		case unready = <-answer:
			if unready == nil {
				return nil
			}
		case <-c.ended: // whoever has the port may never answer
			return errEnded
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), unready)
		case <-again.C:
		}
	}
}

// Stop shuts the server down in good order and keeps its data.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.child.running() {
		return fmt.Errorf("stopping %s: it is not running", s.engine.name())
	}
	s.child.stop()
	return nil
}

// Kill ends the server at once, as a crash would (SIGKILL).
func (s *Server) Kill() error {
	return s.signal(func(c *child) error {
		if err := kill(c.pid); err != nil {
			return err
		}
		<-c.ended
		return c.orders.Close()
	})
}

// Pause freezes the server (SIGSTOP): connections stay open, new ones are
// accepted by the kernel, nothing answers.
func (s *Server) Pause() error {
	return s.signal(func(c *child) error { return freeze(c.pid) })
}

// Resume undoes Pause.
func (s *Server) Resume() error {
	return s.signal(func(c *child) error { return thaw(c.pid) })
}

func (s *Server) signal(send func(*child) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.child.running() {
		return fmt.Errorf("signalling %s: it is not running", s.engine.name())
	}
	return send(s.child)
}

// end stops the server if it runs, for good.
func (s *Server) end() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.child.running() {
		s.child.end()
	}
	if !s.temporary {
		return nil
	}
	return removeData(s.engine.dataDir())
}

// randomPort returns a port below the range from which systems take ports for
// outgoing connections (from 32768 on Linux, 49152 on macOS): a client that
// keeps dialling a stopped server on a port of that range ends up connected to
// itself, and the server can't come back.
func randomPort() int { return 20000 + rand.IntN(12000) }

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func tail(path string) []byte {
	const most = 1000
	log, err := os.ReadFile(path)
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(log[max(0, len(log)-most):])
}

// serverEnv is all that a server gets of the environment: no PGPORT or the
// like. On macOS PostgreSQL refuses to start without a locale.
func serverEnv() []string { return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"} }
