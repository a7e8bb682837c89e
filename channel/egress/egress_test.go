package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// loopbackServer counts what reaches it.
func loopbackServer(t *testing.T) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	var hits atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if r.URL.Path == "/elsewhere" {
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(server.Close)
	return server, &hits
}

func portOf(t *testing.T, server *httptest.Server) string {
	t.Helper()
	_, port, err := net.SplitHostPort(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// resolverOf answers each question with the next of the addresses, and with the
// last from then on: a name that changes its meaning between two looks.
func resolverOf(t *testing.T, addresses ...string) *net.Resolver {
	t.Helper()
	listener, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go serveDNS(listener, addresses)
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", listener.LocalAddr().String())
	}}
}

func serveDNS(listener net.PacketConn, addresses []string) {
	packet := make([]byte, 1500)
	for {
		n, peer, err := listener.ReadFrom(packet)
		if err != nil {
			return
		}
		var message dnsmessage.Message
		if message.Unpack(packet[:n]) != nil || len(message.Questions) == 0 {
			continue
		}
		question := message.Questions[0]
		message.Response, message.Additionals = true, nil
		if question.Type == dnsmessage.TypeA {
			message.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.AResource{A: netip.MustParseAddr(addresses[0]).As4()},
			}}
			addresses = addresses[min(1, len(addresses)-1):]
		}
		if answer, err := message.Pack(); err == nil {
			_, _ = listener.WriteTo(answer, peer)
		}
	}
}

func TestPrivateAddressesAreRefusedHoweverTheyAreWritten(t *testing.T) {
	server, hits := loopbackServer(t)
	dialer := NewDialer(false, nil)
	for _, host := range []string{
		"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]", "127.1", "2130706433", "0x7f000001",
		"0x7f.0.0.1", "0177.0.0.1", "017700000001", "127.0.0.1.", "[::ffff:7f00:1]", "[::127.0.0.1]",
	} {
		if conn, err := dialer.DialContext(t.Context(), "tcp", host+":"+portOf(t, server)); err == nil {
			conn.Close()
			t.Errorf("%s was reached", host)
		}
	}
	_, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:"+portOf(t, server))
	if blocked, ok := errors.AsType[*BlockedError](err); !ok || blocked.Addr != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("the refusal is %v", err)
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came through", hits.Load())
	}
}

func TestNameThatChangesItsMeaning(t *testing.T) {
	server, hits := loopbackServer(t)
	resolver := resolverOf(t, "93.184.216.34", "127.0.0.1")
	// The look before use, as a check of the name would do it, finds nothing wrong.
	seen, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example.com.")
	if err != nil || len(seen) != 1 || !Public(seen[0]) {
		t.Fatalf("the first look saw %v, %v", seen, err)
	}
	client := NewClient(NewDialer(false, resolver).DialContext, nil)
	response, err := client.Get("http://rebind.example.com.:" + portOf(t, server))
	if err == nil {
		response.Body.Close()
	}
	if _, ok := errors.AsType[*BlockedError](err); !ok {
		t.Errorf("the second use was not refused: %v", err)
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests came through", hits.Load())
	}
}

func TestAllowPrivate(t *testing.T) {
	server, hits := loopbackServer(t)
	client := NewClient(NewDialer(true, resolverOf(t, "127.0.0.1")).DialContext, nil)
	response, err := client.Get("http://mail.example.com.:" + portOf(t, server))
	if err != nil || hits.Load() != 1 {
		t.Fatalf("%v, %d requests", err, hits.Load())
	}
	response.Body.Close()
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	server, hits := loopbackServer(t)
	client := NewClient(NewDialer(true, nil).DialContext, nil)
	response, err := client.Post(server.URL+"/elsewhere", "text/plain", strings.NewReader("secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusTemporaryRedirect || hits.Load() != 1 {
		t.Errorf("status %d after %d requests", response.StatusCode, hits.Load())
	}
}

// net/http reads the variables once, so what happens in a test of many proves
// nothing.
func TestProxiesAreIgnored(t *testing.T) {
	transport, ok := NewClient(NewDialer(false, nil).DialContext, nil).Transport.(*http.Transport)
	if !ok || transport.Proxy != nil {
		t.Error("the client asks for a proxy")
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = nil
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	response, err := NewClient(NewDialer(true, nil).DialContext, roots).Get(server.URL)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		t.Error("TLS 1.1 was taken")
	}
}

// Over HTTP/2 the library would send a message twice that the server had taken.
func TestHTTP2IsNotSpoken(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	response, err := NewClient(NewDialer(true, nil).DialContext, roots).Post(server.URL, "text/plain", strings.NewReader("message"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if spoken, err := io.ReadAll(response.Body); string(spoken) != "HTTP/1.1" || err != nil {
		t.Errorf("%s, %v", spoken, err)
	}
}
