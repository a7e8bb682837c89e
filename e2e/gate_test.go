//go:build faults

package e2e

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// gate is a proxy that can be shut: it breaks every connection then, and takes
// no new one until it is open again.
type gate struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	shut  bool
	conns map[net.Conn]bool
}

// newGate returns the gate, and rawURL changed to lead through it.
func newGate(t testing.TB, rawURL string) (*gate, string) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	g := &gate{listener: listener, target: u.Host, conns: map[net.Conn]bool{}}
	go g.serve()
	u.Host = listener.Addr().String()
	return g, u.String()
}

// close shuts the gate.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	for conn := range g.conns {
		_ = conn.Close()
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = false
}

func (g *gate) serve() {
	for {
		client, err := g.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", g.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		if g.enter(client, server) {
			go g.pass(client, server)
			go g.pass(server, client)
		}
	}
}

func (g *gate) enter(conns ...net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range conns {
		if g.shut {
			_ = conn.Close()
		} else {
			g.conns[conn] = true
		}
	}
	return !g.shut
}

func (g *gate) pass(from, to net.Conn) {
	_, _ = io.Copy(to, from)
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, conn := range []net.Conn{from, to} {
		_ = conn.Close()
		delete(g.conns, conn)
	}
}
