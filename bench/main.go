// Command bench measures jobs and streams on private servers: only the ratios
// mean anything on another machine.
//
// Jobs are compared with bare asynq in one run. It keeps nothing: its tasks do
// nothing, and it looks for them every 5 ms. Ours are rows in PostgreSQL with
// events and audit records, waited for on disk (fsync and synchronous_commit
// on), done under a lease; their work does nothing either.
//
// Streams are those of an API in a process of its own: what thousands of open
// ones take, how late events and words come to them, and whether any event is
// lost when streams are cut at random. Exits with 1 if one is.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare/internal/devservices"
	"fanfare/migrations"
	"fanfare/store"
)

// contender is one way to carry jobs.
type contender interface {
	// submit submits job n; done is called with n when its work begins.
	submit(ctx context.Context, n int) error
	stop()
}

type results struct {
	rates   []float64       // jobs a second, a round each
	pickups []time.Duration // of an idle system
	idle    float64         // share of a core
}

// options says what to measure, and how much.
type options struct {
	only      string // jobs, streams or "" for both
	n, rounds int
	pickups   int
	idle      time.Duration
	streams   streamOptions
}

func main() {
	devservices.Supervise()
	err := begin()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func begin() error {
	if isPart() {
		return runPart(os.Args[2])
	}
	var o options
	flag.StringVar(&o.only, "only", "", "measure only this `part`: jobs or streams")
	flag.IntVar(&o.n, "jobs", 4000, "jobs in a round of throughput")
	flag.IntVar(&o.rounds, "rounds", 3, "rounds, taken in turns")
	flag.IntVar(&o.pickups, "pickups", 300, "jobs one at a time, to measure the pickup")
	flag.DurationVar(&o.idle, "idle", 5*time.Second, "how long to measure idle CPU")
	flag.IntVar(&o.streams.streams, "streams", 5000, "open streams")
	flag.DurationVar(&o.streams.quiet, "quiet", 15*time.Second, "how long to measure idle streams: one heartbeat of each")
	flag.IntVar(&o.streams.latencies, "latencies", 500, "events one at a time, to measure how late they come")
	flag.IntVar(&o.streams.briefs, "briefs", 40, "briefs one at a time, to measure the first word")
	flag.IntVar(&o.streams.events, "events", 100_000, "events of which none may be lost")
	flag.Parse()
	if o.only != "" && o.only != "jobs" && o.only != "streams" {
		return fmt.Errorf("-only must be jobs or streams")
	}
	return run(o)
}

func run(o options) error {
	ctx := context.Background()
	services, err := devservices.Start(ctx, devservices.Options{Postgres: true, Redis: true, Durable: true})
	if err != nil {
		return err
	}
	defer func() { _ = services.Stop() }()
	if err := migrate(ctx, services.DatabaseURL()); err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	if o.only != "streams" {
		if err := measureJobs(ctx, services, logger, o); err != nil {
			return err
		}
	}
	if o.only != "jobs" {
		return measureStreams(ctx, services, logger, o.streams)
	}
	return nil
}

func measureJobs(ctx context.Context, services *devservices.Services, logger *slog.Logger, o options) error {
	options, err := redis.ParseURL(services.RedisURL())
	if err != nil {
		return fmt.Errorf("reading the private Redis' URL: %w", err)
	}
	bench := &bench{redis: options, databaseURL: services.DatabaseURL(), logger: logger}
	names := []string{"bare asynq, 5 ms", "fanfare"}
	measured := map[string]*results{names[0]: {}, names[1]: {}}
	for range o.rounds {
		for _, name := range names {
			if err := bench.round(ctx, name == names[0], measured[name], o.n, o.pickups/o.rounds, o.idle/time.Duration(o.rounds)); err != nil {
				return fmt.Errorf("measuring %s: %w", name, err)
			}
		}
	}
	report(names, measured)
	return nil
}

func migrate(ctx context.Context, url string) error {
	db, err := store.ConnectForMigrations(url)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	return migrations.Up(ctx, db)
}

func report(names []string, measured map[string]*results) {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\tjobs/s end to end\tpickup p50\tp99\tidle, % of a core")
	for _, name := range names {
		m := measured[name]
		slices.Sort(m.pickups)
		_, _ = fmt.Fprintf(table, "%s\t%.0f\t%.2f ms\t%.2f ms\t%.1f\n", name, median(m.rates),
			milliseconds(percentile(m.pickups, 50)), milliseconds(percentile(m.pickups, 99)), 100*m.idle)
	}
	_ = table.Flush()
	_, _ = fmt.Fprintf(os.Stdout, "fanfare does %.2f times the jobs of bare asynq\n",
		median(measured[names[1]].rates)/median(measured[names[0]].rates))
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
