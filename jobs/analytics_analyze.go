package jobs

import (
	"context"
	"time"

	"fanfare"
)

// AnalyzePayload is what an analysis starts from.
type AnalyzePayload struct {
	CampaignID  string              `json:"campaignId"`
	Performance fanfare.Performance `json:"performance"`
}

// AnalyzeResult is what an analysis ends with.
type AnalyzeResult struct {
	Insights   fanfare.Insights `json:"insights"`
	CampaignID string           `json:"campaignId"`
}

// Analyze reads a campaign's metrics and says what they mean.
var Analyze = define(Kind[AnalyzePayload, AnalyzeResult]{
	Name:        "analytics.analyze",
	Queue:       QueueAI,
	MaxAttempts: 5,
	Expiry:      15 * time.Minute,
	Backoff:     Backoff{Min: time.Second, Max: 16 * time.Second},
	Timeout:     jobTimeout,
	Work:        analyze,
})

func analyze(ctx context.Context, run *Run, p AnalyzePayload) (Done[AnalyzeResult], error) {
	run.Plan(1)
	insights, err := Step(ctx, run, "insights", func(ctx context.Context) (fanfare.Insights, fanfare.Usage, error) {
		return run.Analyst.Analyze(ctx, p.Performance)
	})
	return Done[AnalyzeResult]{Result: AnalyzeResult{Insights: insights, CampaignID: p.CampaignID}}, err
}
