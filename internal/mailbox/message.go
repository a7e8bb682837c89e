package mailbox

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"golang.org/x/net/html/charset"
)

// maxDepth is how deep parts may lie in parts.
const maxDepth = 10

// Message is one that was handed over.
type Message struct {
	Number     int    // from 1, in the order in which they were taken; 0 in OnMessage
	From       string // of the envelope, as To
	To         []string
	ReceivedAt time.Time
	Raw        []byte
}

// Letter is what a reader sees of a message.
type Letter struct {
	Subject    string
	Header     mail.Header
	Text, HTML string // the first part of each kind, "" where there is none
}

// Letter takes the message apart (RFC 2045 to 2047). With an error it has what
// came before.
func (m Message) Letter() (Letter, error) {
	read, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return Letter{}, fmt.Errorf("reading a message's header: %w", err)
	}
	letter := Letter{Header: read.Header, Subject: decoded(read.Header.Get("Subject"))}
	err = letter.add(part{read.Header.Get, read.Body}, 0)
	return letter, err
}

// Subject is "" for a message that can't be read.
func (m Message) Subject() string {
	read, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		return ""
	}
	return decoded(read.Header.Get("Subject"))
}

// decoded is a header's value as people read it.
func decoded(value string) string {
	decoder := mime.WordDecoder{CharsetReader: charset.NewReaderLabel}
	text, err := decoder.DecodeHeader(value)
	if err != nil {
		return value
	}
	return text
}

// part is a message, or a part of one.
type part struct {
	header func(name string) string
	body   io.Reader
}

// add takes a part in, and those within it.
func (l *Letter) add(p part, depth int) error {
	kind, params, err := mime.ParseMediaType(p.header("Content-Type"))
	if err != nil {
		kind = "text/plain" // RFC 2045, section 5.2
	}
	switch {
	case depth > maxDepth:
		return fmt.Errorf("reading a message: parts lie more than %d deep", maxDepth)
	case strings.HasPrefix(kind, "multipart/"):
		return l.addParts(multipart.NewReader(p.body, params["boundary"]), depth)
	case strings.HasPrefix(p.header("Content-Disposition"), "attachment"):
		return nil
	case kind == "text/html" && l.HTML == "":
		l.HTML, err = p.text(params["charset"])
	case kind == "text/plain" && l.Text == "":
		l.Text, err = p.text(params["charset"])
	default:
		return nil
	}
	return err
}

func (l *Letter) addParts(parts *multipart.Reader, depth int) error {
	for {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a message's parts: %w", err)
		}
		if err := l.add(part{p.Header.Get, p}, depth+1); err != nil {
			return err
		}
	}
}

// text undoes the part's encoding, and brings it into UTF-8.
func (p part) text(label string) (string, error) {
	body := p.body
	switch strings.ToLower(p.header("Content-Transfer-Encoding")) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	if label != "" {
		known, err := charset.NewReaderLabel(label, body)
		if err != nil {
			return "", fmt.Errorf("reading a text: %w", err)
		}
		body = known
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return "", fmt.Errorf("reading a text: %w", err)
	}
	return strings.ToValidUTF8(string(text), "\uFFFD"), nil
}
