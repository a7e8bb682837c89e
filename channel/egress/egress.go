// Package egress is the one way out to hosts that users name. It looks at the
// address that a connection really goes to, after the name was resolved, so
// neither a spelling of an address nor a name that changes its meaning between
// two looks leads to a private one.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 30 * time.Second
	callTimeout   = time.Minute
	maxHeaderSize = 64 << 10
	idlePerHost   = 16
)

// BlockedError says that a host is at an address that may not be reached.
type BlockedError struct{ Addr netip.Addr }

func (e *BlockedError) Error() string {
	return "the address " + e.Addr.String() + " may not be reached"
}

// Dialer opens connections to public addresses, and to others if it was told
// that it may. It knows no proxies.
type Dialer struct{ dialer net.Dialer }

// NewDialer returns a dialer. With allowPrivate it goes everywhere. The
// resolver is the system's if it is nil.
func NewDialer(allowPrivate bool, resolver *net.Resolver) *Dialer {
	d := &Dialer{net.Dialer{Timeout: dialTimeout, Resolver: resolver}}
	if !allowPrivate {
		d.dialer.ControlContext = refusePrivate
	}
	return d
}

// DialContext connects to host:port over TCP. An error wraps *BlockedError where
// the address was refused.
func (d *Dialer) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	return d.dialer.DialContext(ctx, "tcp", address)
}

// refusePrivate is called with the address of the connection that is about to
// be made, whatever was resolved before.
func refusePrivate(_ context.Context, _, address string, _ syscall.RawConn) error {
	peer, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("reading the address of a connection: %w", err)
	}
	if !Public(peer.Addr()) {
		return &BlockedError{peer.Addr()}
	}
	return nil
}

// NewClient returns a client that dials with dial, without proxies, follows no
// redirects (they would carry credentials elsewhere) and takes TLS 1.2 or later.
// It speaks HTTP/1.1 alone: over HTTP/2, net/http sends a POST again by itself
// where the server resets its stream with a protocol error, whatever the server
// has done by then. The roots are the system's if they are nil.
func NewClient(dial func(ctx context.Context, network, address string) (net.Conn, error), roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            dial,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			TLSHandshakeTimeout:    dialTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: maxHeaderSize,
			MaxIdleConnsPerHost:    idlePerHost,
			IdleConnTimeout:        time.Minute,
		},
	}
}
