package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"strings"
	"time"

	gosmtp "github.com/wneessen/go-mail/smtp"

	"fanfare/channel/egress"
)

const (
	implicitTLSPort = "465" // RFC 8314
	lastWord        = time.Second
	endingPatience  = 4 // times what any other step gets
)

var (
	errNoTLS    = errors.New("no STARTTLS offered")
	errNoSignIn = errors.New("no AUTH PLAIN or LOGIN offered")
	errNoUTF8   = errors.New("no SMTPUTF8 offered")
)

// session is a connection to a server, signed in, for one message after the
// other. Its steps are driven one by one, so that it is certain at which one it
// failed.
type session struct {
	account
	conn    net.Conn // below TLS; closing it ends whatever goes on
	client  *gosmtp.Client
	carried int  // messages
	broken  bool // it can't be used any more
	idle    *time.Timer
}

// dial opens a session. Whatever is open when it fails, it closes.
func (a account) dial(ctx context.Context) (*session, *failure) {
	conn, err := a.outside.Dial(ctx, "tcp", net.JoinHostPort(a.host, a.port))
	if err != nil {
		return nil, &failure{connecting, err}
	}
	s := &session{account: a, conn: &boundedConn{Conn: conn}}
	defer s.cutWith(ctx)()
	if failed := s.open(ctx); failed != nil {
		s.conn.Close()
		return nil, failed
	}
	return s, nil
}

// cutWith closes the connection when ctx ends, until the function that it
// returns is called.
func (s *session) cutWith(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { s.conn.Close() })
	return func() {
		if !stop() {
			s.broken = true
		}
	}
}

func (s *session) open(ctx context.Context) *failure {
	s.within(s.patience)
	implicit := s.port == implicitTLSPort
	talk := s.conn
	if implicit {
		secured := tls.Client(s.conn, s.tlsConfig())
		if err := secured.HandshakeContext(ctx); err != nil {
			return &failure{securing, err}
		}
		talk = secured
	}
	client, err := gosmtp.NewClient(talk, s.host)
	if err != nil {
		return &failure{greeting, err}
	}
	s.client = client
	if err := client.Hello(s.outside.Host()); err != nil {
		return &failure{greeting, err}
	}
	if failed := s.secure(implicit); failed != nil {
		return failed
	}
	return s.signIn()
}

// within gives the server that long from now.
func (s *session) within(patience time.Duration) {
	_ = s.conn.SetDeadline(time.Now().Add(patience)) // fails on a closed connection, as what follows will
}

// secure starts TLS. Only where private hosts are allowed may a server do
// without.
func (s *session) secure(already bool) *failure {
	if already {
		return nil
	}
	if offered, _ := s.client.Extension("STARTTLS"); !offered {
		if s.outside.AllowPrivate {
			return nil
		}
		return &failure{securing, errNoTLS}
	}
	s.within(s.patience)
	if err := s.client.StartTLS(s.tlsConfig()); err != nil {
		return &failure{securing, err}
	}
	return nil
}

// tlsConfig asks no certificate of a private host, which nobody gives one to,
// where one may be talked to without TLS anyhow.
func (s *session) tlsConfig() *tls.Config {
	return &tls.Config{
		ServerName: s.host, MinVersion: tls.VersionTLS12, RootCAs: s.outside.Roots,
		InsecureSkipVerify: s.atPrivateHost(),
	}
}

func (s *session) atPrivateHost() bool {
	peer, ok := s.conn.RemoteAddr().(*net.TCPAddr)
	return s.outside.AllowPrivate && ok && !egress.Public(peer.AddrPort().Addr())
}

// signIn proves who the user is. A private host that knows no users gets none.
func (s *session) signIn() *failure {
	if s.username == "" {
		return nil
	}
	_, offered := s.client.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	var auth gosmtp.Auth
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		auth = gosmtp.PlainAuth("", s.username, s.password, s.host, s.outside.AllowPrivate)
	case slices.Contains(mechanisms, "LOGIN"):
		auth = gosmtp.LoginAuth(s.username, s.password, s.host, s.outside.AllowPrivate)
	case len(mechanisms) == 0 && s.atPrivateHost():
		return nil
	default:
		return &failure{signingIn, errNoSignIn}
	}
	s.within(s.patience)
	if err := s.client.Auth(auth); err != nil {
		return &failure{signingIn, err}
	}
	return nil
}
