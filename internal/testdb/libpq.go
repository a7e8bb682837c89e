package testdb

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Libpq is the environment in which PostgreSQL's own programs find a database.
// Homebrew does not put those into PATH.
func Libpq(t testing.TB, databaseURL string) []string {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal("reading a database's URL")
	}
	password, _ := u.User.Password()
	folders, _ := filepath.Glob("/opt/homebrew/opt/postgresql@*/bin") // the pattern is sound
	more, _ := filepath.Glob("/usr/local/opt/postgresql@*/bin")
	path := append(append([]string{os.Getenv("PATH")}, folders...), more...)
	return append(os.Environ(), "PATH="+strings.Join(path, string(os.PathListSeparator)),
		"PGHOST="+u.Hostname(), "PGPORT="+u.Port(), "PGUSER="+u.User.Username(), "PGPASSWORD="+password,
		"PGDATABASE="+strings.TrimPrefix(u.Path, "/"))
}
