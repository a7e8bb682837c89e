package auth_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"fanfare/auth"
)

func TestTokensAreRandom(t *testing.T) {
	tokens, seen := auth.NewTokens(strings.Repeat("a", 32)), map[string]bool{}
	for range 100 {
		session, sessionDigest := tokens.NewSession()
		key, keyDigest := tokens.NewKey()
		if !slices.Equal(sessionDigest, tokens.SessionDigest(session)) || !slices.Equal(keyDigest, tokens.KeyDigest(key)) {
			t.Fatal("the digest is another token's")
		}
		random, found := strings.CutPrefix(key, "ff_")
		if !found {
			t.Fatalf("API key without its prefix")
		}
		for _, token := range []string{session, random} {
			if b, err := base64.RawURLEncoding.DecodeString(token); err != nil || len(b) != 32 || seen[token] {
				t.Fatalf("token of %d bytes, %v, seen before: %t", len(b), err, seen[token])
			}
			seen[token] = true
		}
	}
}

func TestDigestsAreKeptApart(t *testing.T) {
	one, other := auth.NewTokens(strings.Repeat("a", 32)), auth.NewTokens(strings.Repeat("b", 32))
	digests := map[string][]byte{
		"a session":             one.SessionDigest("t"),
		"another token":         one.SessionDigest("u"),
		"a key":                 one.KeyDigest("t"),
		"a derived key":         one.Derive("t"),
		"a body":                one.BodyDigest([]byte("t")),
		"under another secret":  other.SessionDigest("t"),
		"a key, another secret": other.KeyDigest("t"),
	}
	for name, digest := range digests {
		if len(digest) != 32 {
			t.Errorf("%s: %d bytes", name, len(digest))
		}
		for other, d := range digests {
			if name != other && slices.Equal(d, digest) {
				t.Errorf("%s and %s are the same", name, other)
			}
		}
	}
	if !slices.Equal(one.SessionDigest("t"), digests["a session"]) {
		t.Error("a digest changes")
	}
}
