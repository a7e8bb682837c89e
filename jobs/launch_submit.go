package jobs

import (
	"context"
	"slices"

	"fanfare"
)

// LaunchRequest asks for a launch of a user's campaign.
type LaunchRequest struct {
	UserID       string
	CampaignID   string
	Channels     []fanfare.Channel // none: the campaign's
	Integrations map[fanfare.Channel]string
	DryRun       bool
}

// LaunchStore is what submitting a launch needs of the database.
type LaunchStore interface {
	Campaign(ctx context.Context, userID, id string) (fanfare.Campaign, error)
	CampaignForUpdate(ctx context.Context, userID, id string) (fanfare.Campaign, error)
	Integration(ctx context.Context, userID, id string) (fanfare.Integration, error)
	CreateLaunch(ctx context.Context, launch fanfare.Launch) (fanfare.Launch, error)
	Submit(ctx context.Context, job fanfare.NewJob) (fanfare.Job, error)
}

// SubmitLaunch writes a launch and its job in the caller's transaction, and
// returns the campaign as it stands with it. It fails with
// fanfare.CodeNotReady, CodeLaunchInProgress, CodeNotFound or CodeInvalidRequest.
func SubmitLaunch(ctx context.Context, store LaunchStore, r LaunchRequest) (fanfare.Job, fanfare.Campaign, error) {
	campaign, err := store.CampaignForUpdate(ctx, r.UserID, r.CampaignID)
	if err != nil {
		return fanfare.Job{}, campaign, err
	}
	if err := launchable(campaign, r.DryRun); err != nil {
		return fanfare.Job{}, campaign, err
	}
	if err := r.checkIntegrations(ctx, store); err != nil {
		return fanfare.Job{}, campaign, err
	}
	if len(r.Channels) == 0 {
		r.Channels = defaultChannels(campaign)
	}
	launch, err := store.CreateLaunch(ctx, fanfare.Launch{
		UserID: r.UserID, CampaignID: r.CampaignID, Channels: r.Channels, Integrations: r.Integrations,
	})
	if err != nil {
		return fanfare.Job{}, campaign, err
	}
	newJob, err := LaunchCampaign.New(r.UserID, r.CampaignID, LaunchCampaignPayload{
		LaunchID: launch.ID, CampaignID: r.CampaignID, Channels: r.Channels, Integrations: r.Integrations,
		DryRun: r.DryRun, Before: campaign.Status,
	})
	if err != nil {
		return fanfare.Job{}, campaign, err
	}
	job, err := store.Submit(ctx, newJob)
	if err != nil {
		return fanfare.Job{}, campaign, err
	}
	campaign, err = store.Campaign(ctx, r.UserID, r.CampaignID) // launching, by the job's own statement
	return job, campaign, err
}

func launchable(campaign fanfare.Campaign, dryRun bool) error {
	switch {
	case campaign.Status == fanfare.CampaignLaunching && !dryRun:
		return fanfare.Errorf(fanfare.CodeLaunchInProgress, "The campaign is being launched already. Watch that job, or cancel it first.")
	case campaign.Status == fanfare.CampaignGenerating:
		return fanfare.Errorf(fanfare.CodeNotReady, "The campaign's content is still being written. Launch it when that job is done.")
	case len(campaign.Content.Has()) == 0:
		return fanfare.Errorf(fanfare.CodeNotReady, "The campaign has no content yet. Generate or write some, then launch it.")
	default:
		return nil
	}
}

func (r LaunchRequest) checkIntegrations(ctx context.Context, store LaunchStore) error {
	for channel, id := range r.Integrations {
		field := "integrations." + string(channel)
		integration, err := store.Integration(ctx, r.UserID, id)
		switch {
		case fanfare.ErrorCode(err) == fanfare.CodeNotFound:
			return fanfare.Invalid(field, "must be the id of one of your integrations")
		case err != nil:
			return err
		case integration.Type != channel:
			return fanfare.Invalid(field, "must be an integration of type %s", channel)
		}
	}
	return nil
}

// defaultChannels are those of the campaign, without any that nothing was
// written for.
func defaultChannels(campaign fanfare.Campaign) []fanfare.Channel {
	has := campaign.Content.Has()
	var both []fanfare.Channel
	for _, channel := range campaign.Channels {
		if slices.Contains(has, channel) {
			both = append(both, channel)
		}
	}
	if len(both) == 0 {
		return has
	}
	return both
}
