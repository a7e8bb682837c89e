package smtp

import (
	"context"
	"errors"
	"io"
	"net/textproto"

	gosmtp "github.com/wneessen/go-mail/smtp"
)

// address tells the server from whom a message comes, and to whom it goes.
func (s *session) address(m message) *failure {
	s.client.SkipSMTPUTF8(!m.needUTF8)
	if offered, _ := s.client.Extension("SMTPUTF8"); m.needUTF8 && !offered {
		return &failure{namingRecipient, errNoUTF8}
	}
	s.within(s.patience)
	if err := s.client.Mail(m.from); err != nil {
		return &failure{namingSender, err}
	}
	s.within(s.patience)
	if err := s.client.Rcpt(m.to); err != nil {
		return &failure{namingRecipient, err}
	}
	return nil
}

// hand gives the server a message and returns what it said when it took it.
func (s *session) hand(ctx context.Context, m message) (string, *failure) {
	defer s.cutWith(ctx)()
	s.carried++
	if failed := s.address(m); failed != nil {
		return "", s.recover(failed)
	}
	s.within(s.patience)
	data, err := s.client.Data()
	if err != nil {
		return "", s.recover(&failure{announcing, err})
	}
	s.within(s.patience)
	if err := s.write(ctx, data, m.raw); err != nil {
		// A further command would end the message first, and it would be taken.
		return "", s.giveUp(&failure{writing, err})
	}
	return s.end(data)
}

// write brings the whole message to the server, but not what ends it.
func (s *session) write(ctx context.Context, data io.Writer, raw []byte) error {
	if _, err := data.Write(raw); err != nil {
		return err
	}
	if err := s.client.Text.W.Flush(); err != nil {
		return err
	}
	return ctx.Err()
}

// end sends the line that ends the message, and waits for the server's word. It
// is given longer than for anything else: to give up here is to never know.
func (s *session) end(data io.Closer) (string, *failure) {
	s.within(s.patience * endingPatience)
	err := data.Close()
	if refusal, ok := errors.AsType[*textproto.Error](err); ok && refusal.Code/100 == 2 {
		return refusal.Msg, nil
	}
	if err != nil {
		return "", s.recover(&failure{ending, err})
	}
	answer, _ := data.(*gosmtp.DataCloser)
	return answer.ServerResponse(), nil
}

// recover makes the session ready for the next message after the server refused
// one, and gives it up after anything else.
func (s *session) recover(failed *failure) *failure {
	refusal, refused := failed.refusal()
	if !refused || refusal.Code == codeClosing {
		return s.giveUp(failed)
	}
	s.within(s.patience)
	if err := s.client.Reset(); err != nil {
		return s.giveUp(failed)
	}
	return failed
}

func (s *session) giveUp(failed *failure) *failure {
	s.broken = true
	s.conn.Close()
	return failed
}

// quit takes leave, without waiting long for an answer.
func (s *session) quit() {
	if !s.broken {
		s.within(lastWord)
		_ = s.client.Quit()
	}
	s.conn.Close()
}
