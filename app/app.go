// Package app wires the program: it opens what a process needs, in one place,
// and runs it until it is told to stop.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/config"
	"fanfare/events"
	"fanfare/migrations"
	"fanfare/queue"
	"fanfare/store"
	"fanfare/telemetry"
	"fanfare/telemetry/metrics"
)

// Process is what every subcommand gets: its settings and where to log.
type Process struct {
	Config  config.Config
	Version string
	Log     io.Writer // one JSON object a line

	metrics *metrics.Metrics // from measure on
}

const (
	maxConns = 20
	// startPatience is how long a process waits at its start for servers that
	// may be starting beside it.
	startPatience = 30 * time.Second
	startGap      = 500 * time.Millisecond
	flushPatience = 2 * time.Second
	// closePatience is for servers that are told goodbye: PostgreSQL's driver
	// waits for an answer on each connection that has prepared a statement.
	closePatience = time.Second
)

// parts are what API, worker and scheduler share.
type parts struct {
	Process
	logger   *slog.Logger
	reporter reporter
	store    *store.Store
	redis    *redis.Client
	queue    *queue.Queue
	hub      *events.Hub
}

// open opens the shared parts, and refuses a database whose schema is behind
// and a Redis that evicts.
func (p Process) open(ctx context.Context, process string) (*parts, error) {
	logger := p.logger()
	reporter, err := p.newReporter(ctx, process, logger)
	if err != nil {
		return nil, err
	}
	parts := &parts{Process: p, logger: logger, reporter: reporter}
	redis.SetLogger(telemetry.Printf{Logger: parts.logger})
	if err := parts.checkSchema(ctx); err != nil {
		return nil, err
	}
	if err := parts.openStore(ctx); err != nil {
		return nil, err
	}
	parts.store.Settled = p.metrics.DeliveriesSettled
	p.metrics.WatchDatabase(parts.store)
	if parts.redis, err = openRedis(p.Config.RedisURL); err != nil {
		_ = parts.store.Close()
		return nil, err
	}
	parts.queue = queue.New(parts.redis)
	parts.hub = events.NewHub(parts.redis, parts.logger)
	if err := parts.checkRedis(ctx); err != nil {
		parts.close()
		return nil, err
	}
	return parts, nil
}

// openStore waits for a database that is away for a moment, and for no other
// trouble.
func (p *parts) openStore(ctx context.Context) error {
	var final error
	err := p.patiently(ctx, "the database", func() (err error) {
		p.store, err = store.Open(ctx, p.Config.DatabaseURL, maxConns)
		if err != nil && fanfare.ErrorCode(err) != fanfare.CodeUnavailable {
			final, err = err, nil
		}
		return err
	})
	return errors.Join(final, err)
}

func (p Process) logger() *slog.Logger { return telemetry.NewLogger(p.Log, slog.LevelInfo) }

func (p *parts) close() {
	ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
	defer cancel()
	if err := p.reporter.close(ctx); err != nil {
		p.logger.Warn("some reports or traces could not be sent", "error", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(p.redis.Close(), p.store.Close()) }()
	select {
	case err := <-closed:
		if err != nil {
			p.logger.Warn("closing connections", "error", err)
		}
	case <-time.After(closePatience):
		p.logger.Warn("not all connections could be closed in time; the end of the process closes them")
	}
}

// checkSchema waits for the database to answer.
func (p *parts) checkSchema(ctx context.Context) error {
	db, err := store.Connect(p.Config.DatabaseURL, 1)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var pending int
	err = p.patiently(ctx, "the database", func() (err error) {
		pending, err = migrations.Pending(ctx, db)
		return err
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the database does not answer: check DATABASE_URL and that PostgreSQL runs: %w", err)
	}
	if pending > 0 {
		return fmt.Errorf("the database lacks %d migrations: run `fanfare migrate up` first", pending)
	}
	home, err := migrations.AtHome(ctx, db)
	if err == nil && !home {
		return errors.New("the database was restored from a backup or another server: run `fanfare migrate up` first")
	}
	return err
}

// checkRedis refuses a Redis that would drop tasks when memory is short. One
// that is away, or that keeps its settings to itself, is taken: no job is lost
// with it.
func (p *parts) checkRedis(ctx context.Context) error {
	settings, err := p.redis.ConfigGet(ctx, "maxmemory-policy").Result()
	if redis.HasErrorPrefix(err, "WRONGPASS") || redis.HasErrorPrefix(err, "NOAUTH") {
		return errors.New("redis refuses the user name or the password: correct REDIS_URL")
	}
	if err != nil {
		p.logger.WarnContext(ctx, "Redis does not say whether it evicts; it must have maxmemory-policy noeviction", "error", err)
		return nil
	}
	if policy := settings["maxmemory-policy"]; policy != "" && policy != "noeviction" {
		return fmt.Errorf("redis evicts keys when memory is short (maxmemory-policy %s), which would drop tasks: set maxmemory-policy noeviction", policy)
	}
	return nil
}

// patiently repeats do until it works, the patience has run out, or ctx is done.
func (p *parts) patiently(ctx context.Context, what string, do func() error) error {
	giveUp := time.Now().Add(startPatience)
	for {
		err := do()
		if err == nil || time.Now().After(giveUp) {
			return err
		}
		p.logger.WarnContext(ctx, "waiting for "+what, "error", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(startGap):
		}
	}
}

// openRedis: limits are short, since nothing that Redis does is worth a long
// wait, and contexts count.
func openRedis(url string) (*redis.Client, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL is not a URL that go-redis takes") // the cause would quote its password
	}
	options.ContextTimeoutEnabled = true
	options.DialTimeout = time.Second
	options.ReadTimeout = 2 * time.Second
	options.WriteTimeout = 2 * time.Second
	options.DialerRetries = 1
	return redis.NewClient(options), nil
}
