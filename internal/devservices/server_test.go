package devservices

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fanfare"
)

func TestPauseAndResume(t *testing.T) {
	s := start(t, Options{Postgres: true, Redis: true})
	db, client := openDB(t, s.DatabaseURL()), redisClient(t, s.RedisURL())
	asks := map[*Server]func() error{
		s.Postgres: func() error { _, err := db.Exec("SELECT 1"); return err },
		s.Redis:    func() error { return client.Ping(t.Context()).Err() },
	}
	for server, ask := range asks {
		if err := ask(); err != nil { // the connection is open before the pause
			t.Fatal(err)
		}
		if err := server.Pause(); err != nil {
			t.Fatal(err)
		}
		answer := make(chan error, 1)
		go func() { answer <- ask() }()
		select {
		case err := <-answer:
			if err == nil {
				t.Errorf("%s answered while it was paused", server.engine.name())
			}
		case <-time.After(500 * time.Millisecond): // it had time enough to answer
		}
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
		if err := ask(); err != nil {
			t.Errorf("%s after Resume: %v", server.engine.name(), err)
		}
	}
}

func TestAPausedServerCanBeStopped(t *testing.T) {
	s := start(t, Options{Postgres: true, Redis: true})
	for server, farewell := range map[*Server]string{s.Postgres: "database system is shut down", s.Redis: "ready to exit"} {
		if err := errors.Join(server.Pause(), server.Stop()); err != nil {
			t.Fatal(err)
		}
		if log := tail(server.log); !strings.Contains(string(log), farewell) {
			t.Errorf("%s was not shut down in good order: %s", server.engine.name(), log)
		}
	}
}

func TestRestart(t *testing.T) {
	s := start(t, Options{Postgres: true, Redis: true})
	exec1(t, s, "CREATE TABLE rounds (n int)")
	urls := s.DatabaseURL() + s.RedisURL()
	breaks := []struct {
		name string
		how  func(*Server) error
	}{
		{"stopped", (*Server).Stop},
		{"killed", (*Server).Kill},
		{"killed while paused", func(s *Server) error { return errors.Join(s.Pause(), s.Kill()) }},
	}
	for i, b := range breaks {
		t.Run(b.name, func(t *testing.T) {
			exec1(t, s, "INSERT INTO rounds VALUES (1)")
			for _, server := range []*Server{s.Postgres, s.Redis} {
				if err := b.how(server); err != nil {
					t.Fatal(err)
				}
				if pid := server.PID(); pid != 0 {
					t.Errorf("PID() = %d, want 0", pid)
				}
				if err := server.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if now := s.DatabaseURL() + s.RedisURL(); now != urls {
				t.Errorf("the URLs are %s, were %s", now, urls)
			}
			if got := query(t, s.DatabaseURL(), "SELECT count(*) FROM rounds"); got != strconv.Itoa(i+1) {
				t.Errorf("%s rows after %d rounds", got, i+1)
			}
			setKey(t, s, "k", "v")
		})
	}
}

func TestAServerInTheWrongStateSaysSo(t *testing.T) {
	s := start(t, Options{Redis: true})
	if err := s.Redis.Start(t.Context()); err == nil {
		t.Error("Start of a running server succeeded")
	}
	if err := s.Redis.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Stop": s.Redis.Stop, "Kill": s.Redis.Kill, "Pause": s.Redis.Pause, "Resume": s.Redis.Resume,
	} {
		if call() == nil {
			t.Errorf("%s of a stopped server succeeded", name)
		}
	}
}

func TestATakenPortIsPassedOver(t *testing.T) {
	for _, engine := range []func(dir string) engine{
		func(dir string) engine { return newPostgres(dir, "") },
		func(dir string) engine { return newRedis(dir, "") },
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		ports := []int{listener.Addr().(*net.TCPAddr).Port, randomPort()}
		dir := sharedDir(t)
		server := newServer(engine(dir), dir, true)
		server.newPort = func() int {
			port := ports[0]
			ports = append(ports[1:], randomPort())
			return port
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := server.end(); err != nil {
			t.Error(err)
		}
	}
}

func TestAMissingServerIsNamedWithItsCommand(t *testing.T) {
	t.Setenv("PATH", "")
	p, r := newPostgres(t.TempDir(), ""), newRedis(t.TempDir(), "")
	p.account, p.folders, r.folders = nil, nil, nil
	wantSentence(t, p.prepare(t.Context()), "install postgresql")
	wantSentence(t, r.prepare(t.Context()), "install redis")
}

func TestProgramsAreFoundNewestFirst(t *testing.T) {
	t.Setenv("PATH", "")
	root := t.TempDir()
	for _, version := range []string{"9", "15", "16"} {
		program := filepath.Join(root, version, "bin", "postgres")
		if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
			t.Fatal(err)
		}
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) " + version + ".3'\n"
		if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct{ kept, want string }{{"", "16"}, {"9", "9"}, {"15", "15"}, {"14", ""}} {
		data := t.TempDir()
		if test.kept != "" {
			if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte(test.kept+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := postgresProgram(t.Context(), data, []string{filepath.Join(root, "*", "bin")})
		if test.want == "" {
			wantSentence(t, err, "PostgreSQL "+test.kept)
		} else if got != filepath.Join(root, test.want, "bin", "postgres") {
			t.Errorf("data of version %q gets %s, %v; want version %s", test.kept, got, err, test.want)
		}
	}
}

// wantSentence checks for an error that is meant for people.
func wantSentence(t *testing.T, err error, part string) {
	t.Helper()
	e, ok := errors.AsType[*fanfare.Error](err)
	if !ok || !strings.Contains(e.Message, part) {
		t.Errorf("error %v, want a sentence with %q", err, part)
	}
}
