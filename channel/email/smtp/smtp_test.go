package smtp

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
)

// open connects to the server, with changes to what is usual.
func (s *server) open(t *testing.T, change func(*connector.Outside, fanfare.Credentials)) fanfare.Connection {
	t.Helper()
	outside, credentials := s.outside(), s.credentials()
	outside.Patience = 20 * time.Second
	if change != nil {
		change(&outside, credentials)
	}
	connection, err := New(outside).Open(credentials)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection
}

func fateOf(t *testing.T, err error) fanfare.Fate {
	t.Helper()
	if err == nil {
		return "sent"
	}
	e, ok := errors.AsType[*fanfare.SendError](err)
	if !ok {
		t.Fatalf("%v is no *fanfare.SendError", err)
	}
	return e.Fate
}

func reasonOf(err error) string {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e.Reason
	}
	return ""
}

// Every answer at every step, against what may be said of the message.
func TestFateByStepAndAnswer(t *testing.T) {
	const (
		taken        = "sent"
		refused      = fanfare.FateRefused
		deferred     = fanfare.FateDeferred
		halted       = fanfare.FateHalted
		unauthorized = fanfare.FateUnauthorized
		unknown      = fanfare.FateUnknown
	)
	cut, mute, nonsense := act{cut: true}, act{stall: true}, act{reply: "what?"}
	says := func(reply string) act { return act{reply: reply} }
	for _, test := range []struct {
		step string
		act  act
		want fanfare.Fate
	}{
		{"connect", cut, halted}, {"connect", mute, halted}, {"connect", nonsense, halted},
		{"connect", says("421 busy"), halted}, {"connect", says("554 not you"), halted},
		{"EHLO", cut, halted}, {"EHLO", mute, halted}, {"EHLO", says("421 busy"), halted},
		{"AUTH", cut, halted}, {"AUTH", mute, halted}, {"AUTH", says("454 later"), halted}, {"AUTH", says("421 busy"), halted},
		{"AUTH", says("535 wrong"), unauthorized}, {"AUTH", says("534 too weak"), unauthorized}, {"AUTH", says("530 no"), unauthorized},
		{"AUTH", says("538 no"), unauthorized}, {"AUTH", says("550 no"), unauthorized}, {"AUTH", nonsense, halted},
		{"MAIL", cut, deferred}, {"MAIL", mute, deferred}, {"MAIL", nonsense, deferred}, {"MAIL", says("421 busy"), halted},
		{"MAIL", says("451 later"), deferred}, {"MAIL", says("550 not from you"), refused},
		{"MAIL", says("530 sign in"), unauthorized}, {"MAIL", says("535 no"), unauthorized},
		{"RCPT", cut, deferred}, {"RCPT", mute, deferred}, {"RCPT", nonsense, deferred}, {"RCPT", says("421 busy"), halted},
		{"RCPT", says("450 later"), deferred}, {"RCPT", says("452 full"), deferred}, {"RCPT", says("550 unknown"), refused},
		{"DATA", cut, deferred}, {"DATA", mute, deferred}, {"DATA", says("421 busy"), halted}, {"DATA", says("451 later"), deferred},
		{"DATA", says("554 no"), refused}, {"DATA", says("250 what"), deferred},
		{"end", cut, unknown}, {"end", mute, unknown}, {"end", nonsense, unknown}, {"end", says("354 what"), unknown},
		{"end", says("199 what"), unknown}, {"end", says("999 what"), unknown}, {"end", says("2"), unknown},
		{"end", says("250-no end"), unknown}, {"end", says("421 busy"), halted}, {"end", says("451 later"), deferred},
		{"end", says("452 full"), deferred}, {"end", says("552 too big"), refused}, {"end", says("554 spam"), refused},
		{"end", says("535 no"), refused}, {"end", says("251 forwarded"), taken}, {"end", act{}, taken},
		{"", act{}, taken},
	} {
		t.Run(fmt.Sprintf("%s %+v", test.step, test.act), func(t *testing.T) {
			s := newServer(t)
			s.on(test.step, test.act)
			c := s.open(t, func(o *connector.Outside, _ fanfare.Credentials) {
				if test.act.stall || strings.HasPrefix(test.act.reply, "250-") {
					o.Patience = 400 * time.Millisecond
				}
			})
			_, err := c.Send(t.Context(), letter())
			if got := fateOf(t, err); got != test.want {
				t.Errorf("%v, want %s", err, test.want)
			}
			if e, ok := errors.AsType[*fanfare.SendError](err); ok && strings.HasPrefix(test.act.reply, "421") != (e.RetryAfter > 0) {
				t.Errorf("to be asked again in %v", e.RetryAfter)
			}
		})
	}
}

