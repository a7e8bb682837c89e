package main

import (
	"context"
	"os"

	"fanfare/app"
	"fanfare/config"
)

type jobsCommand struct {
	List   jobsList   `cmd:"" help:"List jobs, newest first."`
	Show   jobsShow   `cmd:"" help:"Show all about a job, and what to do."`
	Retry  jobsRetry  `cmd:"" help:"Do a job again that failed, was canceled or has expired, or a launch in which messages failed; prints the new job's id."`
	Cancel jobsCancel `cmd:"" help:"Cancel a job."`
}

type jobsList struct {
	Status string `enum:",scheduled,queued,running,retrying,succeeded,failed,canceled,expired" default:"" help:"Only those in this status."`
	Kind   string `help:"Only those of this kind, such as campaign.launch."`
	User   string `help:"Only those of the user with this e-mail address."`
	Limit  uint16 `default:"20" help:"How many at most."`
	JSON   bool   `name:"json" help:"As the API shows them, one a line."`
}

func (c jobsList) Run(ctx context.Context) error {
	p, err := process(config.Jobs)
	if err != nil {
		return err
	}
	return p.ListJobs(ctx, app.JobQuery{Status: c.Status, Kind: c.Kind, Email: c.User, Limit: int(c.Limit), JSON: c.JSON}, os.Stdout)
}

type jobsShow struct {
	ID   string `arg:"" help:"The job's id."`
	JSON bool   `name:"json" help:"As the API shows it."`
}

func (c jobsShow) Run(ctx context.Context) error {
	p, err := process(config.Jobs)
	if err != nil {
		return err
	}
	return p.ShowJob(ctx, c.ID, c.JSON, os.Stdout)
}

type jobsRetry struct {
	ID            string `arg:"" help:"The job's id."`
	ResendUnknown bool   `help:"Of a launch: also send what may have been sent already."`
}

func (c jobsRetry) Run(ctx context.Context) error {
	p, err := process(config.Jobs)
	if err != nil {
		return err
	}
	return p.RetryJob(ctx, c.ID, c.ResendUnknown, os.Stdout)
}

type jobsCancel struct {
	ID string `arg:"" help:"The job's id."`
}

func (c jobsCancel) Run(ctx context.Context) error {
	p, err := process(config.Jobs)
	if err != nil {
		return err
	}
	return p.CancelJob(ctx, c.ID, os.Stdout)
}
