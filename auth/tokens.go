package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
)

const (
	tokenSize = 32 // random bytes
	// KeyPrefix begins every API key, so that people and scanners for leaked
	// secrets know one when they see it.
	KeyPrefix = "ff_"
)

// Tokens makes the secrets of sessions and API keys, and digests them, keyed
// with AUTH_SECRET: who reads the database can't sign in with what is in it.
type Tokens struct{ secret []byte }

// NewTokens returns a Tokens with AUTH_SECRET.
func NewTokens(secret string) Tokens { return Tokens{[]byte(secret)} }

// NewSession returns a secret for a session's cookie, and its SessionDigest.
func (t Tokens) NewSession() (token string, digest []byte) {
	token = newToken()
	return token, t.SessionDigest(token)
}

// NewKey returns a secret for a program, and its KeyDigest.
func (t Tokens) NewKey() (key string, digest []byte) {
	key = KeyPrefix + newToken()
	return key, t.KeyDigest(key)
}

func newToken() string {
	b := make([]byte, tokenSize)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// SessionDigest returns what is stored of a session's token: 32 bytes.
func (t Tokens) SessionDigest(token string) []byte { return t.digest("session", token) }

// KeyDigest returns what is stored of an API key: 32 bytes.
func (t Tokens) KeyDigest(key string) []byte { return t.digest("api key", key) }

// BodyDigest returns what is stored of a request's body, to know it again: 32
// bytes. A body can hold a password that a digest without a key would let be
// guessed.
func (t Tokens) BodyDigest(body []byte) []byte { return t.digest("body", string(body)) }

// Derive returns a key of 32 bytes for another use of AUTH_SECRET, such as
// signing links: a different one for each use.
func (t Tokens) Derive(use string) []byte { return t.digest("derived", use) }

// digest keeps the uses apart by a label, so that none can stand for another.
func (t Tokens) digest(label, text string) []byte {
	mac := hmac.New(sha256.New, t.secret)
	mac.Write([]byte(label + "\x00" + text))
	return mac.Sum(nil)
}
