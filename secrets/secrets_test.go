package secrets_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/secrets"
)

const (
	first  = "first-canary-0123456789abcdef012"
	second = "second-canary-0123456789abcdef01"
	third  = "third-canary-0123456789abcdef012"
)

func keyring(t *testing.T, current string, old ...string) *secrets.Keyring {
	t.Helper()
	ring, err := secrets.NewKeyring(current, old)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func seal(t *testing.T, ring *secrets.Keyring, c fanfare.Credentials) fanfare.Sealed {
	t.Helper()
	sealed, err := ring.Seal("user", "integration", c)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestWhatIsSealedCanBeOpened(t *testing.T) {
	ring := keyring(t, first)
	for name, want := range map[string]fanfare.Credentials{
		"some":  {"host": "mail.example", "password": "p\u00e4ss \"<>&\u2028\U0001f389"},
		"empty": {},
		"large": {"key": strings.Repeat("k", 8<<10)},
	} {
		sealed := seal(t, ring, want)
		got, err := ring.Open("user", "integration", sealed)
		if diff := cmp.Diff(map[string]string(want), map[string]string(got)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		if sealed.KeyID != ring.Current() || bytes.Contains(sealed.Box, []byte("mail.example")) {
			t.Errorf("%s: sealed as %+v", name, sealed)
		}
	}
}

// A box opens only for whom it was sealed, and only as it was sealed.
func TestWhatIsNotOpened(t *testing.T) {
	ring := keyring(t, first, second)
	other := keyring(t, second).Current()
	sealed := seal(t, ring, fanfare.Credentials{"password": "canary"})
	refused := func(name, user, integration string, s fanfare.Sealed) {
		t.Helper()
		if c, err := ring.Open(user, integration, s); err == nil || c != nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %d credentials, %v", name, len(c), err)
		}
	}
	refused("another user's", "other", "integration", sealed)
	refused("another integration's", "user", "other", sealed)
	refused("the two swapped", "integration", "user", sealed)
	refused("the border moved", "useri", "ntegration", sealed)
	refused("another key's", "user", "integration", fanfare.Sealed{KeyID: other, Box: sealed.Box})
	refused("no box", "user", "integration", fanfare.Sealed{KeyID: sealed.KeyID})
	refused("longer", "user", "integration", fanfare.Sealed{KeyID: sealed.KeyID, Box: append(bytes.Clone(sealed.Box), 0)})
	for bit := range len(sealed.Box) * 8 {
		box := bytes.Clone(sealed.Box)
		box[bit/8] ^= 1 << (bit % 8)
		refused(fmt.Sprint("bit ", bit), "user", "integration", fanfare.Sealed{KeyID: sealed.KeyID, Box: box})
	}
	for n := range len(sealed.Box) {
		refused(fmt.Sprint("cut at ", n), "user", "integration", fanfare.Sealed{KeyID: sealed.KeyID, Box: sealed.Box[:n]})
	}
}

func TestOldKeysAreForReadingOnly(t *testing.T) {
	before, after := keyring(t, first), keyring(t, second, third, first)
	old := seal(t, before, fanfare.Credentials{"a": "1"})
	if c, err := after.Open("user", "integration", old); err != nil || c["a"] != "1" {
		t.Errorf("with the old key listed: %v", err)
	}
	fresh := seal(t, after, fanfare.Credentials{"a": "2"})
	if fresh.KeyID == old.KeyID || fresh.KeyID != keyring(t, second).Current() {
		t.Errorf("sealed under %s", fresh.KeyID)
	}
	// Who lists a key that is not in use yet can read what others seal with it.
	if c, err := keyring(t, first, second).Open("user", "integration", fresh); err != nil || c["a"] != "2" {
		t.Errorf("with the next key listed: %v", err)
	}
	_, err := before.Open("user", "integration", fresh)
	if err == nil || !strings.Contains(err.Error(), "ENCRYPTION_KEYS_OLD") || !strings.Contains(err.Error(), fresh.KeyID) {
		t.Errorf("without the key: %v", err)
	}
}

// A nonce that comes twice would give both texts away.
func TestNoncesAreUnique(t *testing.T) {
	ring := keyring(t, first)
	var mu sync.Mutex
	seen := map[string]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				sealed, err := ring.Seal("user", "integration", fanfare.Credentials{"a": "1"})
				mu.Lock()
				if nonce := string(sealed.Box[:12]); err != nil || seen[nonce] {
					t.Errorf("nonce %x again, or %v", nonce, err)
				} else {
					seen[nonce] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestKeys(t *testing.T) {
	for name, keys := range map[string][]string{
		"short": {first[1:]}, "long": {first + "x"}, "none": {""}, "a bad old one": {first, second[1:]},
	} {
		if _, err := secrets.NewKeyring(keys[0], keys[1:]); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
	id := keyring(t, first).Current()
	if len(id) != 16 || id != keyring(t, first, second, first).Current() || id == keyring(t, second).Current() {
		t.Errorf("key id %q", id)
	}
}
