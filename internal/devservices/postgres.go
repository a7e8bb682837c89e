package devservices

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/lib/pq"
)

// owner names PostgreSQL's superuser.
const owner = "fanfare"

type postgres struct {
	dir      string // asked for
	data     string // where the data lies
	password string // "": trust
	account  *account
	folders  []string // where to look for programs, beside PATH
	program  string
}

func newPostgres(dir, password string) *postgres {
	return &postgres{dir: dir, password: password, folders: postgresFolders()}
}

func (p *postgres) name() string    { return "postgres" }
func (p *postgres) dataDir() string { return p.data }

func (p *postgres) prepare(ctx context.Context) (err error) {
	if p.account, err = unprivileged(); err != nil {
		return err
	}
	home := p.account.home(p.dir)
	p.data = filepath.Join(home, "postgres")
	if p.program, err = postgresProgram(ctx, p.data, p.folders); err != nil {
		return err
	}
	if _, err := os.Stat(p.data); err == nil {
		return awaitEarlier(ctx, filepath.Join(p.data, "postmaster.pid"), "postgres")
	}
	return p.create(ctx)
}

func (p *postgres) spec(port int) *spec {
	settings := []string{
		"listen_addresses=127.0.0.1", "unix_socket_directories=", "port=" + strconv.Itoa(port),
		"timezone=UTC", "log_timezone=UTC", "max_connections=300",
	}
	if p.password == "" {
		// Memory segments of type mmap lie in the data directory: none is left
		// behind by a server that was killed.
		settings = append(settings, "fsync=off", "full_page_writes=off", "shared_buffers=32MB", "max_wal_size=256MB",
			"dynamic_shared_memory_type=mmap", "wal_level=minimal", "max_wal_senders=0")
	}
	args := []string{"-D", p.data}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return &spec{
		Path: p.program, Args: args, Env: serverEnv(), Dir: p.data, Account: p.account,
		// Fast shutdown, then an immediate one: postgres(1).
		Signals: []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT},
	}
}

func (p *postgres) ready(ctx context.Context, port, _ int) error {
	connector, err := pq.NewConnector(p.url(port) + "&connect_timeout=2")
	if err != nil {
		return fmt.Errorf("reading a database URL: %w", err)
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	var data string
	if err := db.QueryRowContext(ctx, "SHOW data_directory").Scan(&data); err != nil {
		return fmt.Errorf("asking PostgreSQL: %w", err)
	}
	if data != p.data {
		return fmt.Errorf("another PostgreSQL, with its data in %s, has port %d", data, port)
	}
	return nil
}

func (p *postgres) url(port int) string {
	u := url.URL{Scheme: "postgres", Host: loopback(port), Path: "/postgres", RawQuery: "sslmode=disable", User: url.User(owner)}
	if p.password != "" {
		u.User = url.UserPassword(owner, p.password)
	}
	return u.String()
}

// postgresFolders are where Debian and Homebrew (on arm64, on x86-64) keep
// PostgreSQL's programs, outside of PATH.
func postgresFolders() []string {
	return []string{"/usr/lib/postgresql/*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"}
}

// postgresProgram finds the server to run: one of the version that made the
// data, where there is data.
func postgresProgram(ctx context.Context, data string, folders []string) (string, error) {
	programs := findBinaries("postgres", folders)
	if len(programs) == 0 {
		return "", notInstalled("PostgreSQL", "postgresql", "postgresql@17")
	}
	kept, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err != nil {
		return programs[0], nil
	}
	version := strings.TrimSpace(string(kept))
	for _, program := range programs {
		// "postgres (PostgreSQL) 15.14 (Debian …)"
		out, err := exec.CommandContext(ctx, program, "--version").Output()
		if err == nil && strings.Contains(string(out), " "+version) {
			return program, nil
		}
	}
	return "", wrongVersion(data, version)
}
