package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"fanfare"
)

// sending is one attempt at a launch on one channel.
type sending struct {
	*launching
	channel     fanfare.Channel
	integration *fanfare.Integration
	connection  fanfare.Connection
	// trouble is why the channel stopped, or has something left; skipped says
	// that there was nothing to begin with.
	trouble *fanfare.SendError
	skipped bool
	// replaced says that the integration by which earlier attempts sent is gone:
	// the one now knows nothing of their messages.
	replaced bool
	left     int // deliveries that are not settled, at the end

	clerk *clerk
	state state
}

// skip leaves the channel out.
func (c *sending) skip(format string, args ...any) {
	c.skipped = true
	c.trouble = &fanfare.SendError{Fate: fanfare.FateRefused, Reason: fmt.Sprintf(format, args...)}
}

// fail stops the channel. The first trouble is the one that is told.
func (c *sending) fail(err error) {
	if c.trouble == nil {
		c.trouble = asSendError(err)
	}
}

// asSendError makes of an error on our side, such as a database that is away,
// one that another attempt may not meet.
func asSendError(err error) *fanfare.SendError {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e
	}
	return &fanfare.SendError{
		Fate:   fanfare.FateHalted,
		Reason: "Something went wrong on our side; it has been reported. Retry the launch, or ask the operator to look into it.",
		Cause:  err,
	}
}

// triedAgain reports whether another attempt of the job may meet no trouble.
func (c *sending) triedAgain() bool {
	switch job := c.run.Job; {
	case c.trouble.Fate == fanfare.FateRefused, c.trouble.Fate == fanfare.FateUnauthorized:
		return false
	case c.trouble.RetryAfter > 0:
		return c.trouble.RetryAfter < time.Until(job.Deadline)
	default:
		return job.Attempt < job.MaxAttempts
	}
}

// giveUp settles what is left on the channel: what was in flight as unknown, and
// what was not begun as failed.
func (c *sending) giveUp(ctx context.Context) error {
	if err := c.run.Ledger.Abandon(ctx, c.run.lease, c.launch.ID, c.channel, fanfare.LostInFlight); err != nil {
		return err
	}
	return c.run.Ledger.FailRest(ctx, c.run.lease, c.launch.ID, c.channel, c.trouble.Reason)
}

// retry is the trouble as the error that steers the job.
func (c *sending) retry() error {
	return &fanfare.Error{
		Code: fanfare.CodeUnavailable, Message: c.trouble.Reason, RetryAfter: c.trouble.RetryAfter,
		Cause: fmt.Errorf("sending on %s: %w", c.channel, c.trouble),
	}
}

// connect finds the channel's integration and opens it. One that was never
// found to work is tested first.
func (c *sending) connect(ctx context.Context) error {
	fixed, err := c.run.Ledger.LaunchChannel(ctx, c.launch.ID, c.channel)
	if err != nil {
		return err
	}
	integration, err := c.find(ctx, fixed)
	if fanfare.ErrorCode(err) == fanfare.CodeNotFound {
		c.skip("No integration serves %s. Connect one, then retry the launch.", c.channel)
		return nil
	}
	if err != nil {
		return err
	}
	c.integration = &integration
	connection, err := c.run.Connections.Connect(ctx, c.launch.UserID, integration.ID)
	if err != nil {
		return fmt.Errorf("opening the integration: %w", err)
	}
	c.connection = connection
	if c.replaced = fixed.IntegrationID != "" && fixed.IntegrationID != integration.ID; c.replaced && fixed.Broadcast != connection.Provider().Broadcast {
		c.skip("The integration that this launch went by is gone, and %s reaches people in another way. Launch the campaign anew.", integration.Name)
		return nil
	}
	wait, err := c.run.Ledger.Reserve(ctx, integration.ID, 0, 0)
	if err != nil || !c.payload.DryRun && c.putOffFor(wait) {
		c.trouble = c.state.halted
		return err
	}
	if someone, err := c.someone(ctx); err != nil || !someone {
		return err
	}
	if integration.Status == fanfare.IntegrationConnected {
		return nil
	}
	return c.test(ctx)
}

// find returns the integration that an earlier attempt has fixed, the one that
// the launch was told to use, or the newest. One that is gone is replaced by the
// newest where a launch is to go on, as a person has asked.
func (c *sending) find(ctx context.Context, fixed fanfare.LaunchChannel) (fanfare.Integration, error) {
	goesOn := fixed.IntegrationID != "" || c.payload.Reopen
	for _, id := range []string{fixed.IntegrationID, c.payload.Integrations[c.channel]} {
		if id == "" {
			continue
		}
		integration, err := c.run.Integrations.Integration(ctx, c.launch.UserID, id)
		if fanfare.ErrorCode(err) != fanfare.CodeNotFound || !goesOn {
			return integration, err
		}
	}
	return c.run.Integrations.IntegrationFor(ctx, c.launch.UserID, c.channel)
}

// someone reports whether there is anybody to send to.
func (c *sending) someone(ctx context.Context) (bool, error) {
	if c.connection.Provider().Broadcast {
		return true, nil
	}
	counts, err := c.run.Ledger.DeliveryCounts(ctx, c.launch.ID)
	if err != nil {
		return false, err
	}
	for _, count := range counts {
		if count.Channel == c.channel {
			return true, nil
		}
	}
	recipients, err := c.run.Ledger.CampaignRecipients(ctx, c.launch.UserID, c.launch.CampaignID, c.channel, 1)
	if err == nil && len(recipients) == 0 {
		c.skip("The campaign has no recipients for %s who want messages. Add some, then retry the launch.", c.channel)
		return false, nil
	}
	return true, err
}

// test asks the provider whether the credentials are good.
func (c *sending) test(ctx context.Context) error {
	err := c.connection.Test(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c.mark(ctx, err)
	return err
}

// mark records whether the integration works. That it can't be recorded stops
// nothing.
func (c *sending) mark(ctx context.Context, err error) {
	status, answered := fanfare.IntegrationConnected, true
	if err != nil {
		status, answered = fanfare.IntegrationError, asSendError(err).Fate != fanfare.FateHalted
	}
	err = c.run.Integrations.SetIntegrationStatus(ctx, c.launch.UserID, c.integration.ID, status, answered)
	if err != nil {
		c.run.Logger.WarnContext(ctx, "an integration's status could not be recorded", "error", err)
	}
}

// plan lists the channel's deliveries, once.
func (c *sending) plan(ctx context.Context) error {
	if c.trouble != nil {
		return nil
	}
	return Persist(ctx, func() error {
		return c.run.Ledger.Plan(ctx, c.run.lease, c.launch, c.channel, c.integration.ID, c.connection.Provider().Broadcast)
	})
}
