package ratelimit_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/internal/testdb"
	"fanfare/ratelimit"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func connect(t *testing.T) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(testdb.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	return open(t, options)
}

func open(t *testing.T, options *redis.Options) *redis.Client {
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

func policy(name string, count int, window time.Duration) fanfare.RatePolicy {
	return fanfare.RatePolicy{Name: name, Rate: fanfare.Rate{Count: count, Window: window}}
}

// allow fails the test if nobody can decide.
func allow(t *testing.T, l *ratelimit.Limiter, p fanfare.RatePolicy, key string, cost int) fanfare.RateDecision {
	t.Helper()
	d, err := l.Allow(t.Context(), p, key, cost)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// checkBurst takes all that 5/15m allows, and one more.
func checkBurst(t *testing.T, l *ratelimit.Limiter, p fanfare.RatePolicy) {
	t.Helper()
	for i := range 5 {
		d := allow(t, l, p, "k", 1)
		if !d.Allowed || d.Limit != 5 || d.Remaining != 4-i || d.RetryAfter != 0 || d.Unlimited {
			t.Fatalf("hit %d: %+v", i+1, d)
		}
		if d.Next <= 2*time.Minute || d.Next > 3*time.Minute {
			t.Errorf("hit %d: one more is there in %s, want what is left of 3m", i+1, d.Next)
		}
	}
	d := allow(t, l, p, "k", 1)
	if d.Allowed || d.Limit != 5 || d.Remaining != 0 || d.Unlimited {
		t.Fatalf("sixth hit: %+v", d)
	}
	if d.RetryAfter <= 2*time.Minute || d.RetryAfter > 3*time.Minute {
		t.Errorf("RetryAfter = %s, want what is left of 3m", d.RetryAfter)
	}
	if d.Next <= 2*time.Minute || d.Next > d.RetryAfter+time.Millisecond {
		t.Errorf("one more is there in %s, want it in %s", d.Next, d.RetryAfter)
	}
	if left := time.Until(d.Reset); left <= 13*time.Minute || left > 15*time.Minute {
		t.Errorf("Reset in %s, want what is left of 15m", left)
	}
}

func TestBurst(t *testing.T) {
	checkBurst(t, ratelimit.New(connect(t), []byte("salt")), policy(t.Name(), 5, 15*time.Minute))
}

// checkParallel makes 200 hits at once where 50 are allowed.
func checkParallel(t *testing.T, l *ratelimit.Limiter, p fanfare.RatePolicy) {
	t.Helper()
	var allowed, degraded atomic.Int64
	var hits sync.WaitGroup
	for range 200 {
		hits.Go(func() {
			d, err := l.Allow(t.Context(), p, "k", 1)
			if err != nil {
				t.Error(err)
			}
			if d.Outage != nil {
				degraded.Add(1)
			}
			if d.Allowed {
				allowed.Add(1)
			}
		})
	}
	hits.Wait()
	if allowed.Load() != 50 {
		t.Errorf("%d of 200 parallel hits were let through, want 50 (%d without Redis)", allowed.Load(), degraded.Load())
	}
}

func TestParallelHits(t *testing.T) {
	checkParallel(t, ratelimit.New(connect(t), nil), policy(t.Name(), 50, time.Hour))
}

func TestUnitsComeBack(t *testing.T) {
	l, p := ratelimit.New(connect(t), nil), policy(t.Name(), 10, time.Second)
	if d := allow(t, l, p, "k", 10); !d.Allowed || d.Remaining != 0 {
		t.Fatalf("the whole burst: %+v", d)
	}
	if d := allow(t, l, p, "k", 10); d.Allowed {
		t.Fatalf("the whole burst again: %+v", d)
	}
	for !allow(t, l, p, "k", 1).Allowed { // until the test's own timeout
	}
	if d := allow(t, l, p, "k", 10); d.Allowed {
		t.Errorf("more came back than the rate gives: %+v", d)
	}
}

func TestCost(t *testing.T) {
	l, p := ratelimit.New(connect(t), nil), policy(t.Name(), 10, time.Hour)
	for _, step := range []struct {
		cost, remaining int
		allowed         bool
	}{
		{0, 10, true}, {4, 6, true}, {7, 6, false}, {6, 0, true}, {0, 0, true}, {1, 0, false}, {11, 0, false},
	} {
		if d := allow(t, l, p, "k", step.cost); d.Allowed != step.allowed || d.Remaining != step.remaining {
			t.Errorf("cost %d: %+v, want allowed %t with %d left", step.cost, d, step.allowed, step.remaining)
		}
	}
}

func TestRateTooHighToCount(t *testing.T) {
	l, p := ratelimit.New(connect(t), nil), policy(t.Name(), 1_000_000_000, time.Second)
	for range 3 {
		if d := allow(t, l, p, "k", 1); !d.Allowed || d.Outage != nil {
			t.Errorf("%+v", d)
		}
	}
}

func TestCountsAreSharedByProcessesAndApartOtherwise(t *testing.T) {
	client := connect(t)
	one, other := ratelimit.New(client, []byte("salt")), ratelimit.New(client, []byte("salt"))
	p := policy(t.Name(), 1, time.Hour)
	if !allow(t, one, p, "ada", 1).Allowed {
		t.Fatal("the first hit was refused")
	}
	if allow(t, other, p, "ada", 1).Allowed {
		t.Error("another process counts for itself")
	}
	if !allow(t, one, p, "bob", 1).Allowed {
		t.Error("another key is counted as the same")
	}
	if !allow(t, one, policy("poll", 1, time.Hour), "ada", 1).Allowed {
		t.Error("another policy is counted as the same")
	}
}

func TestRedisHoldsNoKeyInTheClear(t *testing.T) {
	client := connect(t)
	p := policy(t.Name(), 5, 15*time.Minute)
	allow(t, ratelimit.New(client, []byte("salt")), p, "zoe@example.com", 1)
	allow(t, ratelimit.New(client, []byte("pepper")), p, "zoe@example.com", 1)
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return !strings.HasPrefix(k, "fanfare:ratelimit:"+p.Name+":") })
	if len(keys) != 2 {
		t.Fatalf("keys %v, want one for each salt", keys)
	}
	for _, key := range keys {
		value, err := client.Get(t.Context(), key).Result()
		if err != nil || strings.Contains(key+value, "zoe") || strings.Contains(key+value, "example") {
			t.Errorf("%s = %s, %v", key, value, err)
		}
		if ttl := client.PTTL(t.Context(), key).Val(); ttl <= 0 || ttl > 3*time.Minute {
			t.Errorf("%s lives for %s, want the 3m that one hit takes to be forgotten", key, ttl)
		}
	}
}

func TestAbandonedRequestIsNotLetThrough(t *testing.T) {
	l, p := ratelimit.New(connect(t), nil), policy(t.Name(), 5, time.Hour)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if d, err := l.Allow(gone, p, "k", 1); err == nil || d.Allowed {
		t.Errorf("canceled: %+v, %v", d, err)
	}
	if d := allow(t, l, p, "k", 1); d.Outage != nil {
		t.Errorf("one request that was given up counts as an outage: %v", d.Outage)
	}
}

func TestWhatCanNotBeCounted(t *testing.T) {
	l := ratelimit.New(connect(t), nil)
	for name, p := range map[string]fanfare.RatePolicy{
		"no rate":   {Name: "x"},
		"no window": policy("x", 1, 0),
	} {
		if d, err := l.Allow(t.Context(), p, "k", 1); err == nil || d.Allowed {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
	if d, err := l.Allow(t.Context(), policy("x", 1, time.Second), "k", -1); err == nil || d.Allowed {
		t.Errorf("negative cost: %+v, %v", d, err)
	}
}
