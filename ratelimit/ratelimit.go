// Package ratelimit counts requests against limits that all processes share.
//
// The counting is GCRA, in one Lua script: one round trip, atomic, and no
// attempts to run out of. (The compare-and-swap loop of throttled's Redis store
// failed for 180 of 200 parallel hits with its 10 attempts, and took 280 ms
// with 1000: a burst could have looked like an outage.) throttled with its
// memory store does the same in process memory while Redis is down.
package ratelimit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
)

const (
	keyPrefix = "fanfare:ratelimit:"
	// answerTime is how long a request waits for Redis at most, and restTime
	// how long Redis is left alone after it failed to answer: without that,
	// each request would wait while it is down.
	answerTime = 250 * time.Millisecond
	restTime   = time.Second
)

// Limiter decides. It is safe for concurrent use.
type Limiter struct {
	redis   redis.UniversalClient
	script  *redis.Script
	salt    []byte
	memory  memory
	retryAt atomic.Int64 // nanoseconds since the epoch: not to ask Redis before
}

// New returns a Limiter on client, which stays the caller's to close. Keys are
// hashed with salt before they leave the process, so that Redis holds no
// address of anybody.
func New(client redis.UniversalClient, salt []byte) *Limiter {
	// The client's own timeouts are for others, and unless it was told to, it
	// does not stop at a context's. (The copy shares the pool, not the hooks.)
	if c, ok := client.(*redis.Client); ok {
		client = c.WithTimeout(answerTime)
	}
	return &Limiter{redis: client, script: redis.NewScript(gcra), salt: salt, memory: newMemory()}
}

// Allow takes cost units from what p allows key, if they are there; a burst of
// all of p.Rate.Count is. A cost of 0 looks without taking. The error is not
// nil, and nothing allowed, if ctx ended or p can't be counted.
func (l *Limiter) Allow(ctx context.Context, p fanfare.RatePolicy, key string, cost int) (fanfare.RateDecision, error) {
	if p.Rate.Count < 1 || p.Rate.Window <= 0 || cost < 0 {
		return fanfare.RateDecision{}, fmt.Errorf("limiting %s: %s for a cost of %d can't be counted", p.Name, p.Rate, cost)
	}
	hashed := l.hash(p, key)
	decision, outage := l.ask(ctx, p, hashed, cost)
	if err := ctx.Err(); outage != nil && err != nil {
		return fanfare.RateDecision{}, fmt.Errorf("limiting %s: %w", p.Name, err)
	}
	if outage == nil {
		return decision, nil
	}
	if !p.FailClosedInMemory {
		return fanfare.RateDecision{Allowed: true, Unlimited: true, Outage: outage}, nil
	}
	decision, err := l.memory.take(ctx, p, hashed, cost)
	decision.Outage = outage
	return decision, err
}

func (l *Limiter) hash(p fanfare.RatePolicy, key string) string {
	mac := hmac.New(sha256.New, l.salt)
	fmt.Fprintf(mac, "%s\x00%s", p.Name, key)
	return p.Name + ":" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// ask leaves the decision to Redis, unless it has just failed to make one.
func (l *Limiter) ask(ctx context.Context, p fanfare.RatePolicy, hashed string, cost int) (fanfare.RateDecision, error) {
	if time.Now().UnixNano() < l.retryAt.Load() {
		return fanfare.RateDecision{}, fmt.Errorf("redis failed to answer less than %s ago", restTime)
	}
	limited, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	decision, err := l.take(limited, p, hashed, cost)
	if err != nil && ctx.Err() == nil {
		l.retryAt.Store(time.Now().Add(restTime).UnixNano())
	}
	return decision, err
}

//go:embed gcra.lua
var gcra string

func (l *Limiter) take(ctx context.Context, p fanfare.RatePolicy, hashed string, cost int) (fanfare.RateDecision, error) {
	unit := interval(p.Rate)
	answer, err := l.script.Run(ctx, l.redis, []string{keyPrefix + hashed},
		unit.Microseconds(), p.Rate.Count, cost).Int64Slice()
	if err != nil {
		return fanfare.RateDecision{}, fmt.Errorf("asking redis: %w", err)
	}
	if len(answer) != 3 {
		return fanfare.RateDecision{}, fmt.Errorf("asking redis: it answered %d numbers, not 3", len(answer))
	}
	full := time.Duration(answer[1]) * time.Microsecond
	return fanfare.RateDecision{
		Allowed:    answer[0] == 1,
		Limit:      p.Rate.Count,
		Remaining:  max(p.Rate.Count-int((full+unit-1)/unit), 0), // below 0 after the rate was lowered
		Reset:      time.Now().Add(full),
		Next:       next(full, p.Rate),
		RetryAfter: time.Duration(answer[2]) * time.Microsecond,
	}, nil
}

// next is how long it takes until one unit more is there, when all are in full:
// the units come back one by one.
func next(full time.Duration, r fanfare.Rate) time.Duration {
	unit := interval(r)
	if over := full - unit*time.Duration(r.Count-1); over > 0 {
		return over // none is there
	}
	if rest := full % unit; rest > 0 {
		return rest
	}
	return min(full, unit)
}

// interval is how long one unit takes to come back, in whole microseconds: no
// rate is held to more than a million a second.
func interval(r fanfare.Rate) time.Duration {
	return max((r.Window / time.Duration(r.Count)).Truncate(time.Microsecond), time.Microsecond)
}
