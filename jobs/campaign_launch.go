package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"fanfare"
)

// LaunchCampaignPayload is what a launch starts from. A retry of a job goes on
// with the same launch.
type LaunchCampaignPayload struct {
	LaunchID     string                     `json:"launchId"`
	CampaignID   string                     `json:"campaignId"`
	Channels     []fanfare.Channel          `json:"channels"`
	Integrations map[fanfare.Channel]string `json:"integrations,omitempty"` // those to use; else the newest
	DryRun       bool                       `json:"dryRun,omitempty"`
	// Reopen lets a job that tries a launch again send what failed, and with
	// ResendUnknown what may have been sent.
	Reopen        bool `json:"reopen,omitempty"`
	ResendUnknown bool `json:"resendUnknown,omitempty"`
	// Before is the campaign's status at the time: that of a launch which is
	// canceled before anything was sent.
	Before fanfare.CampaignStatus `json:"before"`
}

// LaunchCampaignResult is what a launch ends with.
type LaunchCampaignResult struct {
	Campaign      fanfare.Campaign        `json:"campaign"`
	LaunchResults []fanfare.ChannelResult `json:"launchResults" nullable:"false"`
	SuccessCount  int                     `json:"successCount" doc:"Channels on which anything was sent"`
	TotalChannels int                     `json:"totalChannels"`
	DryRun        bool                    `json:"dryRun,omitempty"`
}

// LaunchCampaign sends a campaign's content over its channels.
var LaunchCampaign = define(Kind[LaunchCampaignPayload, LaunchCampaignResult]{
	Name:        "campaign.launch",
	Queue:       QueueLaunch,
	MaxAttempts: 5,
	Expiry:      24 * time.Hour,
	Backoff:     Backoff{Min: 2 * time.Second, Max: time.Minute},
	Settles:     launchSettles,
	Exclusive: func(p LaunchCampaignPayload) string {
		if p.DryRun {
			return ""
		}
		return p.CampaignID
	},
	Work: launchCampaign,
})

func launchSettles(p LaunchCampaignPayload) map[fanfare.JobStatus]fanfare.CampaignStatus {
	if p.DryRun {
		return nil
	}
	return map[fanfare.JobStatus]fanfare.CampaignStatus{
		fanfare.JobQueued:   fanfare.CampaignLaunching,
		fanfare.JobFailed:   fanfare.CampaignFailed,
		fanfare.JobExpired:  fanfare.CampaignFailed,
		fanfare.JobCanceled: p.Before,
	}
}

func launchCampaign(ctx context.Context, run *Run, p LaunchCampaignPayload) (Done[LaunchCampaignResult], error) {
	campaign, err := run.Campaigns.Campaign(ctx, run.Job.UserID, p.CampaignID)
	if err != nil {
		return Done[LaunchCampaignResult]{}, fmt.Errorf("reading the campaign: %w", err)
	}
	l := newLaunching(run, p, campaign)
	if err := l.check(); err != nil {
		return l.refused(ctx, err)
	}
	if err := l.reopen(ctx); err != nil {
		return Done[LaunchCampaignResult]{}, fmt.Errorf("opening the launch again: %w", err)
	}
	defer l.close()
	l.connect(ctx)
	if err := l.fits(ctx); err != nil {
		return l.refused(ctx, err)
	}
	if p.DryRun {
		return l.rehearse(ctx)
	}
	sendErr := l.send(ctx)
	if err := context.Cause(ctx); err != nil {
		return l.stopped(context.WithoutCancel(ctx), err)
	}
	if err := errors.Join(sendErr, l.unfinished(ctx)); err != nil {
		return Done[LaunchCampaignResult]{}, err
	}
	return l.done(ctx)
}

// launching is one attempt at a launch.
type launching struct {
	run      *Run
	payload  LaunchCampaignPayload
	campaign fanfare.Campaign
	launch   fanfare.Launch
	channels []*sending
	meter    *meter
}

func newLaunching(run *Run, p LaunchCampaignPayload, campaign fanfare.Campaign) *launching {
	l := &launching{
		run: run, payload: p, campaign: campaign, meter: &meter{run: run},
		launch: fanfare.Launch{ID: p.LaunchID, UserID: run.Job.UserID, CampaignID: p.CampaignID, Channels: p.Channels},
	}
	for _, channel := range p.Channels {
		l.channels = append(l.channels, &sending{launching: l, channel: channel})
	}
	return l
}

// each does something on all channels side by side. What goes wrong on one is
// that channel's, and holds up no other.
func (l *launching) each(ctx context.Context, do func(*sending) error) {
	var wg sync.WaitGroup
	for _, c := range l.channels {
		wg.Go(func() {
			if err := Protect(func() error { return do(c) }); err != nil {
				l.run.Logger.WarnContext(ctx, "a launch has trouble on a channel", "channel", c.channel, "error", err)
				c.fail(err)
			}
		})
	}
	wg.Wait()
}

func (l *launching) connect(ctx context.Context) {
	l.each(ctx, func(c *sending) error { return c.connect(ctx) })
}

func (l *launching) close() {
	for _, c := range l.channels {
		if c.connection != nil {
			_ = c.connection.Close()
		}
	}
}

// send plans every channel before it sends on any: the plan is what progress
// is measured by.
func (l *launching) send(ctx context.Context) error {
	l.each(ctx, func(c *sending) error { return c.plan(ctx) })
	if !l.ready() {
		return nil
	}
	if err := l.meter.count(ctx, l.launch.ID); err != nil {
		return fmt.Errorf("recording that sending begins: %w", err)
	}
	l.each(ctx, func(c *sending) error { return c.send(ctx) })
	return nil
}

// ready reports whether any channel can send.
func (l *launching) ready() bool {
	return slices.ContainsFunc(l.channels, func(c *sending) bool { return c.trouble == nil })
}

// reopen makes pending again, once in this job, what it is to send again.
func (l *launching) reopen(ctx context.Context) error {
	if !l.payload.Reopen {
		return nil
	}
	_, err := Step(ctx, l.run, "reopen:"+l.run.Job.ID, func(ctx context.Context) (bool, fanfare.Usage, error) {
		return true, fanfare.Usage{}, l.run.Ledger.Reopen(ctx, l.run.lease, l.launch.ID, l.payload.ResendUnknown)
	})
	return err
}

// unfinished returns the error by which the job is tried again, if that may
// help. Of channels for which it will not, it settles what is left.
func (l *launching) unfinished(ctx context.Context) error {
	var errs []error
	for _, c := range l.channels {
		if c.trouble == nil {
			continue
		}
		if c.triedAgain() {
			errs = append(errs, c.retry())
			continue
		}
		if err := c.giveUp(ctx); err != nil {
			return err
		}
	}
	if len(errs) == 0 {
		return l.meter.count(ctx, l.launch.ID)
	}
	return worst(errs)
}
