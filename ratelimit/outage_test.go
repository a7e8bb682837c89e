package ratelimit_test

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare/internal/testdb"
	"fanfare/ratelimit"
)

// nowhere is an address at which nothing listens.
func nowhere(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestRedisDown(t *testing.T) {
	l := ratelimit.New(open(t, &redis.Options{Addr: nowhere(t)}), nil)
	for range 10 {
		d := allow(t, l, policy("api", 1, time.Hour), "k", 1)
		if !d.Allowed || !d.Unlimited || d.Outage == nil {
			t.Fatalf("api: %+v, want it let through", d)
		}
	}
	login := policy("login", 5, 15*time.Minute)
	login.FailClosedInMemory = true
	checkBurst(t, l, login)
	register := policy("register", 50, time.Hour)
	register.FailClosedInMemory = true
	checkParallel(t, l, register)
}

func TestRedisFrozen(t *testing.T) {
	options, err := redis.ParseURL(testdb.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	var frozen sync.RWMutex
	options.Addr = proxy(t, options.Addr, &frozen)
	options.ReadTimeout = time.Hour // the limiter must not rely on the client's
	l, p := ratelimit.New(open(t, options), nil), policy(t.Name(), 5, time.Hour)
	if d := allow(t, l, p, "k", 1); d.Outage != nil {
		t.Fatalf("before: %v", d.Outage)
	}
	frozen.Lock()
	if d := allow(t, l, p, "k", 1); !d.Allowed || !d.Unlimited || d.Outage == nil {
		t.Errorf("frozen: %+v, want it let through", d)
	}
	frozen.Unlock()
	for allow(t, l, p, "k", 0).Outage != nil { // until the test's own timeout
	}
	if d := allow(t, l, p, "k", 1); d.Unlimited || d.Limit != 5 {
		t.Errorf("after: %+v, want it counted", d)
	}
}

// proxy passes everything on to addr while hold can be read-locked.
func proxy(t *testing.T, addr string, hold *sync.RWMutex) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	pass := func(to, from net.Conn) {
		defer to.Close()
		_, _ = io.Copy(heldWriter{to, hold}, from)
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", addr)
			if err != nil {
				client.Close()
				continue
			}
			go pass(server, client)
			go pass(client, server)
		}
	}()
	return listener.Addr().String()
}

type heldWriter struct {
	to   io.Writer
	hold *sync.RWMutex
}

func (w heldWriter) Write(b []byte) (int, error) {
	w.hold.RLock()
	defer w.hold.RUnlock()
	return w.to.Write(b)
}

// failing counts how often it is asked and never knows.
type failing struct {
	redis.UniversalClient
	asked int
}

func (f *failing) EvalSha(context.Context, string, []string, ...any) *redis.Cmd {
	f.asked++
	return redis.NewCmdResult(nil, errors.New("out of order"))
}

func TestRedisIsLeftAloneAfterAnOutage(t *testing.T) {
	client := &failing{}
	l := ratelimit.New(client, nil)
	for range 3 {
		if d := allow(t, l, policy("api", 1, time.Hour), "k", 1); !d.Unlimited {
			t.Errorf("%+v, want it let through", d)
		}
	}
	if client.asked != 1 {
		t.Errorf("Redis was asked %d times, want once", client.asked)
	}
}
