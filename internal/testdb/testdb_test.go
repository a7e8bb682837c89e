package testdb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/migrations"
)

func TestMain(m *testing.M) { Main(m) }

func TestNewGivesAMigratedDatabaseToEachTest(t *testing.T) {
	urls := make([]string, 6)
	t.Run("databases", func(t *testing.T) {
		for i := range urls {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				urls[i] = New(t)
				db := open(t, urls[i])
				if n, err := migrations.Pending(t.Context(), db); n != 0 || err != nil {
					t.Errorf("%d migrations are missing, %v", n, err)
				}
				if _, err := db.ExecContext(t.Context(), "CREATE TABLE only_mine ()"); err != nil {
					t.Errorf("a database is not the test's own: %v", err)
				}
			})
		}
	})
	for _, url := range urls {
		if err := open(t, url).PingContext(t.Context()); err == nil {
			t.Errorf("%s is still there after its test", url)
		}
	}
}

func TestRedisGivesAnEmptyDatabaseToEachTest(t *testing.T) {
	var mine string
	t.Run("first", func(t *testing.T) {
		mine = Redis(t)
		set(t, mine, "k")
		if other := client(t, Redis(t)); other.DBSize(t.Context()).Val() != 0 {
			t.Error("a second database sees the keys of the first")
		}
	})
	if n, err := client(t, mine).DBSize(t.Context()).Result(); n != 0 || err != nil {
		t.Errorf("%d keys are left after the test, %v", n, err)
	}
}

func TestSomebodysRedisDataIsLeftAlone(t *testing.T) {
	theirs, err := url.Parse(OwnRedis(t).URL())
	if err != nil {
		t.Fatal(err)
	}
	theirs.Path = "/1"
	set(t, theirs.String(), "precious")

	s := newSuite("", theirs.String())
	defer s.close()
	r, err := s.redis()
	if err != nil {
		t.Fatal(err)
	}
	for want := 2; want < 4; want++ {
		if got, err := r.claim(t.Context()); got != want || err != nil {
			t.Errorf("claim() = %d, %v; want %d, since 1 holds data", got, err, want)
		}
	}
}

func TestOwnServersCanBeBroken(t *testing.T) {
	s := OwnServers(t)
	if n, err := migrations.Pending(t.Context(), open(t, s.DatabaseURL())); n != 0 || err != nil {
		t.Errorf("%d migrations are missing, %v", n, err)
	}
	if err := errors.Join(s.Postgres.Kill(), s.Redis.Kill()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Postgres.Start(t.Context()), s.Redis.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := open(t, s.DatabaseURL()).PingContext(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestNothingIsLeftOnAServerThatWasGiven(t *testing.T) {
	given := OwnServers(t)
	s := newSuite(given.DatabaseURL(), given.RedisURL())
	c, err := s.cluster()
	if err != nil {
		t.Fatal(err)
	}
	if c.url.String() != given.DatabaseURL() {
		t.Errorf("the tests use %s, want the server that was given", c.url)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	var left int
	err = open(t, given.DatabaseURL()).QueryRowContext(t.Context(),
		"SELECT count(*) FROM pg_database WHERE datname LIKE 'fanfare%'").Scan(&left)
	if left != 0 || err != nil {
		t.Errorf("%d databases are left, %v", left, err)
	}
}

func TestAServerThatCantBeUsedIsNamed(t *testing.T) {
	powerless, err := url.Parse(New(t))
	if err != nil {
		t.Fatal(err)
	}
	db := open(t, powerless.String())
	role := unique("powerless_")
	if _, err := db.ExecContext(t.Context(), "CREATE ROLE "+role+" LOGIN"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := open(t, powerless.String()).Exec("DROP ROLE " + role); err != nil {
			t.Error(err)
		}
	})
	as := *powerless
	as.User = url.User(role)

	for name, try := range map[string]func() error{
		"DATABASE_URL": func() error { s := newSuite(as.String(), ""); defer s.close(); _, err := s.cluster(); return err },
		"REDIS_URL": func() error {
			s := newSuite("", "redis://127.0.0.1:1")
			defer s.close()
			_, err := s.redis()
			return err
		},
	} {
		e, ok := errors.AsType[*fanfare.Error](try())
		if !ok || !strings.Contains(e.Message, "unset "+name) {
			t.Errorf("%s: %v, want a sentence that says what to do", name, e)
		}
	}
}

func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func client(t *testing.T, url string) *goredis.Client {
	t.Helper()
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := goredis.NewClient(options)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func set(t *testing.T, url, key string) {
	t.Helper()
	if err := client(t, url).Set(t.Context(), key, "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
}
