package fanfare_test

import (
	"strings"
	"testing"

	"fanfare"
)

func TestParseRecipient(t *testing.T) {
	label := strings.Repeat("b", 60) + "."
	for _, c := range []struct{ channel, given, want string }{
		{"email", "ada@example.com", "ada@example.com"},
		{"email", " Ada.Lovelace@EXAMPLE.com\t", "ada.lovelace@example.com"},
		{"email", "o'brien+news!#$%&*/=?^_`{|}~-@x.io", "o'brien+news!#$%&*/=?^_`{|}~-@x.io"},
		{"email", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"},
		{"email", "ÄDA@Bücher.example", "äda@bücher.example"},
		{"email", "ada@例え.テスト", "ada@例え.テスト"},
		{"email", "ada@1.2.example", "ada@1.2.example"},
		{"email", strings.Repeat("a", 64) + "@" + strings.Repeat(label, 3) + "exampl", strings.Repeat("a", 64) + "@" + strings.Repeat(label, 3) + "exampl"},
		{"sms", "+4915123456789", "+4915123456789"},
		{"sms", " +49 (0) 151 / 234", ""},
		{"sms", "+49 (0)151-2345.678 9", "+4915123456789"},
		{"sms", "0049 151\u00a02345\u20116789", "+4915123456789"},
		{"sms", "+(1) 415 555 2671", "+14155552671"},
		{"sms", "+12345678", "+12345678"},
		{"sms", "+123456789012345", "+123456789012345"},
	} {
		got, err := fanfare.ParseRecipient(c.channel, c.given)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: %q, %v, want %q", c.channel, c.given, got, err, c.want)
		}
		if again, err := fanfare.ParseRecipient(c.channel, got); c.want != "" && (err != nil || again != got) {
			t.Errorf("%s %q parsed twice is %q, %v", c.channel, c.given, again, err)
		}
	}
}

func TestParseRecipientRefuses(t *testing.T) {
	for channel, addresses := range map[string][]string{
		"email": {
			"", " ", "eve", "@example.org", "eve@", "ada@localhost", "Ada <ada@example.com>", "<ada@example.com>",
			"ada@example.com (Ada)", "ada@example.com, bob@example.com", "ada@example.com;bob@example.com",
			"ada@example.com\nbcc: bob@example.com", "ada@example.com\r\n\r\nHello", "ada@exam\r\nple.com", "ada\r\n @example.com",
			"a da@example.com", "a\u00a0da@example.com", "a\u3000da@example.com", "ada\x00@example.com", "ada@exa\x7fmple.com",
			"ada@[127.0.0.1]", "ada@127.0.0.1", `"a b"@example.com`, `"ada"@example.com`, "ada@@example.com", "ada.@example.com",
			"a..da@example.com", "ada@.example.com", "ada@example..com", "ada@example.com.", "ada@-example.com", "ada@example-.com",
			"ada@exam_ple.com", "ada@exam\u200bple.com", "a\u200bda@example.com", "a\u202eda@example.com", "ad\xffa@example.com",
			"ada@ex\xffample.com", "=?utf-8?q?ada?= <ada@example.com>", "ada@" + strings.Repeat("b", 64) + ".com",
			strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat(strings.Repeat("b", 60)+".", 4) + "example.com",
		},
		"sms": {
			"", "00", "015123456789", "4915123456780", "+015123456789", "+1234567", "+1234567890123456", "+49151234567a9",
			"++4915123456789", "+49151+23456789", "+٤٩١٥١٢٣٤٥٦٧٨٩", "+4915123456789\x00", "+49151234567\xff", "tel:+4915123456789",
		},
		"social": {"ada@example.com"}, "ppc": {"+4915123456789"}, "": {"ada@example.com"}, "Email": {"ada@example.com"},
	} {
		for _, given := range addresses {
			got, err := fanfare.ParseRecipient(channel, given)
			if err == nil || got != "" {
				t.Errorf("%s %q: %q, want a refusal", channel, given, got)
				continue
			}
			if strings.TrimSpace(given) != "" && strings.Contains(err.Error(), strings.TrimSpace(given)) {
				t.Errorf("%s %q: the reason quotes it: %v", channel, given, err)
			}
		}
	}
}

func BenchmarkParseRecipient(b *testing.B) {
	for b.Loop() {
		_, _ = fanfare.ParseRecipient("email", "ada.lovelace@example.com")
	}
}
