package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/sync/semaphore"
)

// The cost of a hash: argon2id as OWASP's Password Storage Cheat Sheet
// recommends it.
const (
	memoryKiB   = 19 * 1024
	iterations  = 2
	parallelism = 1
	saltSize    = 16
	keySize     = 32
)

// Hasher hashes passwords. All of their characters count. At most one hash per
// core is made at a time: each takes 19 MiB, and a flood of sign-ins must not
// take all memory.
type Hasher struct {
	cores *semaphore.Weighted
}

// NewHasher returns a Hasher for as many cores as the process may use.
func NewHasher() *Hasher {
	return &Hasher{cores: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))}
}

// Hash returns password's hash in the PHC string format
// (https://github.com/P-H-C/phc-string-format). Check the password first.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	made := phc{cost: currentCost(), salt: make([]byte, saltSize)}
	_, _ = rand.Read(made.salt) // never fails
	key, err := h.derive(ctx, password, made.cost, made.salt, keySize)
	if err != nil {
		return "", err
	}
	made.key = key
	return made.String(), nil
}

// Verify reports whether hash is password's, and if so whether it should be
// made anew, because the cost of a hash has changed since.
func (h *Hasher) Verify(ctx context.Context, hash, password string) (ok, rehash bool, err error) {
	stored, err := parsePHC(hash)
	if err != nil {
		return false, false, err
	}
	key, err := h.derive(ctx, password, stored.cost, stored.salt, len(stored.key))
	if err != nil {
		return false, false, err
	}
	ok = subtle.ConstantTimeCompare(key, stored.key) == 1
	return ok, ok && stored.cost != currentCost(), nil
}

// VerifyNobody takes the time that Verify takes. Called for an address that
// nobody has, it keeps the answer's time from telling so.
func (h *Hasher) VerifyNobody(ctx context.Context, password string) error {
	_, err := h.derive(ctx, password, currentCost(), make([]byte, saltSize), keySize)
	return err
}

func (h *Hasher) derive(ctx context.Context, password string, c cost, salt []byte, size int) ([]byte, error) {
	if err := h.cores.Acquire(ctx, 1); err != nil {
		return nil, fmt.Errorf("waiting to hash a password: %w", err)
	}
	defer h.cores.Release(1)
	prepared, _ := prepare(password) // one that can't be prepared was never taken, and fits no hash
	return argon2.IDKey([]byte(prepared), salt, c.iterations, c.memory, c.parallelism, uint32(size)), nil
}

// cost is what a hash takes: memory in KiB.
type cost struct {
	memory, iterations uint32
	parallelism        uint8
}

func currentCost() cost { return cost{memoryKiB, iterations, parallelism} }

// sane keeps a broken row from taking the process down: argon2 panics below
// these bounds, and takes all there is far above them.
func (c cost) sane() bool {
	return c.iterations >= 1 && c.iterations <= 16 && c.parallelism >= 1 && c.memory <= 256*1024
}

type phc struct {
	cost      cost
	salt, key []byte
}

func (p phc) String() string {
	text := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		p.cost.memory, p.cost.iterations, p.cost.parallelism, text(p.salt), text(p.key))
}

// parsePHC reads what String writes. Its errors don't quote the hash.
func parsePHC(s string) (phc, error) {
	bad := errors.New("a stored password hash is not one of argon2id")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return phc{}, bad
	}
	var p phc
	_, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.cost.memory, &p.cost.iterations, &p.cost.parallelism)
	if err != nil || !p.cost.sane() {
		return phc{}, bad
	}
	p.salt, err = base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return phc{}, bad
	}
	p.key, err = base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(p.key) < keySize/2 {
		return phc{}, bad
	}
	return p, nil
}
