// Package mailbox is a mail server that delivers nothing: it keeps what it is
// handed in memory, and shows it on pages. It is for development and tests.
package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	gosmtp "github.com/emersion/go-smtp"
)

const (
	// Kept is how many messages are kept, the newest, unless Options say so.
	Kept = 500
	// MaxBytes is how long a message may be.
	MaxBytes = 1 << 20

	maxRecipients = 100
	idle          = 5 * time.Minute // RFC 5321, section 4.5.3.2.7
)

// Options say where a mailbox is and what it takes.
type Options struct {
	Addr string // "127.0.0.1:0", any free port, where empty
	// Username and Password are those that AUTH PLAIN and LOGIN take. Nothing is
	// taken without them; where both are empty there is no AUTH, and anybody may send.
	Username, Password string
	Keep               int // how many messages, Kept where 0
	// OnMessage is called with each whole message before the server answers that
	// it took it. An error refuses the message for good (554), with its text; a
	// *smtp.SMTPError of go-smtp says by itself what is answered. It may be called
	// from several goroutines at once.
	OnMessage func(Message) error
}

// Mailbox is a running mail server. Its methods may be called at any time.
type Mailbox struct {
	options  Options
	server   *gosmtp.Server
	listener net.Listener
	served   chan struct{} // closed once the server has ended

	mu       sync.Mutex
	last     int
	messages []Message // the oldest first
}

// Start listens, and serves until Close.
func Start(ctx context.Context, options Options) (*Mailbox, error) {
	if options.Addr == "" {
		options.Addr = "127.0.0.1:0"
	}
	if options.Keep == 0 {
		options.Keep = Kept
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", options.Addr)
	if err != nil {
		return nil, fmt.Errorf("starting the mailbox: %w", err)
	}
	m := &Mailbox{options: options, listener: listener, served: make(chan struct{})}
	m.server = newServer(m)
	go func() {
		defer close(m.served)
		_ = m.server.Serve(listener) // ends with Close
	}()
	return m, nil
}

func newServer(m *Mailbox) *gosmtp.Server {
	server := gosmtp.NewServer(gosmtp.BackendFunc(func(*gosmtp.Conn) (gosmtp.Session, error) { return m.newSession(), nil }))
	server.Domain = "mailbox.localhost"
	server.MaxMessageBytes = MaxBytes
	server.MaxRecipients = maxRecipients
	server.AllowInsecureAuth = true // it is on this machine, and the credentials are made up
	server.EnableSMTPUTF8 = true
	server.ReadTimeout, server.WriteTimeout = idle, idle
	server.ErrorLog = log.New(io.Discard, "", 0)
	return server
}

// Addr is where the mail server listens, as host:port.
func (m *Mailbox) Addr() string { return m.listener.Addr().String() }

// Host and Port are the two parts of Addr, as an integration wants them.
func (m *Mailbox) Host() string { return m.tcp().IP.String() }

// Port is where the mail server listens.
func (m *Mailbox) Port() string { return strconv.Itoa(m.tcp().Port) }

func (m *Mailbox) tcp() *net.TCPAddr {
	addr, _ := m.listener.Addr().(*net.TCPAddr) // it listens on TCP
	return addr
}

// Messages are those that are kept, the newest first.
func (m *Mailbox) Messages() []Message {
	m.mu.Lock()
	defer m.mu.Unlock()
	newest := slices.Clone(m.messages)
	slices.Reverse(newest)
	return newest
}

// Message returns one by its number, while it is kept.
func (m *Mailbox) Message(number int) (Message, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.IndexFunc(m.messages, func(message Message) bool { return message.Number == number })
	if at < 0 {
		return Message{}, false
	}
	return m.messages[at], true
}

// Close ends the server and its connections. What is kept stays readable.
func (m *Mailbox) Close() error {
	err := m.server.Close()
	_ = m.listener.Close() // the server knows of it only once it serves
	<-m.served
	if err != nil && !errors.Is(err, gosmtp.ErrServerClosed) {
		return fmt.Errorf("closing the mailbox: %w", err)
	}
	return nil
}

// take asks the hook and keeps the message. The hook runs without the lock: it
// may wait, and look at what is kept.
func (m *Mailbox) take(message Message) error {
	if m.options.OnMessage != nil {
		if err := m.options.OnMessage(message); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last++
	message.Number = m.last
	m.messages = append(m.messages, message)
	m.messages = slices.Delete(m.messages, 0, max(0, len(m.messages)-m.options.Keep))
	return nil
}
