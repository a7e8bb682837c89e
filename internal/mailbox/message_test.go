package mailbox_test

import (
	"strings"
	"testing"

	"fanfare/internal/mailbox"
)

func lines(text ...string) []byte { return []byte(strings.Join(text, "\r\n") + "\r\n") }

func TestLetter(t *testing.T) {
	for name, test := range map[string]struct {
		raw                 []byte
		subject, text, html string
	}{
		"bare": {lines("Subject: Hello", "", "How are you?"), "Hello", "How are you?\r\n", ""},
		"alternatives, encoded": {lines(
			"Subject: =?UTF-8?q?Stra=C3=9Fe?= =?UTF-8?b?8J+OiQ==?=", `Content-Type: multipart/alternative; boundary="b"`, "",
			"--b", "Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: quoted-printable", "", "Gr=C3=BC=", "=C3=9Fe", "",
			"--b", "Content-Type: text/html; charset=UTF-8", "Content-Transfer-Encoding: base64", "", "PHA+SGVsbG8hPC9w", "Pg==",
			"--b--"), "Straße🎉", "Grüße\r\n", "<p>Hello!</p>"},
		"another charset": {lines("Subject: =?iso-8859-1?q?Gr=FC=DFe?=", "Content-Type: text/html; charset=iso-8859-1",
			"Content-Transfer-Encoding: quoted-printable", "", "Gr=FC=DFe="), "Grüße", "", "Grüße"},
		"with an attachment": {lines("Subject: Look", `Content-Type: multipart/mixed; boundary="m"`, "",
			"--m", "Content-Type: text/plain", "Content-Disposition: attachment; filename=a.txt", "", "attached",
			"--m", `Content-Type: multipart/alternative; boundary="a"`, "",
			"--a", "Content-Type: text/plain", "", "the text",
			"--a--", "--m--"), "Look", "the text", ""},
		"no UTF-8": {lines("Subject: Hello", "", "a\xffb"), "Hello", "a\uFFFDb\r\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			letter, err := mailbox.Message{Raw: test.raw}.Letter()
			if err != nil {
				t.Fatal(err)
			}
			if letter.Subject != test.subject || letter.Text != test.text || letter.HTML != test.html {
				t.Errorf("subject %q, text %q, HTML %q", letter.Subject, letter.Text, letter.HTML)
			}
		})
	}
}

func TestLetterThatCannotBeRead(t *testing.T) {
	var deep []string
	for n := range 20 {
		boundary := strings.Repeat("b", n+1)
		deep = append(deep, "Content-Type: multipart/mixed; boundary="+boundary, "", "--"+boundary)
	}
	for name, test := range map[string]struct {
		raw  []byte
		want string
	}{
		"no header":          {[]byte("nothing"), "header"},
		"unknown charset":    {lines("Content-Type: text/plain; charset=klingon", "", "Hello"), "text"},
		"broken base64":      {lines("Content-Transfer-Encoding: base64", "", "!!"), "text"},
		"parts without end":  {lines(`Content-Type: multipart/mixed; boundary="b"`, "", "--b", "", "a"), "text"},
		"parts in parts in…": {lines(deep...), "deep"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := (mailbox.Message{Raw: test.raw}).Letter(); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v, want one about the %s", err, test.want)
			}
		})
	}
}
