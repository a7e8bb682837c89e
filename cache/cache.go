// Package cache keeps answers in Redis for a while. Keys carry the version of
// what they hold, and the version lives in the database: a change makes a new
// key, so nothing has to be deleted, and nothing old can be read, whether Redis
// was there at the change or not.
package cache

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/singleflight"
)

const (
	keyPrefix = "fanfare:cache:"
	// limit is how long a read waits for Redis before it goes without.
	limit = 250 * time.Millisecond
)

// Cache may be used by any number of goroutines.
type Cache struct {
	rdb    redis.UniversalClient
	logger *slog.Logger
	loads  singleflight.Group
}

// New returns a cache on a Redis client, which stays the caller's to close.
func New(rdb redis.UniversalClient, logger *slog.Logger) *Cache {
	return &Cache{rdb: rdb, logger: logger}
}

// Fetch returns what is kept under key, or loads it and keeps it for ttl. Many
// who ask for a key at once cause one load. Without Redis every read is a load.
func (c *Cache) Fetch(ctx context.Context, key string, ttl time.Duration, load func(ctx context.Context) ([]byte, error)) (value []byte, hit bool, err error) {
	if value, ok := c.get(ctx, key); ok {
		return value, true, nil
	}
	loaded, err, _ := c.loads.Do(key, func() (any, error) {
		// Others wait for this load, so it must not end with the first's request.
		ctx := context.WithoutCancel(ctx)
		// Who came too late for the first look may find what another has kept since.
		if value, ok := c.get(ctx, key); ok {
			return value, nil
		}
		value, err := load(ctx)
		if err == nil {
			c.set(ctx, key, value, ttl)
		}
		return value, err
	})
	if err != nil {
		return nil, false, fmt.Errorf("loading what a cache lacks: %w", err)
	}
	return loaded.([]byte), false, nil
}

func (c *Cache) get(ctx context.Context, key string) ([]byte, bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	value, err := c.rdb.Get(ctx, keyPrefix+key).Bytes()
	return value, err == nil
}

func (c *Cache) set(ctx context.Context, key string, value []byte, ttl time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := c.rdb.Set(ctx, keyPrefix+key, value, ttl).Err(); err != nil {
		c.logger.DebugContext(ctx, "an answer could not be cached", "error", err)
	}
}
