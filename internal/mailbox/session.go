package mailbox

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
)

// login is AUTH LOGIN, which go-sasl has no server for: old, and still the only
// one that some mail servers know.
const login = "LOGIN"

// session is one connection: who it is, and the message it is about to hand over.
type session struct {
	mailbox  *Mailbox
	signedIn bool
	from     string
	to       []string
}

func (m *Mailbox) newSession() gosmtp.Session {
	s := &session{mailbox: m, signedIn: m.open()}
	if m.open() {
		return struct{ gosmtp.Session }{s} // hides the methods of AUTH
	}
	return s
}

func (m *Mailbox) open() bool { return m.options.Username == "" && m.options.Password == "" }

// AuthMechanisms implements smtp.AuthSession.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain, login} }

// Auth implements smtp.AuthSession.
func (s *session) Auth(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case sasl.Plain:
		return sasl.NewPlainServer(func(_, username, password string) error { return s.signIn(username, password) }), nil
	case login:
		return &loginServer{signIn: s.signIn}, nil
	default:
		return nil, gosmtp.ErrAuthUnknownMechanism
	}
}

func (s *session) signIn(username, password string) error {
	o := s.mailbox.options
	if subtle.ConstantTimeCompare([]byte(o.Username+"\x00"+o.Password), []byte(username+"\x00"+password)) == 0 {
		return gosmtp.ErrAuthFailed
	}
	s.signedIn = true
	return nil
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, _ *gosmtp.MailOptions) error {
	if !s.signedIn {
		return &gosmtp.SMTPError{Code: 530, EnhancedCode: gosmtp.EnhancedCode{5, 7, 0}, Message: "Authentication required"}
	}
	s.from = from
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.to = append(s.to, to)
	return nil
}

// Data implements smtp.Session. A message that was cut off is none: reading it
// fails.
func (s *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if refused, ok := errors.AsType[*gosmtp.SMTPError](err); ok {
		return refused // it is too long
	}
	if err != nil {
		return fmt.Errorf("reading a message: %w", err)
	}
	return s.mailbox.take(Message{From: s.from, To: s.to, ReceivedAt: time.Now().UTC(), Raw: raw})
}

// Reset implements smtp.Session.
func (s *session) Reset() { s.from, s.to = "", nil }

// Logout implements smtp.Session.
func (s *session) Logout() error { return nil }

// loginServer asks for the name, and then for the password.
type loginServer struct {
	signIn   func(username, password string) error
	asked    int
	username string
}

// Next implements sasl.Server. Some clients send the name without being asked.
func (l *loginServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil && l.asked == 0 {
		l.asked = 1
		return []byte("Username:"), false, nil
	}
	if l.asked < 2 {
		l.asked, l.username = 2, string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, l.signIn(l.username, string(response))
}
