package e2e

import (
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
)

// lossyProxy passes requests on to a server and loses every nth reply: the
// server has done what it was asked, its answer is dropped, and the connection
// with it. One that loses the reply to COMMIT is the hardest to get right.
type lossyProxy struct {
	listener net.Listener
	target   string
	every    int64
	requests atomic.Int64
	lost     atomic.Int64
}

// newLossyProxy returns the proxy, and rawURL changed to lead through it.
func newLossyProxy(t testing.TB, rawURL string, every int64) (*lossyProxy, string) {
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
	p := &lossyProxy{listener: listener, target: u.Host, every: every}
	go p.serve()
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *lossyProxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.pass(client)
	}
}

func (p *lossyProxy) pass(client net.Conn) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	var losing atomic.Bool
	go func() {
		defer func() { _ = server.Close() }()
		p.passRequests(client, server, &losing)
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if losing.Load() {
			p.lost.Add(1)
			return
		}
		if err != nil {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (p *lossyProxy) passRequests(client io.Reader, server io.Writer, losing *atomic.Bool) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		if p.requests.Add(1)%p.every == 0 {
			losing.Store(true)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
	}
}
