package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"fanfare"
	"fanfare/jobs"
	"fanfare/store"
)

// ShowJob prints all that an operator may want to know of a job.
func (p Process) ShowJob(ctx context.Context, id string, asJSON bool, out io.Writer) error {
	return p.withStore(ctx, func(db *store.Store) error {
		job, err := findJob(ctx, db, id)
		if err != nil {
			return sentence(err)
		}
		if asJSON {
			return printJSON(out, job)
		}
		owner, err := db.User(ctx, job.UserID)
		if err != nil {
			return sentence(err)
		}
		records, err := db.Audits(ctx, fanfare.AuditsOfAny, fanfare.AuditFilter{Resource: job.ID}, fanfare.Page{Limit: shownRecords})
		if err != nil {
			return sentence(err)
		}
		page := describe(job, owner, records, time.Now())
		_, err = out.Write(page)
		return err
	})
}

// shownRecords is how many of a job's audit records are shown, the latest.
const shownRecords = 100

// describe is the page about a job.
func describe(job fanfare.Job, owner fanfare.User, records []fanfare.AuditEntry, now time.Time) []byte {
	var page bytes.Buffer
	table := tabwriter.NewWriter(&page, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { _, _ = fmt.Fprintf(table, name+"\t"+format+"\n", args...) }
	row("Job", "%s", job.ID)
	row("Kind", "%s, on queue %s", job.Kind, job.Queue)
	row("Status", "%s, attempt %d of %d", status(job), job.Attempt, job.MaxAttempts)
	row("Owner", "%s (%s)", owner.Email, owner.ID)
	if job.CampaignID != nil {
		row("Campaign", "%s", *job.CampaignID)
	}
	if job.RetryOf != nil {
		row("Retry of", "%s", *job.RetryOf)
	}
	if job.Progress.Total > 0 {
		row("Progress", "%d of %d, last: %s", job.Progress.Completed, job.Progress.Total, job.Progress.Step)
	}
	row("Created", "%s", when(&job.CreatedAt, now))
	row("Started", "%s", when(job.StartedAt, now))
	row("Finished", "%s", when(job.FinishedAt, now))
	if job.Status.Waiting() {
		row("Next attempt", "%s", when(job.RunAt, now))
	}
	row("Deadline", "%s", when(&job.Deadline, now))
	if job.Error != nil {
		row("Error", "%s: %s", job.Error.Code, job.Error.Message)
	}
	for _, c := range launched(job) {
		row("Channel", "%s", channelLine(c))
	}
	if job.Losses > 0 {
		row("Losses", "%d workers lost in a row", job.Losses)
	}
	_, _ = fmt.Fprintln(table, "\nWhat happened, the latest first (times are UTC):") // ends the columns above
	for _, record := range records {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", record.CreatedAt.Format(time.DateTime), record.Action, record.Status, told(record))
	}
	_, _ = fmt.Fprintf(table, "\nWhat to do: %s\n", advice(job, now))
	_ = table.Flush() // a buffer takes everything
	return page.Bytes()
}

// launched are a launch's channels, which may all have failed though the job
// has succeeded; none for other jobs.
func launched(job fanfare.Job) []fanfare.ChannelResult {
	if job.Kind != jobs.LaunchCampaign.Name || job.Result == nil {
		return nil
	}
	var result jobs.LaunchCampaignResult
	_ = json.Unmarshal(job.Result, &result) // written by us
	return result.LaunchResults
}

func channelLine(c fanfare.ChannelResult) string {
	line := fmt.Sprintf("%s: %s; %d sent, %d failed, %d unknown, %d skipped", c.Channel, c.Status, c.Sent, c.Failed, c.Unknown, c.Skipped)
	if c.Error != nil {
		line += ". " + *c.Error
	}
	return line
}

// when is a time and how far it is from now; "-" for none.
func when(at *time.Time, now time.Time) string {
	if at == nil {
		return "-"
	}
	distance := at.Sub(now).Round(time.Second)
	if distance > 0 {
		return fmt.Sprintf("%s UTC, in %s", at.UTC().Format(time.DateTime), distance)
	}
	return fmt.Sprintf("%s UTC, %s ago", at.UTC().Format(time.DateTime), -distance)
}

// told is what a record's metadata say, in a fixed order.
func told(record fanfare.AuditEntry) string {
	var metadata map[string]any
	_ = json.Unmarshal(record.Metadata, &metadata) // an object, written by us
	var parts []string
	for _, name := range []string{"attempt", "worker", "outcome", "code", "retryOf", "operator"} {
		if value, ok := metadata[name]; ok {
			parts = append(parts, fmt.Sprintf("%s %v", name, value))
		}
	}
	return strings.Join(parts, ", ")
}

// advice is what an operator can do about a job.
func advice(job fanfare.Job, now time.Time) string {
	again := "`fanfare jobs retry " + job.ID + "`"
	switch {
	case job.Status == fanfare.JobSucceeded && job.Kind == jobs.LaunchCampaign.Name:
		return "nothing, unless some of its messages failed: then " + again + " sends those again."
	case job.Status == fanfare.JobSucceeded:
		return "nothing; it is done."
	case job.Error != nil && job.Error.Code == fanfare.CodeWorkerLost:
		return "look why its workers ended (their logs, the memory), then " + again + "."
	case job.Error != nil && !job.Error.Retryable:
		return "the same would happen again; its owner must change something first."
	case job.Status.Retryable():
		return again + " does it again, once what the error tells of is over."
	case job.CancelRequested:
		return "wait; it stops at its next step."
	case job.Status == fanfare.JobRunning:
		return "wait; if its worker is gone, it goes on by itself within a minute. `fanfare jobs cancel " + job.ID + "` stops it."
	case job.RunAt != nil && job.RunAt.After(now):
		return "wait for its next attempt, or press Run on the dashboard, /admin/queues."
	case now.Sub(job.UpdatedAt) > time.Minute:
		return "see that workers and a scheduler run, and that its queue is not paused (/admin/queues): a free worker starts it at once."
	default:
		return "wait; it starts as soon as a worker is free."
	}
}