// A message that was cut off in its middle must not be ended by what follows.
func TestCutWithinTheMessage(t *testing.T) {
	for _, stall := range []bool{false, true} {
		s := newServer(t)
		s.on("body", act{stall: stall, cut: !stall})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if stall {
			go func() { <-s.stalled; cancel() }()
		}
		p := s.pool()
		session, _, failed := p.take(ctx)
		if failed != nil {
			t.Fatal(failed.err)
		}
		_, failed = session.hand(ctx, message{
			from: "<a@example.com>", to: "<b@example.com>", raw: bytes.Repeat([]byte("more than any buffer on the way takes\r\n"), 1<<19),
		})
		if failed == nil || failed.at != writing || failed.fate() != fanfare.FateDeferred {
			t.Errorf("stall %v: %+v", stall, failed)
		}
		p.give(session)
		p.close()
		s.settle()
		if taken := s.received(); len(taken) != 0 {
			t.Errorf("stall %v: %d messages were taken", stall, len(taken))
		}
	}
}

// pool has the server's sessions.
func (s *server) pool() *pool {
	c := s.credentials()
	return newPool(account{
		outside: s.outside(), host: c["host"], port: c["port"], username: username, password: password, patience: time.Minute,
	})
}

func TestSessionsAreKept(t *testing.T) {
	s := newServer(t)
	c := s.open(t, nil)
	for i, a := range []map[string]act{
		nil, {"RCPT": {reply: "550 no"}}, {"DATA": {reply: "451 later"}}, {"end": {reply: "552 no"}}, nil,
	} {
		s.set(a, false)
		if _, err := c.Send(t.Context(), letter()); (err != nil) != (a != nil) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if s.connections() != 1 || len(s.received()) != 2 || s.seen("RSET") != 3 {
		t.Errorf("%d connections, %d messages, %d resets", s.connections(), len(s.received()), s.seen("RSET"))
	}
}

func TestDeadSessionsAreReplaced(t *testing.T) {
	for name, die := range map[string]func(*server){
		"cut":       func(s *server) { s.breakAll() },
		"timed out": func(s *server) { s.set(map[string]act{"MAIL": {reply: "421 too long idle"}}, true) },
	} {
		s := newServer(t)
		c := s.open(t, nil)
		for range 2 {
			if id, err := c.Send(t.Context(), letter()); err != nil {
				t.Errorf("%s: %q, %v", name, id, err)
			}
			die(s)
		}
		if s.connections() != 2 || len(s.received()) != 2 {
			t.Errorf("%s: %d connections, %d messages", name, s.connections(), len(s.received()))
		}
	}
}

// Once a message was spoken of, another session is no remedy.
func TestKeptSessionIsNotReplacedLater(t *testing.T) {
	for step, want := range map[string]fanfare.Fate{"RCPT": fanfare.FateDeferred, "DATA": fanfare.FateDeferred, "end": fanfare.FateUnknown} {
		s := newServer(t)
		c := s.open(t, nil)
		if _, err := c.Send(t.Context(), letter()); err != nil {
			t.Fatal(err)
		}
		s.set(map[string]act{step: {cut: true, take: step == "end"}}, true)
		if _, err := c.Send(t.Context(), letter()); fateOf(t, err) != want || s.connections() != 1 {
			t.Errorf("%s: %v after %d connections", step, err, s.connections())
		}
		if got := len(s.received()); step == "end" && got != 2 || step != "end" && got != 1 {
			t.Errorf("%s: %d messages", step, got)
		}
	}
}

func TestFreshSessionIsNotReplaced(t *testing.T) {
	s := newServer(t)
	s.on("MAIL", act{reply: "421 busy"})
	if _, err := s.open(t, nil).Send(t.Context(), letter()); fateOf(t, err) != fanfare.FateHalted || s.connections() != 1 {
		t.Errorf("%v after %d connections", err, s.connections())
	}
}

func TestSessionsHaveAnEnd(t *testing.T) {
	s := newServer(t)
	c := s.open(t, nil)
	for range maxCarried + 1 {
		if _, err := c.Send(t.Context(), letter()); err != nil {
			t.Fatal(err)
		}
	}
	if s.connections() != 2 || s.seen("QUIT") != 1 {
		t.Errorf("%d connections, %d taken leave of", s.connections(), s.seen("QUIT"))
	}
	c.Close()
	if s.seen("QUIT") != 2 {
		t.Error("the last session was not ended")
	}
	if _, err := c.Send(t.Context(), letter()); err != nil || s.seen("QUIT") != 3 {
		t.Errorf("after Close a session was kept: %v", err)
	}
}

func TestIdleSessionExpires(t *testing.T) {
	s := newServer(t)
	p := s.pool()
	kept, _, failed := p.take(t.Context())
	if failed != nil {
		t.Fatal(failed.err)
	}
	p.give(kept)
	p.expire(kept)
	if s.seen("QUIT") != 1 || p.takeIdle() != nil {
		t.Error("the session is still there")
	}
	p.expire(kept) // a timer that fired too late
	if s.seen("QUIT") != 1 {
		t.Error("a session was ended twice")
	}
}

// certify returns a certificate for 127.0.0.1, and who vouches for it.
func certify(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: key}}}, roots
}

