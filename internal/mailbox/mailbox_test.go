package mailbox_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/emersion/go-sasl"
	gosmtp "github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"fanfare/internal/mailbox"
)

const (
	username = "fanfare"
	password = "Quiet-harbour-77"
	letter   = "Subject: Hello\r\n\r\nHow are you?\r\n"
)

func start(t *testing.T, options mailbox.Options) *mailbox.Mailbox {
	t.Helper()
	box, err := mailbox.Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	return box
}

// send hands a message over, signed in where auth is not nil.
func send(t *testing.T, box *mailbox.Mailbox, auth sasl.Client, message string) error {
	t.Helper()
	client, err := gosmtp.Dial(net.JoinHostPort(box.Host(), box.Port()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if auth != nil {
		if err := client.Auth(auth); err != nil {
			return err
		}
	}
	return client.SendMail("news@shop.example", []string{"ada@example.com", "bob@example.com"}, strings.NewReader(message))
}

// code is what the server answered, 250 where there was no error.
func code(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return 250
	}
	refused, ok := errors.AsType[*gosmtp.SMTPError](err)
	if !ok {
		t.Fatalf("no answer of the server's: %v", err)
	}
	return refused.Code
}

func TestSigningIn(t *testing.T) {
	for name, test := range map[string]struct {
		open bool
		auth sasl.Client
		want int
	}{
		"PLAIN":                     {auth: sasl.NewPlainClient("", username, password), want: 250},
		"LOGIN":                     {auth: sasl.NewLoginClient(username, password), want: 250},
		"PLAIN with another's":      {auth: sasl.NewPlainClient("", username, "wrong"), want: 535},
		"LOGIN with another's":      {auth: sasl.NewLoginClient("somebody", password), want: 535},
		"not at all":                {want: 530},
		"not where nobody needs to": {open: true, want: 250},
	} {
		t.Run(name, func(t *testing.T) {
			options := mailbox.Options{Username: username, Password: password}
			if test.open {
				options = mailbox.Options{}
			}
			box := start(t, options)
			if got := code(t, send(t, box, test.auth, letter)); got != test.want {
				t.Fatalf("answered %d, want %d", got, test.want)
			}
			kept := box.Messages()
			if test.want != 250 {
				if len(kept) != 0 {
					t.Fatalf("%d messages are kept of somebody who was refused", len(kept))
				}
				return
			}
			if len(kept) != 1 || kept[0].From != "news@shop.example" || string(kept[0].Raw) != letter ||
				!cmp.Equal(kept[0].To, []string{"ada@example.com", "bob@example.com"}) {
				t.Errorf("kept: %+v", kept)
			}
		})
	}
}

func TestHookMayRefuse(t *testing.T) {
	for name, test := range map[string]struct {
		hook error
		want int
	}{
		"takes":                   {nil, 250},
		"refuses":                 {errors.New("the disk is full"), 554},
		"says what to answer":     {&gosmtp.SMTPError{Code: 451, Message: "later"}, 451},
		"says so about a message": {fmt.Errorf("writing a receipt: %w", io.ErrShortWrite), 554},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []string
			box := start(t, mailbox.Options{OnMessage: func(m mailbox.Message) error {
				seen = append(seen, m.Subject())
				return test.hook
			}})
			err := send(t, box, nil, letter)
			if got := code(t, err); got != test.want {
				t.Errorf("answered %d, want %d", got, test.want)
			}
			if got := code(t, err); got == 554 && !strings.Contains(err.Error(), test.hook.Error()) {
				t.Errorf("the answer does not say why: %v", err)
			}
			if want := test.hook == nil; (len(box.Messages()) == 1) != want {
				t.Errorf("%d messages are kept", len(box.Messages()))
			}
			if !cmp.Equal(seen, []string{"Hello"}) {
				t.Errorf("the hook saw %q before the answer", seen)
			}
		})
	}
}

func TestMemoryIsBounded(t *testing.T) {
	box := start(t, mailbox.Options{Keep: 2})
	for n := range 3 {
		if err := send(t, box, nil, fmt.Sprintf("Subject: %d\r\n\r\nText\r\n", n+1)); err != nil {
			t.Fatal(err)
		}
	}
	if got := code(t, send(t, box, nil, strings.Repeat("0123456789abcdef\r\n", mailbox.MaxBytes/16))); got != 552 {
		t.Errorf("a message that is too long: answered %d, want 552", got)
	}
	var subjects []string
	for _, m := range box.Messages() {
		subjects = append(subjects, m.Subject())
	}
	if diff := cmp.Diff([]string{"3", "2"}, subjects); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	if _, found := box.Message(1); found {
		t.Error("the oldest message is still there")
	}
	if m, found := box.Message(3); !found || m.Subject() != "3" {
		t.Errorf("the newest message: %+v, %v", m, found)
	}
}

// A message that lacks its end is none, however much of it came.
func TestCutOff(t *testing.T) {
	box := start(t, mailbox.Options{OnMessage: func(mailbox.Message) error {
		t.Error("the hook was called for half a message")
		return nil
	}})
	conn, err := net.Dial("tcp", box.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"+letter); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	answers, err := io.ReadAll(conn) // to the end: the server is done then
	if err != nil || !strings.Contains(string(answers), "354 ") {
		t.Fatalf("the server did not come to the message: %q, %v", answers, err)
	}
	if kept := box.Messages(); len(kept) != 0 {
		t.Errorf("kept: %q", kept[0].Raw)
	}
}
