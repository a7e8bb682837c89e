//go:build faults

package e2e

import (
	"net/url"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// gate is a proxy that can be shut, or held up.
type gate struct {
	t     testing.TB
	proxy *toxiproxy.Proxy
}

// newGate returns the gate, and rawURL changed to lead through it.
func newGate(t testing.TB, rawURL string) (*gate, string) {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	proxy := toxiproxy.NewProxy(server, "gate", "127.0.0.1:0", u.Host)
	if err := proxy.Start(); err != nil {
		t.Fatalf("starting a proxy: %v", err)
	}
	t.Cleanup(proxy.Stop)
	u.Host = proxy.Listen
	return &gate{t: t, proxy: proxy}, u.String()
}

// close breaks every connection, and takes no new one.
func (g *gate) close() { g.proxy.Stop() }

// open takes connections again, once the system gives its port back.
func (g *gate) open() {
	g.t.Helper()
	eventually(g.t, patience, "the gate to open", func() bool { return g.proxy.Start() == nil })
}

// stall swallows what the server answers. Requests still arrive, and
// connections stay.
func (g *gate) stall() {
	g.t.Helper()
	_, err := g.proxy.Toxics.AddToxicJson(strings.NewReader(
		`{"name": "stall", "type": "timeout", "stream": "downstream", "attributes": {"timeout": 0}}`))
	if err != nil {
		g.t.Fatalf("stalling a proxy: %v", err)
	}
}

// flow lets answers pass again, on new connections: those that were stalled
// have lost bytes, and end.
func (g *gate) flow() {
	g.t.Helper()
	if err := g.proxy.Toxics.RemoveToxic(g.t.Context(), "stall"); err != nil {
		g.t.Fatalf("letting a proxy flow: %v", err)
	}
}
