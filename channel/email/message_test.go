package email

import (
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestPrepare(t *testing.T) {
	m := outgoing("<p>Hello</p>")
	m.Recipient, m.UnsubscribeURL = "ann@bücher.example", "https://fanfare.example.com/u/abc"
	got, err := Prepare(m, &mail.Address{Name: "Shop", Address: "me@straße.example"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"Auto-Submitted": "auto-generated", "Precedence": "bulk",
		"List-Unsubscribe": "<https://fanfare.example.com/u/abc>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
	}
	if diff := cmp.Diff(want, got.Headers); diff != "" {
		t.Error(diff)
	}
	if got.To.Address != "ann@xn--bcher-kva.example" || got.From.Address != "me@xn--strae-oqa.example" || got.From.Name != "Shop" {
		t.Errorf("from %v to %v", got.From, got.To)
	}
	if !strings.Contains(got.Text, "Unsubscribe: https://fanfare.example.com/u/abc") || !strings.Contains(got.HTML, "/u/abc") {
		t.Errorf("%+v", got.Letter)
	}
	m.UnsubscribeURL = ""
	if got, err := Prepare(m, got.From); err != nil || got.Headers["List-Unsubscribe"] != "" || strings.Contains(got.Text, "Unsubscribe") {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestPrepareRefuses(t *testing.T) {
	me := &mail.Address{Address: "me@example.com"}
	for _, test := range []struct {
		recipient string
		sender    *mail.Address
	}{
		{"", me}, {"ann", me}, {"Ann <ann@example.org>", me}, {"a@example.org, b@example.org", me}, {"a@example.org\r\nBcc: b@example.org", me},
		{"a@-.example", me}, {"a@example.org", &mail.Address{Address: "me@-.example"}}, {"a@example.org", &mail.Address{Address: "me"}},
	} {
		m := outgoing("<p>Hello</p>")
		m.Recipient = test.recipient
		_, err := Prepare(m, test.sender)
		if e, ok := errors.AsType[*fanfare.SendError](err); !ok || e.Fate != fanfare.FateRefused || strings.Contains(e.Reason, "example.org") {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestMailbox(t *testing.T) {
	for want, address := range map[string]*mail.Address{
		"me@example.com":                  {Address: "me@example.com"},
		`"Straße" <me@example.com>`:       {Name: "Straße", Address: "me@example.com"},
		`"a \"b\" \\ c" <me@example.com>`: {Name: `a "b" \ c`, Address: "me@example.com"},
		`"a Bcc: b" <me@example.com>`:     {Name: "a\r\nBcc: b", Address: "me@example.com"},
		`"Me" <"a b"@example.com>`:        {Name: "Me", Address: "a b@example.com"},
	} {
		if got := Mailbox(address); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
