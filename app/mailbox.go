package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"fanfare/internal/mailbox"
)

const (
	anyPort         = "127.0.0.1:0"
	mailboxUsername = "fanfare"
)

// mailboxState is where the mailbox was at the last run, so that an integration
// that names it goes on working.
type mailboxState struct {
	SMTP     string `json:"smtp"`
	Pages    string `json:"pages"`
	Password string `json:"password"`
}

// devMailbox takes the mail of dev and demo, and shows it at url.
type devMailbox struct {
	*mailbox.Mailbox
	url, password string
	pages         *http.Server
	listener      net.Listener // of pages
}

// startMailbox starts it where it was, or on free ports where somebody else is
// there now.
func (d *Dev) startMailbox(ctx context.Context, state *devState) (*devMailbox, error) {
	was := state.Mailbox
	password := cmp.Or(was.Password, rand.Text())
	box, err := mailbox.Start(ctx, mailbox.Options{Addr: was.SMTP, Username: mailboxUsername, Password: password})
	if err != nil && was.SMTP != "" {
		box, err = mailbox.Start(ctx, mailbox.Options{Username: mailboxUsername, Password: password})
	}
	if err != nil {
		return nil, err
	}
	listener, err := listenAgain(ctx, was.Pages)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("listening for the mailbox's readers: %w", err), box.Close())
	}
	started := &devMailbox{
		Mailbox: box, url: "http://" + listener.Addr().String(), password: password,
		pages:    &http.Server{Handler: box.Handler(), ReadHeaderTimeout: 10 * time.Second},
		listener: listener,
	}
	go func() { _ = started.pages.Serve(listener) }() // ends with stop
	state.Mailbox = mailboxState{SMTP: box.Addr(), Pages: listener.Addr().String(), Password: password}
	if state.Mailbox == was {
		return started, nil
	}
	if err := d.saveState(state); err != nil {
		return nil, errors.Join(err, started.stop())
	}
	return started, nil
}

func listenAgain(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", cmp.Or(addr, anyPort))
	if err != nil && addr != "" {
		return lc.Listen(ctx, "tcp", anyPort)
	}
	return listener, err
}

func (m *devMailbox) stop() error {
	err := m.pages.Close()
	_ = m.listener.Close() // pages know of it only once they serve
	return errors.Join(err, m.Close())
}

// credentials are what an integration with SMTP needs to send here.
func (m *devMailbox) credentials() map[string]string {
	return map[string]string{
		"host": m.Host(), "port": m.Port(), "username": mailboxUsername, "password": m.password, "from": demoSender,
	}
}

// byID finds a message by its Message-ID.
func (m *devMailbox) byID(id string) (mailbox.Message, bool) {
	for _, message := range m.Messages() {
		letter, err := message.Letter()
		if err == nil && letter.Header.Get("Message-Id") == id {
			return message, true
		}
	}
	return mailbox.Message{}, false
}
