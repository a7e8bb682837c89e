package devservices

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
)

// create makes PostgreSQL's data directory, under another name first: half of
// it is never mistaken for all of it.
func (p *postgres) create(ctx context.Context) error {
	fresh := p.data + ".new"
	err := errors.Join(os.MkdirAll(filepath.Dir(p.data), 0o711), os.RemoveAll(fresh), os.Mkdir(fresh, 0o700))
	if err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	if p.password == "" {
		err = p.createFromCache(ctx, fresh)
	} else {
		err = p.createWithPassword(ctx, fresh)
	}
	if err != nil {
		return err
	}
	return os.Rename(fresh, p.data)
}

func (p *postgres) createWithPassword(ctx context.Context, dir string) error {
	secret := p.data + ".secret"
	defer os.Remove(secret)
	if err := errors.Join(os.WriteFile(secret, []byte(p.password), 0o600), p.account.own(secret)); err != nil {
		return fmt.Errorf("handing the password to initdb: %w", err)
	}
	return p.initdb(ctx, dir, "-A", "scram-sha-256", "--pwfile", secret)
}

// createFromCache copies what an earlier initdb made: a fifth of its time, and
// a test run makes many servers. The cache belongs to the user who runs this.
func (p *postgres) createFromCache(ctx context.Context, dir string) error {
	cache, err := p.cacheDir(ctx)
	if err != nil {
		return p.initdb(ctx, dir, "-A", "trust") // nowhere to keep it
	}
	if _, err := os.Stat(cache); err == nil {
		if err := os.CopyFS(dir, os.DirFS(cache)); err != nil {
			return fmt.Errorf("copying PostgreSQL's initial data from %s: %w", cache, err)
		}
		return p.account.ownAll(dir)
	}
	if err := p.initdb(ctx, dir, "-A", "trust"); err != nil {
		return err
	}
	return keep(dir, cache)
}

// cacheDir names the cache by all that the data depends on.
func (p *postgres) cacheDir(ctx context.Context) (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache directory: %w", err)
	}
	version, err := exec.CommandContext(ctx, p.program, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("asking for PostgreSQL's version: %w", err)
	}
	digest := sha256.Sum256(fmt.Appendf(version, "%s %q", owner, locale()))
	return filepath.Join(user, "fanfare", "initdb-"+hex.EncodeToString(digest[:8])), nil
}

// keep copies dir into the cache in one step: of several processes that do it
// at once, the first wins and the others' copies go.
func keep(dir, cache string) error {
	if err := os.MkdirAll(filepath.Dir(cache), 0o700); err != nil {
		return fmt.Errorf("making the cache directory: %w", err)
	}
	copied, err := os.MkdirTemp(filepath.Dir(cache), "new-")
	if err != nil {
		return fmt.Errorf("making the cache directory: %w", err)
	}
	defer os.RemoveAll(copied)
	if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
		return fmt.Errorf("keeping PostgreSQL's initial data in %s: %w", cache, err)
	}
	if err := os.Rename(copied, cache); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keeping PostgreSQL's initial data in %s: %w", cache, err)
	}
	return nil
}

func (p *postgres) initdb(ctx context.Context, dir string, auth ...string) error {
	if err := p.account.own(dir); err != nil {
		return fmt.Errorf("handing a directory to PostgreSQL's user: %w", err)
	}
	args := append([]string{"-D", dir, "-U", owner, "-E", "UTF8", "--no-sync"}, locale()...)
	initdb := exec.CommandContext(ctx, filepath.Join(filepath.Dir(p.program), "initdb"), append(args, auth...)...)
	initdb.Dir, initdb.Env = "/", serverEnv()
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: p.account.credential()}
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("running initdb: %w: %s", err, out)
	}
	return nil
}

// locale sorts by code point and knows the letters of all languages. macOS has
// no C.UTF-8 in all its versions.
func locale() []string {
	if runtime.GOOS == "darwin" {
		return []string{"--locale=C", "--lc-ctype=en_US.UTF-8"}
	}
	return []string{"--locale=C.UTF-8"}
}
