package auth_test

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"

	"fanfare/auth"
)

const sender = "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"

func TestUnsubscribeTokens(t *testing.T) {
	tokens := auth.NewTokens(strings.Repeat("a", 32))
	for _, c := range []struct{ channel, address string }{
		{"email", "ada@example.com"}, {"email", "äda+?/#%@bücher.example"}, {"sms", "+4915123456789"},
		{"email", strings.Repeat("a", 254)},
	} {
		token := tokens.UnsubscribeToken(sender, c.channel, c.address)
		if token != url.PathEscape(token) || len(token) > 500 {
			t.Errorf("%s: %q is not fit for a path", c.address, token)
		}
		userID, channel, address, ok := tokens.ReadUnsubscribe(token)
		if !ok || userID != sender || channel != c.channel || address != c.address {
			t.Errorf("%s: %q, %q, %q, %t", c.address, userID, channel, address, ok)
		}
		if again := tokens.UnsubscribeToken(sender, c.channel, c.address); again != token {
			t.Error("a token changes")
		}
	}
}

func TestReadUnsubscribeRefuses(t *testing.T) {
	tokens, other := auth.NewTokens(strings.Repeat("a", 32)), auth.NewTokens(strings.Repeat("b", 32))
	token := tokens.UnsubscribeToken(sender, "email", "ada@example.com")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"nothing":         "",
		"no base64":       "!",
		"short":           token[:40],
		"signature only":  base64.RawURLEncoding.EncodeToString(raw[:32]),
		"no signature":    base64.RawURLEncoding.EncodeToString(raw[32:]),
		"other secret":    other.UnsubscribeToken(sender, "email", "ada@example.com"),
		"longer":          token + "AAAA",
		"shorter":         token[:len(token)-4],
		"another address": base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), "ada@", "bob@", 1))),
		"another sender":  base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(raw), "01a2", "01a3", 1))),
		"fields shifted":  tokens.UnsubscribeToken(sender+"\x00email", "x", "ada@example.com"),
	}
	for i := range token { // whichever character is another one
		flipped := byte('A')
		if token[i] == flipped {
			flipped = 'B'
		}
		bad["flipped at "+string(rune('0'+i))] = token[:i] + string(flipped) + token[i+1:]
	}
	for name, token := range bad {
		if userID, channel, address, ok := tokens.ReadUnsubscribe(token); ok || userID+channel+address != "" {
			t.Errorf("%s: taken for %q, %q, %q", name, userID, channel, address)
		}
	}
}
