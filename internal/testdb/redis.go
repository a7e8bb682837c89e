package testdb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/internal/devservices"
)

// redisServer hands out the numbered databases of a Redis from 1 on. Database
// 0 says which ones are taken, since other test binaries may use the same Redis.
type redisServer struct {
	url       *url.URL
	options   *goredis.Options
	claims    *goredis.Client
	databases int
}

// claimTime frees databases of tests that were killed.
const claimTime = time.Hour

// Redis returns the URL of an empty Redis database that the test has for
// itself. Channels are not part of a database: a test that must not hear what
// others publish, or that flushes all, takes OwnRedis.
func Redis(t testing.TB) string {
	t.Helper()
	r, err := theSuite(t).redis()
	if err != nil {
		t.Fatal(err)
	}
	number, err := r.claim(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context())
	t.Cleanup(func() {
		if err := r.release(ctx, number); err != nil {
			t.Error(err)
		}
	})
	u := *r.url
	u.Path = "/" + strconv.Itoa(number)
	return u.String()
}

func (s *suite) openRedis(redisURL string) (*redisServer, error) {
	if redisURL == "" {
		services, err := s.start(devservices.Options{Redis: true})
		if err != nil {
			return nil, err
		}
		redisURL = services.RedisURL()
	}
	parsed, parseErr := url.Parse(redisURL)
	options, err := goredis.ParseURL(redisURL)
	if err != nil || parseErr != nil {
		return nil, errors.New("reading REDIS_URL: it is not a redis:// URL")
	}
	r := &redisServer{url: parsed, options: options}
	r.claims = r.client(0)
	s.onClose(r.claims.Close)
	r.databases, err = r.count(context.Background())
	return r, err
}

func (r *redisServer) client(number int) *goredis.Client {
	options := *r.options
	options.DB = number
	return goredis.NewClient(&options)
}

// count returns how many databases there are: 16, Redis's default, where a
// server does not tell.
func (r *redisServer) count(ctx context.Context) (int, error) {
	if err := r.claims.Ping(ctx).Err(); err != nil {
		return 0, fanfare.Errorf(fanfare.CodeUnavailable,
			"The tests can't use the Redis on %s: start it, or unset REDIS_URL to let the tests start one of their own.", r.url.Host).WithCause(err)
	}
	config, err := r.claims.ConfigGet(ctx, "databases").Result()
	if err != nil {
		return 16, nil // hosted servers refuse CONFIG
	}
	return strconv.Atoi(config["databases"])
}

// claim waits for a database that is free and takes it.
func (r *redisServer) claim(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		number, err := r.tryClaim(ctx)
		if err != nil || number != 0 {
			return number, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return 0, fanfare.Errorf(fanfare.CodeUnavailable,
				"All databases of the Redis on %s are in use or hold data: empty some, or unset REDIS_URL to let the tests start a Redis of their own.", r.url.Host)
		}
	}
}

// tryClaim returns 0 if every database is taken or holds somebody's data.
func (r *redisServer) tryClaim(ctx context.Context) (int, error) {
	for number := 1; number < r.databases; number++ {
		err := r.claims.SetArgs(ctx, claimKey(number), "taken", goredis.SetArgs{Mode: "NX", TTL: claimTime}).Err()
		if errors.Is(err, goredis.Nil) {
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("claiming a Redis database: %w", err)
		}
		empty, err := r.empty(ctx, number)
		if err != nil {
			return 0, err
		}
		if empty {
			return number, nil
		}
		if err := r.claims.Del(ctx, claimKey(number)).Err(); err != nil {
			return 0, fmt.Errorf("giving a Redis database back: %w", err)
		}
	}
	return 0, nil
}

func (r *redisServer) empty(ctx context.Context, number int) (bool, error) {
	client := r.client(number)
	defer client.Close()
	size, err := client.DBSize(ctx).Result()
	if err != nil {
		return false, fmt.Errorf("looking into Redis database %d: %w", number, err)
	}
	return size == 0, nil
}

func (r *redisServer) release(ctx context.Context, number int) error {
	client := r.client(number)
	defer client.Close()
	if err := client.FlushDB(ctx).Err(); err != nil {
		return fmt.Errorf("emptying Redis database %d: %w", number, err)
	}
	if err := r.claims.Del(ctx, claimKey(number)).Err(); err != nil {
		return fmt.Errorf("giving Redis database %d back: %w", number, err)
	}
	return nil
}

func claimKey(number int) string { return fmt.Sprintf("fanfare:testdb:%d", number) }
