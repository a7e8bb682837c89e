package devservices

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

type redis struct {
	data     string
	password string   // "": none asked for
	folders  []string // where to look for programs, beside PATH
	program  string
}

func newRedis(dir, password string) *redis {
	return &redis{
		data: filepath.Join(dir, "redis"), password: password,
		folders: []string{"/usr/bin", "/opt/homebrew/bin", "/usr/local/bin"},
	}
}

func (r *redis) name() string    { return "redis" }
func (r *redis) dataDir() string { return r.data }

func (r *redis) prepare(ctx context.Context) error {
	programs := findBinaries("redis-server", r.folders)
	if len(programs) == 0 {
		return notInstalled("Redis", "redis-server", "redis")
	}
	r.program = programs[0]
	if err := os.MkdirAll(r.data, 0o700); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	if err := awaitEarlier(ctx, filepath.Join(r.data, "redis.pid"), "redis-server"); err != nil {
		return err
	}
	// A file, because a process's arguments can be read by everyone.
	return os.WriteFile(filepath.Join(r.data, "redis.conf"), []byte(r.config()), 0o600)
}

// config refuses to evict: what Redis carries for us is not a cache.
func (r *redis) config() string {
	lines := []string{
		"bind 127.0.0.1", "pidfile redis.pid", "databases 512", "maxmemory-policy noeviction", `save ""`,
	}
	if r.password == "" {
		lines = append(lines, "appendonly no")
	} else {
		lines = append(lines, "appendonly yes", "appendfsync everysec", "requirepass "+r.password)
	}
	return strings.Join(lines, "\n") + "\n"
}

func (r *redis) spec(port int) *spec {
	return &spec{
		Path: r.program, Args: []string{"redis.conf", "--port", strconv.Itoa(port)},
		Env: serverEnv(), Dir: r.data, Signals: []syscall.Signal{syscall.SIGTERM},
	}
}

func (r *redis) ready(ctx context.Context, port, pid int) error {
	// The client would log a refused connection.
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", loopback(port))
	if err != nil {
		return fmt.Errorf("connecting to Redis: %w", err)
	}
	_ = conn.Close()
	client := goredis.NewClient(&goredis.Options{
		Addr: loopback(port), Password: r.password, MaxRetries: -1, DialTimeout: time.Second, ReadTimeout: time.Second,
		DisableIdentity: true,
	})
	defer client.Close()
	info, err := client.Info(ctx, "server").Result()
	if err != nil {
		return fmt.Errorf("asking Redis: %w", err)
	}
	if !strings.Contains(info, fmt.Sprintf("process_id:%d\r\n", pid)) {
		return fmt.Errorf("another Redis has port %d", port)
	}
	// It answers while it still loads its data, but only to INFO.
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("asking Redis: %w", err)
	}
	return nil
}

func (r *redis) url(port int) string {
	u := url.URL{Scheme: "redis", Host: loopback(port), Path: "/0"}
	if r.password != "" {
		u.User = url.UserPassword("", r.password)
	}
	return u.String()
}
