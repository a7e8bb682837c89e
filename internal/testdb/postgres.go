package testdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"testing"

	_ "github.com/lib/pq" // the driver

	"fanfare"
	"fanfare/internal/devservices"
)

// cluster is a PostgreSQL server with a migrated database that is copied for
// each test: that is quicker than migrating.
type cluster struct {
	url      *url.URL
	admin    *sql.DB
	template string
}

// New returns the URL of a fresh database with all migrations applied. It is
// dropped at the end of the test, whatever is still connected to it.
func New(t testing.TB) string {
	t.Helper()
	c, err := theSuite(t).cluster()
	if err != nil {
		t.Fatal(err)
	}
	name := unique("fanfare_test_")
	if err := c.create(t.Context(), name, c.template); err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if err := c.drop(ctx, name); err != nil {
			t.Error(err)
		}
	})
	return c.database(name)
}

func (s *suite) openCluster(databaseURL string) (*cluster, error) {
	if databaseURL == "" {
		services, err := s.start(devservices.Options{Postgres: true})
		if err != nil {
			return nil, err
		}
		databaseURL = services.DatabaseURL()
	}
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		return nil, errors.New("reading DATABASE_URL: it is not a URL")
	}
	admin, err := sql.Open("postgres", databaseURL)
	if err != nil {
		return nil, fmt.Errorf("opening DATABASE_URL: %w", err)
	}
	s.onClose(admin.Close)
	c := &cluster{url: parsed, admin: admin, template: unique("fanfare_template_")}
	return c, s.prepareTemplate(c)
}

func (s *suite) prepareTemplate(c *cluster) error {
	ctx := context.Background()
	if err := c.create(ctx, c.template, "template1"); err != nil {
		return err
	}
	s.onClose(func() error { return c.drop(ctx, c.template) })
	return migrate(ctx, c.database(c.template))
}

func (c *cluster) create(ctx context.Context, name, template string) error {
	if _, err := c.admin.ExecContext(ctx, "CREATE DATABASE "+name+" TEMPLATE "+template); err != nil {
		return fanfare.Errorf(fanfare.CodeUnavailable,
			"The tests can't make a database on %s: start that server and let user %q create databases (ALTER ROLE … CREATEDB), or unset DATABASE_URL to let the tests start a server of their own.",
			c.url.Host, c.url.User.Username()).WithCause(err)
	}
	return nil
}

func (c *cluster) drop(ctx context.Context, name string) error {
	if _, err := c.admin.ExecContext(ctx, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("dropping a test database: %w", err)
	}
	return nil
}

// database returns the URL of a database of the server.
func (c *cluster) database(name string) string {
	u := *c.url
	u.Path = "/" + name
	return u.String()
}