func TestTLS(t *testing.T) {
	config, roots := certify(t)
	old := config.Clone()
	old.MaxVersion = tls.VersionTLS11
	for _, test := range []struct {
		name         string
		server       *tls.Config
		private      bool
		roots        *x509.CertPool
		implicit     bool
		want         fanfare.Fate
		wantInReason string
	}{
		{name: "verified", server: config, roots: roots, want: "sent"},
		{name: "verified from the start", server: config, roots: roots, implicit: true, want: "sent"},
		{name: "not offered", roots: roots, want: fanfare.FateUnauthorized, wantInReason: "offers no TLS"},
		{name: "not to be trusted", server: config, want: fanfare.FateHalted, wantInReason: "certificate"},
		{name: "not to be trusted from the start", server: config, implicit: true, want: fanfare.FateHalted, wantInReason: "certificate"},
		{name: "too old", server: old, roots: roots, want: fanfare.FateHalted, wantInReason: "TLS"},
		{name: "private, not to be trusted", server: config, private: true, want: "sent"},
		{name: "private, not offered", private: true, want: "sent"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, func(s *server) { s.tls, s.implicit = test.server, test.implicit })
			c := s.open(t, func(o *connector.Outside, c fanfare.Credentials) {
				o.AllowPrivate, o.Roots = test.private, test.roots // the way to the server stays open
				if test.implicit {
					c["port"] = implicitTLSPort
					o.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
						return egress.NewDialer(true, nil).DialContext(ctx, network, s.listener.Addr().String())
					}
				}
			})
			_, err := c.Send(t.Context(), letter())
			if got := fateOf(t, err); got != test.want || !strings.Contains(reasonOf(err), test.wantInReason) {
				t.Errorf("%v, want %s", err, test.want)
			}
			if signedIn := s.seen("AUTH") > 0; signedIn != (test.want == "sent") {
				t.Errorf("the password was shown: %v", signedIn)
			}
		})
	}
}

func TestSigningIn(t *testing.T) {
	for _, test := range []struct {
		mechs, user, pass string
		want              fanfare.Fate
		auths             int
	}{
		{"PLAIN LOGIN", username, password, "sent", 1},
		{"PLAIN", username, password, "sent", 1},
		{"LOGIN", username, password, "sent", 1},
		{"login", username, password, "sent", 1},
		{"CRAM-MD5", username, password, fanfare.FateUnauthorized, 0},
		{"PLAIN", username, "other", fanfare.FateUnauthorized, 0},
		{"LOGIN", username, "other", fanfare.FateUnauthorized, 0},
		{"PLAIN", "", "", "sent", 0},
		{"", username, password, "sent", 0}, // a private mailbox that knows no users
	} {
		s := newServer(t, func(s *server) { s.mechs = test.mechs })
		c := s.open(t, func(_ *connector.Outside, c fanfare.Credentials) { c["username"], c["password"] = test.user, test.pass })
		_, err := c.Send(t.Context(), letter())
		if got := fateOf(t, err); got != test.want || s.seen("AUTH") != test.auths {
			t.Errorf("%q, %q: %v, signed in %d times", test.mechs, test.user, err, s.seen("AUTH"))
		}
	}
}

