package ratelimit

import (
	"context"
	"fmt"
	"time"

	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"

	"fanfare"
)

const (
	// maxKeys bounds the memory that strangers can fill, to some 10 MB; the
	// keys not used for longest go first.
	maxKeys = 1 << 16
	// maxSwaps is how often a hit tries to write against parallel ones. In
	// memory one of them always gets through; if all fail, the hit is refused.
	maxSwaps = 10_000
)

// memory counts in this process alone.
type memory struct{ store throttled.GCRAStoreCtx }

func newMemory() memory {
	store, err := memstore.NewCtx(maxKeys)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return memory{store}
}

func (m memory) take(ctx context.Context, p fanfare.RatePolicy, hashed string, cost int) (fanfare.RateDecision, error) {
	limiter, err := throttled.NewGCRARateLimiterCtx(m.store, throttled.RateQuota{
		MaxRate:  throttled.PerDuration(1, interval(p.Rate)),
		MaxBurst: p.Rate.Count - 1,
	})
	if err != nil {
		return fanfare.RateDecision{}, fmt.Errorf("limiting %s in memory: %w", p.Name, err)
	}
	limiter.SetMaxCASAttemptsLimit(maxSwaps)
	limited, result, err := limiter.RateLimitCtx(ctx, hashed, cost)
	if err != nil {
		return fanfare.RateDecision{}, fmt.Errorf("limiting %s in memory: %w", p.Name, err)
	}
	return fanfare.RateDecision{
		Allowed:    !limited,
		Limit:      result.Limit,
		Remaining:  result.Remaining,
		Reset:      time.Now().Add(result.ResetAfter),
		Next:       next(result.ResetAfter, p.Rate),
		RetryAfter: max(result.RetryAfter, 0),
	}, nil
}
