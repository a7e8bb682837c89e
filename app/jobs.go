package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/api"
	"fanfare/auth"
	"fanfare/events"
	"fanfare/jobs"
	"fanfare/queue"
	"fanfare/store"
)

// JobQuery says which jobs an operator wants to see; what is empty narrows nothing.
type JobQuery struct {
	Status, Kind string
	Email        string // of the owner
	Limit        int
	JSON         bool // as the API shows them, one a line
}

// ListJobs lists jobs on out, newest first, whoever owns them.
func (p Process) ListJobs(ctx context.Context, q JobQuery, out io.Writer) error {
	if _, known := jobs.Lookup(q.Kind); q.Kind != "" && !known {
		return fmt.Errorf("there is no kind %q: use one of %s", q.Kind, strings.Join(jobs.Names(), ", "))
	}
	return p.withStore(ctx, func(db *store.Store) error {
		found, err := p.findJobs(ctx, db, q)
		if err != nil {
			return sentence(err)
		}
		if q.JSON {
			return printJSON(out, found...)
		}
		return printJobs(ctx, db, found, out)
	})
}

func (p Process) findJobs(ctx context.Context, db *store.Store, q JobQuery) ([]fanfare.Job, error) {
	filter := fanfare.JobFilter{Status: fanfare.JobStatus(q.Status), Kind: q.Kind}
	if q.Email == "" {
		return db.AllJobs(ctx, filter, q.Limit)
	}
	email, err := auth.Accounts{}.NormalizeEmail(q.Email)
	if err != nil {
		return nil, err
	}
	owner, err := db.UserByEmail(ctx, email)
	if fanfare.ErrorCode(err) == fanfare.CodeNotFound {
		return nil, fmt.Errorf("nobody has the address %s: see `fanfare user list`", email)
	}
	if err != nil {
		return nil, err
	}
	return db.Jobs(ctx, owner.ID, filter, fanfare.Page{Limit: q.Limit})
}

func printJSON(out io.Writer, found ...fanfare.Job) error {
	encoder := json.NewEncoder(out)
	for _, job := range found {
		if err := encoder.Encode(api.ViewJob(job)); err != nil {
			return fmt.Errorf("printing a job: %w", err)
		}
	}
	return nil
}

func printJobs(ctx context.Context, db *store.Store, found []fanfare.Job, out io.Writer) error {
	if len(found) == 0 {
		_, err := fmt.Fprintln(out, "No such jobs.")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "ID\tKIND\tSTATUS\tATTEMPT\tAGE\tOWNER") // Flush tells of errors
	owners := map[string]string{}
	for _, job := range found {
		if owners[job.UserID] == "" {
			owner, err := db.User(ctx, job.UserID)
			if err != nil {
				return err
			}
			owners[job.UserID] = owner.Email
		}
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d/%d\t%s\t%s\n", job.ID, job.Kind, status(job), job.Attempt, job.MaxAttempts,
			time.Since(job.CreatedAt).Round(time.Second), owners[job.UserID])
	}
	return table.Flush()
}

// status tells of a job that was told to stop and runs on until it does.
func status(job fanfare.Job) string {
	if job.Status == fanfare.JobRunning && job.CancelRequested {
		return "running (stopping)"
	}
	return string(job.Status)
}

// RetryJob submits a job anew. It prints the new job's id.
func (p Process) RetryJob(ctx context.Context, id string, resendUnknown bool, out io.Writer) error {
	return p.changeJob(ctx, id, func(ctx context.Context, db *store.Store, by jobs.By, job fanfare.Job) ([]fanfare.Job, string, error) {
		retried, err := jobs.Retry(ctx, db, by, job.UserID, job.ID, resendUnknown)
		return []fanfare.Job{retried}, retried.ID, err
	}, out)
}

// CancelJob cancels a job, and says so; also where it is over already.
func (p Process) CancelJob(ctx context.Context, id string, out io.Writer) error {
	return p.changeJob(ctx, id, func(ctx context.Context, db *store.Store, by jobs.By, job fanfare.Job) ([]fanfare.Job, string, error) {
		canceled, err := jobs.Cancel(ctx, db, by, job.UserID, job.ID)
		switch {
		case err != nil:
			return nil, "", err
		case len(canceled) == 0 && job.CancelRequested && !job.Status.Done():
			return nil, "The job was told to stop before; it does so at its next step.", nil
		case len(canceled) == 0:
			return nil, "The job is over already: it is " + string(job.Status) + ".", nil
		case canceled[0].Status == fanfare.JobRunning:
			return canceled, "The job was told to stop; it does so within seconds.", nil
		}
		return canceled, "The job is canceled.", nil
	}, out)
}

// change changes a job in a transaction. It returns what to tell the listeners
// of, and what to say.
type change func(ctx context.Context, db *store.Store, by jobs.By, job fanfare.Job) (changed []fanfare.Job, message string, err error)

func (p Process) changeJob(ctx context.Context, id string, change change, out io.Writer) error {
	return p.withStore(ctx, func(db *store.Store) error {
		by := jobs.By{
			Origin:   fanfare.Origin{UserAgent: "fanfare jobs (command line)"},
			Metadata: map[string]any{"operator": "command line"},
		}
		var changed []fanfare.Job
		var message string
		err := db.Atomic(ctx, func(ctx context.Context) error {
			job, err := findJob(ctx, db, id)
			if err != nil {
				return err
			}
			changed, message, err = change(ctx, db, by, job)
			return err
		})
		if err != nil {
			return sentence(err)
		}
		if err := p.carry(ctx, changed); err != nil {
			message += "\nRedis does not answer; the scheduler carries the job once it does."
		}
		_, err = fmt.Fprintln(out, message)
		return err
	})
}

func findJob(ctx context.Context, db *store.Store, id string) (fanfare.Job, error) {
	job, err := db.AnyJob(ctx, strings.TrimSpace(id))
	if fanfare.ErrorCode(err) == fanfare.CodeNotFound {
		return job, fmt.Errorf("there is no job %s: see `fanfare jobs list`", id)
	}
	return job, err
}

// carry enqueues what waits and tells those who listen, after the commit.
func (p Process) carry(ctx context.Context, changed []fanfare.Job) error {
	rdb, err := openRedis(p.Config.RedisURL)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }()
	redis.SetLogger(silent{})
	var errs []error
	for _, job := range changed {
		if job.Status.Waiting() {
			_, err := queue.New(rdb).Enqueue(ctx, job)
			errs = append(errs, err)
		}
	}
	events.NewHub(rdb, slog.New(slog.DiscardHandler)).Publish(ctx, changed...)
	return errors.Join(errs...)
}

// silent keeps go-redis's own lines off an operator's terminal.
type silent struct{}

func (silent) Printf(context.Context, string, ...any) {}
