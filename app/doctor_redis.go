package app

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"fanfare/doctor"
	"fanfare/queue"
)

// redisInfo is the fields of INFO, which servers tell that keep CONFIG to
// themselves (redis.io/docs/latest/commands/info).
type redisInfo map[string]string

func (d Doctor) redis() doctor.Group {
	if !d.usable("REDIS_URL", d.Config.RedisURL) {
		return unusable("redis", "REDIS_URL")
	}
	client, err := openRedis(d.Config.RedisURL)
	if err != nil {
		return unusable("redis", "REDIS_URL")
	}
	info := redisInfo{}
	check := func(name string, look func(context.Context) doctor.Finding) doctor.Check {
		return doctor.Check{Name: name, Limit: checkLimit, Look: func(ctx context.Context) []doctor.Finding { return one(look(ctx)) }}
	}
	reach := check("redis", func(ctx context.Context) doctor.Finding { return askRedis(ctx, client, info) })
	reach.Gate = true
	return doctor.Group{
		reach,
		check("redis clock", func(ctx context.Context) doctor.Finding { return d.redisClock(ctx, client) }),
		check("redis eviction", func(context.Context) doctor.Finding { return info.eviction() }),
		check("redis persistence", func(context.Context) doctor.Finding { return info.persistence() }),
		check("redis memory", func(context.Context) doctor.Finding { return info.memory() }),
		check("queues", func(context.Context) doctor.Finding { return queues(client) }),
	}
}

func askRedis(ctx context.Context, client *redis.Client, info redisInfo) doctor.Finding {
	text, err := client.Info(ctx).Result()
	if err != nil {
		return doctor.Bad("Redis does not answer: "+inner(err), "Check that it runs and that REDIS_URL has its host and password.")
	}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimSpace(line), ":"); found {
			info[name] = value
		}
	}
	return doctor.Fine("Redis %s answers", info["redis_version"])
}

func (d Doctor) redisClock(ctx context.Context, client *redis.Client) doctor.Finding {
	before := d.Now()
	now, err := client.Time(ctx).Result()
	if err != nil {
		return broken(err)
	}
	return clock(before, now, d.Now())
}

func (i redisInfo) eviction() doctor.Finding {
	switch policy := i["maxmemory_policy"]; policy {
	case "noeviction":
		return doctor.Fine("it evicts nothing")
	case "":
		return doctor.Warn("Redis does not say whether it evicts", "See to it that its maxmemory-policy is noeviction.")
	default:
		return doctor.Bad("Redis drops tasks when memory is short (maxmemory-policy "+policy+")", "Set maxmemory-policy noeviction in redis.conf.")
	}
}

func (i redisInfo) persistence() doctor.Finding {
	if i["aof_enabled"] == "1" {
		return doctor.Fine("the append-only file is on")
	}
	return doctor.Warn("the append-only file is off: no job is lost with Redis, but after its restart those that wait start up to 30 s later",
		"Set appendonly yes in redis.conf.")
}

func (i redisInfo) memory() doctor.Finding {
	used, _ := strconv.ParseInt(i["used_memory"], 10, 64) // 0 where it is not told
	limit, _ := strconv.ParseInt(i["maxmemory"], 10, 64)
	switch {
	case limit > 0 && used > limit/5*4:
		return doctor.Warn(fmt.Sprintf("%d of %d MiB are used", used>>20, limit>>20), "Raise maxmemory, or see what else lies in this Redis.")
	case limit > 0:
		return doctor.Fine("%d of %d MiB are used", used>>20, limit>>20)
	default:
		return doctor.Fine("%d MiB are used, without a limit of its own", used>>20)
	}
}

func queues(client *redis.Client) doctor.Finding {
	states, err := queue.New(client).States()
	if err != nil {
		return broken(err)
	}
	var paused, depths []string
	for _, s := range states {
		if s.Paused {
			paused = append(paused, s.Name)
		}
		depths = append(depths, fmt.Sprintf("%d tasks wait in %s", s.Tasks, s.Name))
	}
	if len(paused) > 0 {
		return doctor.Warn("paused: "+strings.Join(paused, ", ")+"; no job of these starts", "Resume them in the operators' dashboard.")
	}
	return doctor.Fine("%s", strings.Join(depths, ", "))
}

func sortedKeys(counts map[string]int) []string {
	keys := make([]string, 0, len(counts))
	for key := range counts {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
