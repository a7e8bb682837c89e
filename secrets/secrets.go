// Package secrets seals what users entrust to us for their providers.
//
// A box is AES-256-GCM (NIST SP 800-38D) with a nonce of 96 random bits in
// front. It is bound to the user, the integration and the key that it was made
// for: copied into another row, it can't be opened there.
package secrets

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"fanfare"
)

const (
	keySize   = 32 // bytes: AES-256
	keyIDSize = 8  // bytes of a digest: enough to tell a handful of keys apart
)

// Keyring seals under one key and opens what any of its keys has sealed. It may
// be used by any number of goroutines.
type Keyring struct {
	current string // its key's id
	keys    map[string]cipher.AEAD
}

// NewKeyring takes ENCRYPTION_KEY, to seal with, and ENCRYPTION_KEYS_OLD, for
// reading only. A key has 32 bytes; no error quotes one.
func NewKeyring(current string, old []string) (*Keyring, error) {
	ring := &Keyring{current: keyID(current), keys: map[string]cipher.AEAD{}}
	for _, key := range append([]string{current}, old...) {
		if len(key) != keySize {
			return nil, errors.New("an encryption key must have exactly 32 characters, all of them ASCII")
		}
		block, err := aes.NewCipher([]byte(key))
		if err != nil {
			return nil, fmt.Errorf("making a cipher: %w", err)
		}
		if ring.keys[keyID(key)], err = cipher.NewGCMWithRandomNonce(block); err != nil {
			return nil, fmt.Errorf("making a cipher: %w", err)
		}
	}
	return ring, nil
}

// keyID names a key in the rows that it has sealed. As a keyed digest of a
// constant it tells nothing of the key.
func keyID(key string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte("fanfare: the id of an encryption key"))
	return hex.EncodeToString(mac.Sum(nil)[:keyIDSize])
}

// Current is the id of the key that Seal uses.
func (r *Keyring) Current() string { return r.current }

// Knows reports whether one of the keys has that id.
func (r *Keyring) Knows(keyID string) bool { return r.keys[keyID] != nil }

// Seal encrypts the credentials of a user's integration under the current key.
func (r *Keyring) Seal(userID, integrationID string, c fanfare.Credentials) (fanfare.Sealed, error) {
	plain, err := json.Marshal(map[string]string(c))
	if err != nil {
		return fanfare.Sealed{}, errors.New("credentials could not be encoded") // the cause could quote them
	}
	box := r.keys[r.current].Seal(nil, nil, plain, owner(userID, integrationID, r.current))
	return fanfare.Sealed{KeyID: r.current, Box: box}, nil
}

// Open decrypts what Seal made for the same user and integration, under
// whichever of the keys.
func (r *Keyring) Open(userID, integrationID string, s fanfare.Sealed) (fanfare.Credentials, error) {
	key, known := r.keys[s.KeyID]
	if !known {
		return nil, fmt.Errorf("credentials are sealed under key %q, which is not among the settings: put that key into ENCRYPTION_KEYS_OLD", s.KeyID)
	}
	plain, err := key.Open(nil, nil, s.Box, owner(userID, integrationID, s.KeyID))
	if err != nil {
		return nil, errors.New("sealed credentials were changed, or belong to another row: they can't be opened")
	}
	var c fanfare.Credentials
	if err := json.Unmarshal(plain, &c); err != nil {
		return nil, errors.New("credentials could not be decoded") // the cause could quote them
	}
	return c, nil
}

// owner is the additional data of a box: each part after its length, so that no
// two owners are written alike.
func owner(parts ...string) []byte {
	data := []byte("fanfare credentials 1")
	for _, part := range parts {
		data = binary.BigEndian.AppendUint32(data, uint32(len(part)))
		data = append(data, part...)
	}
	return data
}
