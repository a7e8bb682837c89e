// Command bench compares our durable jobs with bare asynq in one run, on
// private servers: only the ratios mean anything on another machine.
//
// Bare asynq keeps nothing: its tasks do nothing, and it looks for them every
// 5 ms. Ours are rows in PostgreSQL with events and audit records, waited for
// on disk (fsync and synchronous_commit on), done under a lease; their work
// does nothing either.
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

func main() {
	devservices.Supervise()
	n := flag.Int("jobs", 4000, "jobs in a round of throughput")
	rounds := flag.Int("rounds", 3, "rounds, taken in turns")
	pickups := flag.Int("pickups", 300, "jobs one at a time, to measure the pickup")
	idle := flag.Duration("idle", 5*time.Second, "how long to measure idle CPU")
	flag.Parse()
	if err := run(*n, *rounds, *pickups, *idle); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(n, rounds, pickups int, idle time.Duration) error {
	ctx := context.Background()
	services, err := devservices.Start(ctx, devservices.Options{Postgres: true, Redis: true, Durable: true})
	if err != nil {
		return err
	}
	defer func() { _ = services.Stop() }()
	if err := migrate(ctx, services.DatabaseURL()); err != nil {
		return err
	}
	options, err := redis.ParseURL(services.RedisURL())
	if err != nil {
		return fmt.Errorf("reading the private Redis' URL: %w", err)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	bench := &bench{redis: options, databaseURL: services.DatabaseURL(), logger: logger}

	names := []string{"bare asynq, 5 ms", "fanfare"}
	measured := map[string]*results{names[0]: {}, names[1]: {}}
	for range rounds {
		for _, name := range names {
			if err := bench.round(ctx, name == names[0], measured[name], n, pickups/rounds, idle/time.Duration(rounds)); err != nil {
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
	fmt.Printf("fanfare does %.2f times the jobs of bare asynq\n",
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
