// Package devservices runs a private PostgreSQL and a private Redis as children
// of this program, for `fanfare dev`, `fanfare demo` and the tests.
//
// The servers listen on 127.0.0.1 only, on free ports, and never outlive the
// program, however it ends: each has a small supervisor, this same executable
// started again, that ends its server once its standard input closes. Hence
// the first line of main and of TestMain is a call of Supervise. A ^C in the
// terminal does not reach the servers, so the program can drain before it stops
// them.
//
// PostgreSQL refuses to run as root. Where root runs this program, PostgreSQL
// runs as the user postgres (or nobody), and where that user can't reach
// Options.Dir (it lies in /root, say) PostgreSQL's data lies in
// /var/lib/fanfare-dev, in a folder named by a digest of Dir.
package devservices

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
)

// Options says what to start.
type Options struct {
	// Dir keeps the data, the password and the servers' logs (postgres.log,
	// redis.log: of the latest run each) between runs. One process at a time
	// can use it. "" is a temporary directory that is removed at the end, in
	// memory where that can be had; TMPDIR chooses another place.
	Dir string

	Postgres bool
	Redis    bool

	// Durable is for data that somebody cares about: PostgreSQL waits for the
	// disk, Redis keeps an append-only file, and both ask for a password, which
	// is made at the first start. Without it they are as fast as they can be,
	// lose data when the machine (not when the program) crashes, Redis starts
	// empty each time, and every local process may connect.
	Durable bool
}

// Services are the running servers.
type Services struct {
	Postgres *Server // nil if it was not asked for
	Redis    *Server // nil if it was not asked for

	dir       string
	temporary bool
	lock      *os.File
}

// Start starts what opts asks for and returns once it answers. The context
// bounds the starting only. Errors are sentences (*fanfare.Error) where a
// person can do something: install a server, stop an earlier process.
func Start(ctx context.Context, opts Options) (*Services, error) {
	if isSupervisor() {
		return nil, errors.New("starting development servers: call devservices.Supervise first thing in main or TestMain")
	}
	s := &Services{temporary: opts.Dir == ""}
	if err := s.openDir(opts.Dir); err != nil {
		return nil, err
	}
	if err := s.start(ctx, opts); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Services) openDir(dir string) (err error) {
	if s.temporary {
		s.dir, err = temporaryDir()
	} else if s.dir, err = filepath.Abs(dir); err == nil {
		err = os.MkdirAll(s.dir, 0o755)
	}
	if err != nil {
		return fmt.Errorf("making a directory for the development servers: %w", err)
	}
	s.lock, err = lockDir(s.dir)
	return err
}

func (s *Services) start(ctx context.Context, opts Options) error {
	password := ""
	if opts.Durable {
		var err error
		if password, err = loadPassword(s.dir); err != nil {
			return err
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	if opts.Postgres {
		s.Postgres = newServer(newPostgres(s.dir, password), s.dir, s.temporary)
		g.Go(func() error { return s.Postgres.Start(ctx) })
	}
	if opts.Redis {
		s.Redis = newServer(newRedis(s.dir, password), s.dir, s.temporary)
		g.Go(func() error { return s.Redis.Start(ctx) })
	}
	return g.Wait()
}

// DatabaseURL returns the postgres:// URL of PostgreSQL's database
// postgres, empty at first, or "" if PostgreSQL was not asked for. It holds the
// password, and its user is a superuser.
func (s *Services) DatabaseURL() string { return s.Postgres.URL() }

// RedisURL returns the redis:// URL of database 0 of Redis, or "" if Redis was
// not asked for. It may hold the password.
func (s *Services) RedisURL() string { return s.Redis.URL() }

// Stop stops the servers, in whatever state they are, and removes the data if
// it was temporary. It may be called twice.
func (s *Services) Stop() error {
	var g errgroup.Group
	for _, server := range []*Server{s.Postgres, s.Redis} {
		if server != nil {
			g.Go(server.end)
		}
	}
	err := g.Wait()
	if s.temporary {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
		s.lock = nil
	}
	return err
}
