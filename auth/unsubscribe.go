package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// unsubscribeSeparator stands in no id, channel or address.
const unsubscribeSeparator = "\x00"

// UnsubscribeToken returns what an unsubscribe link ends with: the address
// itself under a signature, so that it works for as long as AUTH_SECRET is the
// same, also after the campaign is gone. It is fit for a URL's path.
func (t Tokens) UnsubscribeToken(userID, channel, address string) string {
	text := strings.Join([]string{userID, channel, address}, unsubscribeSeparator)
	return base64.RawURLEncoding.EncodeToString(append(t.signUnsubscribe(text), text...))
}

// ReadUnsubscribe returns who is to send nothing more to which address; ok is
// false for what is not a token of ours.
func (t Tokens) ReadUnsubscribe(token string) (userID, channel, address string, ok bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < sha256.Size {
		return "", "", "", false
	}
	signature, text := raw[:sha256.Size], string(raw[sha256.Size:])
	parts := strings.Split(text, unsubscribeSeparator)
	if !hmac.Equal(signature, t.signUnsubscribe(text)) || len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

func (t Tokens) signUnsubscribe(text string) []byte {
	mac := hmac.New(sha256.New, t.Derive("unsubscribe links"))
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
