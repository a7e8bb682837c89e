package app

import (
	"context"

	"fanfare"
	"fanfare/ai"
	"fanfare/jobs"
	"fanfare/store"
)

// cleaner is what package ai offers as functions and the API wants as an
// interface.
type cleaner struct{}

func (cleaner) CleanBrief(text string) (string, error) { return ai.CleanBrief(text) }
func (cleaner) CleanText(field, text string, most int) (string, error) {
	return ai.CleanText(field, text, most)
}
func (cleaner) CleanHTML(body string) string { return ai.CleanHTML(body) }
func (cleaner) CleanHistory(turns []fanfare.Turn) ([]fanfare.Turn, error) {
	return ai.CleanHistory(turns)
}

// launcher submits the launches that schedules ask for, each in a trace of its
// own.
type launcher struct {
	store  *store.Store
	tracer fanfare.Tracer
}

func (l launcher) LaunchScheduled(ctx context.Context, userID, campaignID string, channels []fanfare.Channel) (fanfare.Job, error) {
	ctx, end := l.tracer.Trace(ctx, fanfare.OpSchedule, "launch")
	job, _, err := jobs.SubmitLaunch(ctx, l.store, jobs.LaunchRequest{UserID: userID, CampaignID: campaignID, Channels: channels})
	end(err)
	return job, err
}