func TestNoWayToSignInAtAPublicHost(t *testing.T) {
	config, roots := certify(t)
	s := newServer(t, func(s *server) { s.tls, s.mechs = config, "" })
	c := s.open(t, func(o *connector.Outside, _ fanfare.Credentials) { o.AllowPrivate, o.Roots = false, roots })
	if _, err := c.Send(t.Context(), letter()); fateOf(t, err) != fanfare.FateUnauthorized || len(s.received()) != 0 {
		t.Error(err)
	}
}

func TestTestAsksForTheSender(t *testing.T) {
	s := newServer(t)
	s.on("MAIL", act{reply: "550 not from you"})
	err := s.open(t, nil).Test(t.Context())
	if fateOf(t, err) != fanfare.FateRefused {
		t.Error(err)
	}
	s.on("", act{})
	if err := s.open(t, nil).Test(t.Context()); err != nil || len(s.received()) != 0 {
		t.Errorf("%v, %d messages", err, len(s.received()))
	}
}

func TestPrivateHostsAreRefused(t *testing.T) {
	s := newServer(t)
	c := s.open(t, func(o *connector.Outside, _ fanfare.Credentials) {
		o.AllowPrivate, o.Dial = false, egress.NewDialer(false, nil).DialContext
	})
	err := c.Test(t.Context())
	if fateOf(t, err) != fanfare.FateUnauthorized || !strings.Contains(reasonOf(err), "private address") || s.connections() != 0 {
		t.Errorf("%v after %d connections", err, s.connections())
	}
}

func TestEndlessAnswer(t *testing.T) {
	s := newServer(t)
	s.on("RCPT", act{reply: strings.Repeat("550-and so on\r\n", 1<<16) + "550 end"})
	_, err := s.open(t, nil).Send(t.Context(), letter())
	if !errors.Is(err, errAnswerTooLong) || fateOf(t, err) != fanfare.FateDeferred {
		t.Error(err)
	}
}

func TestRecipientsAreWhatTheyAre(t *testing.T) {
	for recipient, want := range map[string]string{
		"ann@example.org":              "TO:<ann@example.org>",
		"ann@bücher.example":           "TO:<ann@xn--bcher-kva.example>",
		`"ann b"@example.org`:          `TO:<"ann b"@example.org>`,
		"änn@example.org":              "TO:<änn@example.org>",
		"":                             "",
		"ann":                          "",
		"ann@example.org, b@x.example": "",
		"Ann <ann@example.org>":        "",
		"ann@example.org\r\nRCPT TO:<b@x.example>": "",
		"ann@example.org>\r\nRCPT TO:<b@x.example": "",
		"ann@example.org\nBcc: b@x.example":        "",
		"\"ann\r\nBcc: b@x.example\"@example.org":  "",
		"ann@exa mple.org":                         "",
	} {
		s := newServer(t)
		m := letter()
		m.Recipient = recipient
		_, err := s.open(t, nil).Send(t.Context(), m)
		var got string
		for _, r := range s.received() {
			got += r.to
		}
		if got != want || (err == nil) != (want != "") || err != nil && fateOf(t, err) != fanfare.FateRefused {
			t.Errorf("%q went to %q, %v", recipient, got, err)
		}
	}
}

func TestLettersBeyondASCIINeedAnExtension(t *testing.T) {
	s := newServer(t)
	m := letter()
	m.Recipient = "änn@example.org"
	c := s.open(t, nil)
	if _, err := c.Send(t.Context(), m); err != nil || !strings.Contains(s.received()[0].from, "SMTPUTF8") {
		t.Errorf("%v, %d taken", err, len(s.received()))
	}
	if _, err := c.Send(t.Context(), letter()); err != nil || strings.Contains(s.received()[1].from, "SMTPUTF8") {
		t.Errorf("%v, %d taken", err, len(s.received()))
	}
	s = newServer(t, func(s *server) { s.exts = nil })
	if _, err := s.open(t, nil).Send(t.Context(), m); fateOf(t, err) != fanfare.FateRefused || len(s.received()) != 0 {
		t.Errorf("%v, %d taken", err, len(s.received()))
	}
}

func TestProviderID(t *testing.T) {
	id, err := newServer(t).open(t, nil).Send(t.Context(), letter())
	if diff := cmp.Diff("<0192f0c0-1111-7222-8333-444455556666@example.com> 4XyZ12", id); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
