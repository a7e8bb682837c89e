// Command fanfare is the whole program: API, worker, scheduler and the tools
// around them, one subcommand each.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"

	"fanfare/app"
	"fanfare/config"
	"fanfare/internal/devservices"
)

// version is set when the program is built.
var version = "dev"

type cli struct {
	API         apiCommand         `cmd:"" name:"api" help:"Serve the HTTP API."`
	Worker      workerCommand      `cmd:"" help:"Claim and run jobs."`
	Scheduler   schedulerCommand   `cmd:"" help:"Look after jobs that nobody else looks after; any number may run at once."`
	Migrate     migrateCommand     `cmd:"" help:"Change the database's schema."`
	Dev         devCommand         `cmd:"" help:"Run everything in one process, on a PostgreSQL and a Redis of its own."`
	Demo        demoCommand        `cmd:"" help:"Like dev, plus one real trip: a brief, its content, a launch into a mailbox, an analysis."`
	Jobs        jobsCommand        `cmd:"" help:"Look at jobs, retry and cancel them."`
	User        userCommand        `cmd:"" help:"Manage accounts."`
	Keys        keysCommand        `cmd:"" help:"Manage the keys that credentials are encrypted under."`
	Audit       auditCommand       `cmd:"" help:"Check the audit trail."`
	Doctor      doctorCommand      `cmd:"" help:"Check settings, database, Redis, queues and the model, and say what to do."`
	Healthcheck healthcheckCommand `cmd:"" help:"Ask whether a process on this machine does its work; exits 1 where restarting it would help."`
	Version     kong.VersionFlag   `help:"Print the version."`
}

func main() {
	devservices.Supervise()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	// From the first signal on the second one does what it does by itself.
	context.AfterFunc(ctx, stop)
	parsed := kong.Parse(&cli{}, kong.Name("fanfare"), kong.ShortUsageOnError(),
		kong.Description("Fanfare turns a marketing brief into content for each channel. Settings are environment variables: see the README."),
		kong.Vars{"version": version}, kong.BindTo(ctx, (*context.Context)(nil)))
	if err := parsed.Run(); err != nil && !stopped(ctx, err) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// stopped reports whether err says no more than that a signal came.
func stopped(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}

// process reads the settings that a subcommand needs.
func process(needs config.Process) (app.Process, error) {
	settings, err := config.Load(os.Environ(), needs)
	if err != nil {
		return app.Process{}, err
	}
	return app.Process{Config: settings, Version: version, Log: os.Stderr}, nil
}
