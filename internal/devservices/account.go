package devservices

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"fanfare"
)

// rootsData holds PostgreSQL's data where root runs the program and
// PostgreSQL's user can't reach the directory that was asked for.
const rootsData = "/var/lib/fanfare-dev"

// account is the user that a server runs as, instead of root.
type account struct {
	UID, GID uint32
}

// unprivileged returns the account for PostgreSQL, or nil if this process is
// not root: then its own user will do.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return parseAccount(u)
		}
	}
	return nil, fanfare.Errorf(fanfare.CodeUnavailable,
		"PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody: run this as an ordinary user.")
}

func parseAccount(u *user.User) (*account, error) {
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("reading the user id of %s: %w", u.Username, err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("reading the group id of %s: %w", u.Username, err)
	}
	return &account{UID: uint32(uid), GID: uint32(gid)}, nil
}

// own gives a file to the account.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.UID), int(a.GID))
}

// ownAll gives a directory and all that is in it to the account.
func (a *account) ownAll(dir string) error {
	if a == nil {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return a.own(path)
	})
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.UID, Gid: a.GID}
}

// home returns the directory for a server's data: dir, or a stand-in for it
// that the account can reach.
func (a *account) home(dir string) string {
	if a == nil || a.reaches(dir) {
		return dir
	}
	digest := sha256.Sum256([]byte(dir))
	return filepath.Join(rootsData, hex.EncodeToString(digest[:8]))
}

// reaches reports whether the account may pass through dir and all above it.
func (a *account) reaches(dir string) bool {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	for {
		if !a.passes(dir) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
		dir = filepath.Dir(dir)
	}
}

func (a *account) passes(dir string) bool {
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return false
	}
	switch {
	case stat.Uid == a.UID:
		return info.Mode()&0o100 != 0
	case stat.Gid == a.GID:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}
