package smtp

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
)

const (
	username = "canary-user"
	password = "canary pass+word/é" // differs from itself in a URL
)

// act is what the server does at a step in place of answering well: it answers
// with a line, or not at all, or breaks the connection.
type act struct {
	reply      string
	stall, cut bool
	take       bool // the message first, at "end"
}

// server is a mail server that does as it is told. Its steps are connect, EHLO,
// STARTTLS, AUTH, MAIL, RCPT, DATA, end, RSET, QUIT.
type server struct {
	t        *testing.T
	listener net.Listener
	tls      *tls.Config // nil: no STARTTLS
	implicit bool        // TLS from the start
	mechs    string      // of AUTH; "" for none
	exts     []string    // more extensions

	mu      sync.Mutex
	acts    map[string]act
	once    bool // an act is done once only
	taken   []received
	steps   []string // all that was seen
	conns   int
	talks   sync.WaitGroup
	live    map[net.Conn]bool
	stalled chan struct{}
}

// received is a message that the server took.
type received struct{ from, to, raw string }

func newServer(t *testing.T, options ...func(*server)) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{
		t: t, listener: listener, mechs: "PLAIN LOGIN", exts: []string{"8BITMIME", "SMTPUTF8"},
		live: map[net.Conn]bool{}, stalled: make(chan struct{}, 100),
	}
	for _, option := range options {
		option(s)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		s.breakAll()
		serving.Wait()
		s.settle()
	})
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.talks.Go(func() { s.serve(conn) })
		}
	})
	return s
}

// breakAll breaks all connections.
func (s *server) breakAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.live {
		conn.Close()
	}
}

// settle waits until the conversations are over.
func (s *server) settle() { s.talks.Wait() }

func (s *server) on(step string, a act) { s.set(map[string]act{step: a}, false) }

func (s *server) set(acts map[string]act, once bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acts, s.once = acts, once
}

func (s *server) act(step string) act {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.steps = append(s.steps, step)
	a := s.acts[step]
	if s.once {
		delete(s.acts, step)
	}
	return a
}

func (s *server) received() []received {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.taken)
}

func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conns
}

func (s *server) seen(step string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(s.steps), func(seen string) bool { return seen != step }))
}

// talk is a conversation with one client.
type talk struct {
	*server
	conn   net.Conn
	text   *textproto.Conn
	over   bool
	secure bool
	now    received
}

func (s *server) serve(conn net.Conn) {
	s.mu.Lock()
	s.live[conn] = true
	s.conns++
	s.mu.Unlock()
	defer func() {
		conn.Close()
		s.mu.Lock()
		delete(s.live, conn)
		s.mu.Unlock()
	}()
	c := &talk{server: s, conn: conn}
	if s.implicit {
		conn = tls.Server(conn, s.tls)
		c.secure = true
	}
	c.text = textproto.NewConn(conn)
	c.answer("connect", "220 ready")
	for !c.over {
		line, err := c.text.ReadLine()
		if err != nil {
			return
		}
		c.obey(line)
	}
}

// answer does what the step is told to do, and reports whether it did well.
func (c *talk) answer(step, well string) bool {
	a := c.act(step)
	if a.take || step == "end" && a == (act{}) {
		c.mu.Lock()
		c.taken = append(c.taken, c.now)
		c.mu.Unlock()
	}
	switch {
	case a.stall:
		c.stalled <- struct{}{}
		// The client hangs up, or the test is over.
		_, _ = io.Copy(io.Discard, c.text.R)
		c.over = true
	case a.cut:
		c.over = true
	case a.reply != "":
		_ = c.text.PrintfLine("%s", a.reply)
		c.over = strings.HasPrefix(a.reply, "421")
	default:
		_ = c.text.PrintfLine("%s", well)
		return true
	}
	return false
}

