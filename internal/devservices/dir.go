package devservices

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"fanfare"
)

// temporaryDir returns a new directory that anybody may pass through, because
// PostgreSQL may run as another user. A database in memory is made ten times as
// fast as one on disk: it is some 300 files.
func temporaryDir() (string, error) {
	place := os.TempDir()
	if os.Getenv("TMPDIR") == "" && roomy(memoryDir) {
		place = memoryDir
	}
	dir, err := os.MkdirTemp(place, "fanfare-dev-")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o711)
}

// memoryDir is where Linux has a file system in memory. Docker gives it 64 MB
// by default, which is too little.
const memoryDir = "/dev/shm"

func roomy(dir string) bool {
	const enough = 2 << 30
	var stat syscall.Statfs_t
	err := syscall.Statfs(dir, &stat)
	return err == nil && uint64(stat.Bavail)*uint64(stat.Bsize) >= enough
}

const lockName = "lock"

// lockDir makes dir this process's own until the file is closed or the process
// ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lock of %s: %w", dir, err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		owner := make([]byte, 20)
		n, _ := f.Read(owner)
		return nil, fanfare.Errorf(fanfare.CodeUnavailable,
			"The data in %s is in use by process %s: stop that process first, or use another directory.", dir, owner[:n]).WithCause(err)
	}
	if err := errors.Join(f.Truncate(0), writePID(f)); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the lock of %s: %w", dir, err), f.Close())
	}
	return f, nil
}

func writePID(f *os.File) error {
	_, err := fmt.Fprint(f, os.Getpid())
	return err
}

// removeData deletes a server's data, and its stand-in for a directory out of
// reach (see account.home) once that is empty.
func removeData(data string) error {
	if err := os.RemoveAll(data); err != nil {
		return fmt.Errorf("removing temporary data: %w", err)
	}
	if home := filepath.Dir(data); filepath.Dir(home) == rootsData {
		_ = os.Remove(home)
	}
	return nil
}

// loadPassword returns the password kept in dir, made at the first call. It has
// 130 random bits in characters that need no quoting anywhere.
func loadPassword(dir string) (string, error) {
	path := filepath.Join(dir, "password")
	kept, err := os.ReadFile(path)
	if err == nil {
		return strings.TrimSpace(string(kept)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the development servers' password: %w", err)
	}
	password := rand.Text()
	if err := os.WriteFile(path, []byte(password+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keeping the development servers' password: %w", err)
	}
	return password, nil
}
