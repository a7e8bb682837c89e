package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare/auth"
	"fanfare/events"
	"fanfare/internal/devservices"
	"fanfare/store"
)

const (
	authSecret = "a-secret-for-measuring-that-is-long-enough"
	// streamsEach is how many streams follow each job: one is its owner's
	// /api/events, the others are of the job alone.
	streamsEach = 10
	// spareFiles is for everything that is no stream.
	spareFiles = 300
)

// streamOptions says how much to measure.
type streamOptions struct {
	streams, latencies, briefs, events int
	quiet                              time.Duration
}

// streamBench measures an API with many open streams. Whoever writes events,
// and all clients, are this process; the API and the worker are others.
type streamBench struct {
	services *devservices.Services
	store    *store.Store
	rdb      *redis.Client
	hub      *events.Hub
	texts    *events.Texts
	tokens   auth.Tokens
	model    *model
	env      []string
	api      *part
	client   *client
}

func newStreamBench(ctx context.Context, services *devservices.Services, logger *slog.Logger) (*streamBench, error) {
	db, err := store.Open(ctx, services.DatabaseURL(), 20)
	if err != nil {
		return nil, err
	}
	options, err := redis.ParseURL(services.RedisURL())
	if err != nil {
		return nil, fmt.Errorf("reading the private Redis' URL: %w", err)
	}
	b := &streamBench{services: services, store: db, rdb: redis.NewClient(options), tokens: auth.NewTokens(authSecret), model: newModel()}
	b.hub, b.texts = events.NewHub(b.rdb, logger), events.NewTexts(b.rdb, logger)
	b.env = []string{
		"DATABASE_URL=" + services.DatabaseURL(), "REDIS_URL=" + services.RedisURL(),
		"AUTH_SECRET=" + authSecret, "ENCRYPTION_KEY=0123456789abcdef0123456789abcdef",
		"OPENAI_API_KEY=bench", "OPENAI_BASE_URL=" + b.model.url() + "/v1",
		"RATE_LIMIT_API=1000000/1m", "RATE_LIMIT_AI=1000000/1m", "SHUTDOWN_TIMEOUT=1s",
	}
	api, base, err := startAPI(ctx, b.env)
	if err != nil {
		return nil, err
	}
	b.api, b.client = api, newClient(base)
	return b, nil
}

func (b *streamBench) close() {
	b.api.stop()
	b.model.close()
	_ = b.rdb.Close()
	_ = b.store.Close()
}

// measureStreams is the second part of the bench.
func measureStreams(ctx context.Context, services *devservices.Services, logger *slog.Logger, o streamOptions) error {
	o.streams = affordable(o.streams)
	b, err := newStreamBench(ctx, services, logger)
	if err != nil {
		return err
	}
	defer b.close()
	crowd, err := b.openCrowd(ctx, o.streams, o.quiet)
	if err != nil {
		return fmt.Errorf("opening streams: %w", err)
	}
	defer crowd.close()
	if err := crowd.measure(ctx, o); err != nil {
		return err
	}
	return b.loseNothing(ctx, o.events)
}

// measure writes a table of what comes how late to a crowd that is there.
func (c *crowd) measure(ctx context.Context, o streamOptions) error {
	c.report()
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "with %d open streams\tp50\tp99\n", len(c.followers))
	ofJobs, ofUsers, err := c.eventLatencies(ctx, o.latencies)
	if err != nil {
		return fmt.Errorf("measuring events: %w", err)
	}
	row(table, "commit to client, a job's stream", ofJobs)
	row(table, "commit to client, /api/events", ofUsers)
	words, err := c.wordLatencies(ctx)
	if err != nil {
		return fmt.Errorf("measuring deltas: %w", err)
	}
	row(table, "word to client, one each 25 ms, sent at most each 40 ms", words)
	first, err := c.bench.firstWords(ctx, o.briefs)
	if err != nil {
		return fmt.Errorf("measuring the first word: %w", err)
	}
	row(table, "the model's first word to client", first)
	return table.Flush()
}

func row(table *tabwriter.Writer, name string, latencies []time.Duration) {
	_, _ = fmt.Fprintf(table, "%s\t%.1f ms\t%.1f ms\n", name,
		milliseconds(percentile(latencies, 50)), milliseconds(percentile(latencies, 99)))
}

// affordable raises the limit of open files, and lowers the number of streams
// where that is not enough.
func affordable(streams int) int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return streams
	}
	limit.Cur = limit.Max
	_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit) // what it is now is looked at next
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return streams
	}
	if most := int(min(limit.Cur, 1<<20)) - spareFiles; most < streams {
		fmt.Fprintf(os.Stderr, "This process may open %d files: measuring with %d streams instead of %d. Raise it with ulimit -n.\n", limit.Cur, most, streams)
		return most
	}
	return streams
}
