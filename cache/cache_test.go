package cache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare/cache"
	"fanfare/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func open(t *testing.T, url string) (*cache.Cache, *redis.Client) {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	options.DialerRetries = 1
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return cache.New(client, slog.New(slog.DiscardHandler)), client
}

// counted is a load that counts, and says how often it was called.
func counted(loads *atomic.Int64) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) { return fmt.Append(nil, loads.Add(1)), nil }
}

func fetch(t *testing.T, c *cache.Cache, key string, load func(context.Context) ([]byte, error), want string, wantHit bool) {
	t.Helper()
	value, hit, err := c.Fetch(t.Context(), key, time.Hour, load)
	if string(value) != want || hit != wantHit || err != nil {
		t.Errorf("Fetch(%s) = %q, hit %t, %v; want %q, hit %t", key, value, hit, err, want, wantHit)
	}
}

func TestWhatIsKeptIsNotLoaded(t *testing.T) {
	url := testdb.Redis(t)
	c, client := open(t, url)
	var loads atomic.Int64
	fetch(t, c, "a", counted(&loads), "1", false)
	fetch(t, c, "a", counted(&loads), "1", true)
	other, _ := open(t, url)
	fetch(t, other, "a", counted(&loads), "1", true)
	fetch(t, c, "b", counted(&loads), "2", false)
	if ttl := client.TTL(t.Context(), "fanfare:cache:a").Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("it is kept for %s, want an hour", ttl)
	}
}

func TestAHerdLoadsOnce(t *testing.T) {
	c, _ := open(t, testdb.Redis(t))
	var loads atomic.Int64
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if value, _, err := c.Fetch(t.Context(), "a", time.Hour, counted(&loads)); string(value) != "1" || err != nil {
				t.Errorf("%q, %v", value, err)
			}
		})
	}
	wg.Wait()
	if n := loads.Load(); n != 1 {
		t.Errorf("%d loads, want 1", n)
	}
}

// The first one's request may end while others wait for what it loads.
func TestALoadOutlivesItsRequest(t *testing.T) {
	c, _ := open(t, testdb.Redis(t))
	ctx, cancel := context.WithCancel(t.Context())
	_, _, err := c.Fetch(ctx, "a", time.Hour, func(ctx context.Context) ([]byte, error) {
		cancel()
		return []byte("x"), ctx.Err()
	})
	if err != nil {
		t.Errorf("the load ended with its request: %v", err)
	}
}

func TestFailuresAreNotKept(t *testing.T) {
	c, _ := open(t, testdb.Redis(t))
	broken := errors.New("broken")
	_, _, err := c.Fetch(t.Context(), "a", time.Hour, func(context.Context) ([]byte, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
	var loads atomic.Int64
	fetch(t, c, "a", counted(&loads), "1", false)
}

func TestWithoutRedisEveryReadIsALoad(t *testing.T) {
	server := testdb.OwnRedis(t)
	c, _ := open(t, server.URL())
	var loads atomic.Int64
	fetch(t, c, "a", counted(&loads), "1", false)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	fetch(t, c, "a", counted(&loads), "2", false)
	fetch(t, c, "a", counted(&loads), "3", false)
}
