package smtp

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

// mailOf reads a message as a mailbox would.
func mailOf(t *testing.T, m fanfare.Outgoing, from string) (mail.Header, map[string]string) {
	t.Helper()
	sender, err := mail.ParseAddress(from)
	if err != nil {
		t.Fatal(err)
	}
	composed, err := compose(m, sender)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.SplitSeq(composed.raw, []byte("\r\n")) {
		if len(line) > 998 || bytes.ContainsAny(line, "\r\n\x00") {
			t.Errorf("no line of an e-mail: %q", line)
		}
	}
	read, err := mail.ReadMessage(bytes.NewReader(composed.raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	return read.Header, partsOf(t, multipart.NewReader(read.Body, params["boundary"]))
}

func partsOf(t *testing.T, reader *multipart.Reader) map[string]string {
	t.Helper()
	parts := map[string]string{}
	for {
		part, err := reader.NextRawPart()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		if part.Header.Get("Content-Transfer-Encoding") != "quoted-printable" {
			t.Fatalf("%v", part.Header)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatal(err)
		}
		parts[part.Header.Get("Content-Type")] = string(text)
	}
}

func TestMessage(t *testing.T) {
	header, parts := mailOf(t, letter(), "The Shop <shop@bücher.example>")
	date, err := header.Date()
	if err != nil || time.Since(date).Abs() > time.Hour {
		t.Errorf("Date: %v, %v", date, err)
	}
	delete(header, "Date")
	delete(header, "Content-Type")
	if diff := cmp.Diff(mail.Header{
		"Auto-Submitted":           {"auto-generated"},
		"From":                     {`"The Shop" <shop@xn--bcher-kva.example>`},
		"List-Unsubscribe":         {"<https://fanfare.example.com/u/abc>"},
		"List-Unsubscribe-Post":    {"List-Unsubscribe=One-Click"},
		"Message-Id":               {"<0192f0c0-1111-7222-8333-444455556666@xn--bcher-kva.example>"},
		"Mime-Version":             {"1.0"},
		"Precedence":               {"bulk"},
		"Subject":                  {"=?UTF-8?q?Stra=C3=9Fe_&_=F0=9F=8E=89?="},
		"To":                       {"<" + recipient + ">"},
		"X-Auto-Response-Suppress": {"All"},
	}, header); diff != "" {
		t.Error(diff)
	}
	text, html := parts["text/plain; charset=UTF-8"], parts["text/html; charset=UTF-8"]
	want := "Hello\r\n\r\nLook here (https://shop.example.com/?a=1&b=2).\r\n\r\n--\r\nUnsubscribe: https://fanfare.example.com/u/abc\r\n"
	if diff := cmp.Diff(want, text); diff != "" || len(parts) != 2 {
		t.Error(diff)
	}
	for _, part := range []string{"What it is about</div>", "<h1>Hello</h1>", `href="https://fanfare.example.com/u/abc">Unsubscribe</a>`} {
		if !strings.Contains(html, part) {
			t.Errorf("no %q in %s", part, html)
		}
	}
}

func TestMessageWithoutUnsubscribing(t *testing.T) {
	m := letter()
	m.UnsubscribeURL, m.Test = "", true
	header, parts := mailOf(t, m, "shop@example.com")
	if header.Get("List-Unsubscribe")+header.Get("List-Unsubscribe-Post") != "" {
		t.Errorf("%v", header)
	}
	for kind, part := range parts {
		if strings.Contains(part, "nsubscribe") {
			t.Errorf("%s: %s", kind, part)
		}
	}
	if !strings.HasPrefix(header.Get("Subject"), "=?UTF-8?q?[Test]_") {
		t.Errorf("not marked as a test: %s", header.Get("Subject"))
	}
}

// Whatever content holds, it makes no headers, no further parts, and no end.
func TestNothingIsInjected(t *testing.T) {
	usual, _ := mailOf(t, letter(), "shop@example.com")
	for _, evil := range []string{
		"x\r\nBcc: a@x.example", "x\nBcc: a@x.example", "x\rBcc: a@x.example", "x\r\n\r\nbody", "x\u2028Bcc: a", "x\x00", "x\r\n.\r\nMAIL FROM:<a@x.example>",
		strings.Repeat("long ", 40), strings.Repeat("endless", 28), strings.Repeat("🎉", 200), "\xff\xfe", "--\r\n\r\n--",
	} {
		m := letter()
		m.Content.Email = &fanfare.EmailContent{Subject: evil, Preview: evil, Body: "<p>" + evil + "</p>"}
		header, parts := mailOf(t, m, "shop@example.com")
		if diff := cmp.Diff(names(usual), names(header)); diff != "" || len(parts) != 2 {
			t.Errorf("%q: %d parts, %s", evil, len(parts), diff)
		}
	}
}

func names(header mail.Header) map[string]int {
	counts := map[string]int{}
	for name, values := range header {
		counts[textproto.CanonicalMIMEHeaderKey(name)] = len(values)
	}
	return counts
}

func TestDotsArriveAsTheyAre(t *testing.T) {
	s := newServer(t)
	m := letter()
	m.Content.Email.Body = "<p>.</p><p>..two</p><p>.</p>"
	if _, err := s.open(t, nil).Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if raw := s.received()[0].raw; !strings.Contains(raw, "\n.\n\n..two\n\n.\n") {
		t.Error(raw)
	}
}
