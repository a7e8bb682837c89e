package jobs

import (
	"context"

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
	CampaignID string           `json:"campaignId" format:"uuid"`
}

// Analyze reads a campaign's metrics and says what they mean.
var Analyze = defineModel(Kind[AnalyzePayload, AnalyzeResult]{
	Name: "analytics.analyze",
	Work: analyze,
})

func analyze(ctx context.Context, run *Run, p AnalyzePayload) (Done[AnalyzeResult], error) {
	run.Plan(1)
	insights, err := Step(ctx, run, "insights", func(ctx context.Context) (fanfare.Insights, fanfare.Usage, error) {
		return run.Analyst.Analyze(ctx, p.Performance)
	})
	return Done[AnalyzeResult]{Result: AnalyzeResult{Insights: insights, CampaignID: p.CampaignID}}, err
}
