package smtp

import (
	"bytes"
	"fmt"
	"net/mail"
	"strings"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"fanfare"
	"fanfare/channel/email"
)

// message is an e-mail as it goes over the wire.
type message struct {
	id       string // its Message-ID, in angle brackets
	from, to string // of the envelope, in angle brackets
	needUTF8 bool   // an address has letters that only SMTPUTF8 carries (RFC 6531)
	raw      []byte
}

// compose makes the e-mail. Its Message-ID is made from the delivery's id: a
// mailbox that is handed the same message twice can tell.
func compose(m fanfare.Outgoing, sender *mail.Address) (message, error) {
	from, err := email.OnWire(sender)
	if err != nil {
		return message{}, fmt.Errorf("the sender: %w", err)
	}
	to, err := email.ReadRecipient(m.Recipient)
	if err != nil {
		return message{}, fmt.Errorf("the recipient: %w", err)
	}
	letter, err := email.Compose(m, email.Footer{Unsubscribe: m.UnsubscribeURL})
	if err != nil {
		return message{}, err
	}
	domain := email.Domain(from)
	mime := newMIME(letter, from, to, m.ID+"@"+domain)
	if m.UnsubscribeURL != "" {
		mime.SetListUnsubscribe(m.UnsubscribeURL)
		mime.SetListUnsubscribePost()
	}
	var raw bytes.Buffer
	if _, err := mime.WriteTo(&raw); err != nil {
		return message{}, fmt.Errorf("writing the message: %w", err)
	}
	return message{
		id: "<" + m.ID + "@" + domain + ">", from: envelope(from), to: envelope(to),
		needUTF8: !isASCII(from.Address + to.Address), raw: raw.Bytes(),
	}, nil
}

// newMIME says that nobody is to answer it by machine (RFC 3834), since it goes
// to many.
func newMIME(letter email.Letter, from, to *mail.Address, id string) *gomail.Msg {
	mime := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	mime.FromMailAddress(from)
	mime.ToMailAddress(to)
	mime.Subject(letter.Subject)
	mime.SetMessageIDWithValue(id)
	mime.SetDate()
	mime.SetBulk()
	mime.SetGenHeader("Auto-Submitted", "auto-generated")
	mime.SetBodyString(gomail.TypeTextPlain, letter.Text)
	mime.AddAlternativeString(gomail.TypeTextHTML, letter.HTML)
	return mime
}

func envelope(address *mail.Address) string {
	return (&mail.Address{Address: address.Address}).String()
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}