func (c *talk) obey(line string) {
	verb, rest, _ := strings.Cut(line, " ")
	switch verb = strings.ToUpper(verb); verb {
	case "EHLO":
		c.answer("EHLO", strings.Join(c.greeting(), "\r\n"))
	case "STARTTLS":
		c.startTLS()
	case "AUTH":
		c.auth(rest)
	case "MAIL":
		c.now = received{from: rest}
		c.answer("MAIL", "250 ok")
	case "RCPT":
		c.now.to = rest
		c.answer("RCPT", "250 ok")
	case "DATA":
		c.data()
	case "QUIT":
		c.answer("QUIT", "221 bye")
		c.over = true
	default:
		c.answer(verb, "250 ok")
	}
}

func (c *talk) greeting() []string {
	lines := []string{"server at your service"}
	if c.tls != nil && !c.secure {
		lines = append(lines, "STARTTLS")
	}
	if c.mechs != "" {
		lines = append(lines, "AUTH "+c.mechs)
	}
	lines = append(lines, c.exts...)
	for i, line := range lines {
		lines[i] = "250-" + line
		if i == len(lines)-1 {
			lines[i] = "250 " + line
		}
	}
	return lines
}

func (c *talk) startTLS() {
	if c.answer("STARTTLS", "220 go ahead") {
		c.secure = true
		c.text = textproto.NewConn(tls.Server(c.conn, c.tls))
	}
}

func (c *talk) auth(rest string) {
	mech, initial, _ := strings.Cut(rest, " ")
	var user, pass string
	if mech == "LOGIN" {
		user, pass = c.challenge("User Name"), c.challenge("Password")
	} else if parts := strings.Split(decode(initial), "\x00"); len(parts) == 3 {
		user, pass = parts[1], parts[2]
	}
	if user != username || pass != password {
		_ = c.text.PrintfLine("535 5.7.8 wrong: %s %s", user, pass)
		return
	}
	c.answer("AUTH", "235 welcome")
}

func (c *talk) challenge(prompt string) string {
	_ = c.text.PrintfLine("334 %s", base64.StdEncoding.EncodeToString([]byte(prompt)))
	line, _ := c.text.ReadLine()
	return decode(line)
}

func decode(text string) string {
	raw, _ := base64.StdEncoding.DecodeString(text)
	return string(raw)
}

// data takes the message when it has come to its end, and only then.
func (c *talk) data() {
	if !c.answer("DATA", "354 go ahead") {
		return
	}
	if a := c.act("body"); a.stall || a.cut {
		c.cutBody(a)
		return
	}
	raw, err := c.text.ReadDotBytes()
	if err != nil {
		c.over = true
		return
	}
	c.now.raw = string(raw)
	c.answer("end", "250 2.0.0 Ok: queued as 4XyZ12")
}

// cutBody stops within a message, and takes it if its end comes after all.
func (c *talk) cutBody(a act) {
	_, _ = c.text.R.Peek(1)
	c.over = true
	if a.cut {
		return
	}
	c.stalled <- struct{}{}
	if _, err := textproto.NewReader(bufio.NewReader(c.text.R)).ReadDotBytes(); err == nil {
		c.mu.Lock()
		c.taken = append(c.taken, c.now)
		c.mu.Unlock()
	}
}

func (s *server) outside() connector.Outside {
	return connector.Outside{
		AllowPrivate: true, PublicURL: "https://fanfare.example.com", Dial: egress.NewDialer(true, nil).DialContext,
	}
}

func (s *server) credentials() fanfare.Credentials {
	host, port, _ := net.SplitHostPort(s.listener.Addr().String())
	return fanfare.Credentials{
		"host": host, "port": port, "username": username, "password": password, "from": "The Shop <shop@example.com>",
	}
}

// echo is an answer that quotes what it should not.
func echo(code string) string {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00" + username + "\x00" + password))
	return fmt.Sprintf("%s 5.0.0 no \x01 %s %s %s %s", code, username, password, plain, strings.Repeat("x", 300))
}
