package jobs

import (
	"context"

	"fanfare"
)

// OptimizePayload is what suggestions start from.
type OptimizePayload struct {
	Performance fanfare.Performance `json:"performance"`
}

// OptimizeResult is what they end with.
type OptimizeResult struct {
	Suggestions []string `json:"suggestions" nullable:"false"`
}

// Optimize suggests how a campaign could do better.
var Optimize = defineModel(Kind[OptimizePayload, OptimizeResult]{
	Name: "analytics.optimize",
	Work: optimize,
})

func optimize(ctx context.Context, run *Run, p OptimizePayload) (Done[OptimizeResult], error) {
	run.Plan(1)
	suggestions, err := Step(ctx, run, "suggestions", func(ctx context.Context) ([]string, fanfare.Usage, error) {
		return run.Analyst.SuggestOptimizations(ctx, p.Performance)
	})
	return Done[OptimizeResult]{Result: OptimizeResult{Suggestions: suggestions}}, err
}
