package e2e

import (
	"testing"
	"time"
)

func TestRedisOutOfMemory(t *testing.T) { holds(t, redisOutOfMemory) }

func redisOutOfMemory(t testing.TB, program string) []string {
	c := clusterOf(t, program, 50*time.Millisecond)
	c.scheduler("scheduler")
	c.worker("worker")
	c.awaitWorkers(1)
	rdb := c.redis()
	limit := func(memory string) {
		if err := rdb.ConfigSet(t.Context(), "maxmemory", memory).Err(); err != nil {
			t.Fatal(err)
		}
	}
	ids := c.submitAll(0, 20)
	limit("1")
	if err := rdb.Set(t.Context(), "anything", "", 0).Err(); err == nil {
		c.violated("Redis has memory: nothing was tested")
	}
	ids = append(ids, c.submitAll(20, 40)...)
	if n := c.refused.Load(); n > 0 {
		c.violated("%d submissions were refused", n)
	}
	limit("0")
	c.awaitEnded(ids)
	c.checkSucceeded(ids)
	return c.broken()
}
