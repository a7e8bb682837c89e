// Package testdb gives tests real databases: a fresh, migrated PostgreSQL
// database and an empty Redis database for each test that asks.
//
//	func TestMain(m *testing.M) { testdb.Main(m) }
//
//	func TestSomething(t *testing.T) {
//		db, err := sql.Open("postgres", testdb.New(t))
//
// The servers are private ones of the test binary, started when a test first
// asks and ended with it. Where DATABASE_URL or REDIS_URL is set, that server
// is used instead: PostgreSQL's user must be allowed to create databases (and
// be a superuser where a test looks at plans), and Redis needs databases that
// are empty.
package testdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"fanfare/internal/devservices"
	"fanfare/migrations"
)

// suite is what the tests of one binary share.
type suite struct {
	cluster func() (*cluster, error)
	redis   func() (*redisServer, error)
	closers []func() error // filled by the two above

	mu sync.Mutex
}

// shared is set once, by Main: a test can be handed nothing by its TestMain.
var shared *suite

// Main runs the tests of a package and ends the process. It must be the whole
// of TestMain.
func Main(m interface{ Run() int }) {
	devservices.Supervise()
	shared = newSuite(os.Getenv("DATABASE_URL"), os.Getenv("REDIS_URL"))
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "testdb:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// newSuite uses the servers of the two URLs, and its own where one is "".
func newSuite(databaseURL, redisURL string) *suite {
	s := &suite{}
	s.cluster = sync.OnceValues(func() (*cluster, error) { return s.openCluster(databaseURL) })
	s.redis = sync.OnceValues(func() (*redisServer, error) { return s.openRedis(redisURL) })
	return s
}

func (s *suite) start(opts devservices.Options) (*devservices.Services, error) {
	services, err := devservices.Start(context.Background(), opts)
	if err == nil {
		s.onClose(services.Stop)
	}
	return services, err
}

func (s *suite) onClose(closer func() error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closers = append(s.closers, closer)
}

// close undoes what was opened, the latest first.
func (s *suite) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	return errors.Join(errs...)
}

func theSuite(t testing.TB) *suite {
	t.Helper()
	if shared == nil {
		t.Fatal("this package's TestMain must be: func TestMain(m *testing.M) { testdb.Main(m) }")
	}
	return shared
}

// OwnServers starts a PostgreSQL, with a migrated database, and a Redis for one
// test alone, which may break them. They end with the test.
func OwnServers(t testing.TB) *devservices.Services {
	t.Helper()
	services := own(t, devservices.Options{Postgres: true, Redis: true})
	if err := migrate(t.Context(), services.DatabaseURL()); err != nil {
		t.Fatal(err)
	}
	return services
}

// OwnRedis starts a Redis for one test alone, which may break or flush it; it
// ends with the test. Publishing and FLUSHALL reach across the databases of a
// shared one.
func OwnRedis(t testing.TB) *devservices.Server {
	t.Helper()
	return own(t, devservices.Options{Redis: true}).Redis
}

func own(t testing.TB, opts devservices.Options) *devservices.Services {
	t.Helper()
	theSuite(t)
	services, err := devservices.Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := services.Stop(); err != nil {
			t.Error(err)
		}
	})
	return services
}

func migrate(ctx context.Context, url string) error {
	db, err := sql.Open("postgres", url)
	if err != nil {
		return fmt.Errorf("opening a test database: %w", err)
	}
	defer db.Close()
	return migrations.Up(ctx, db)
}

// unique returns a name that no other test run has.
func unique(prefix string) string { return prefix + strings.ToLower(rand.Text()) }
