package app

import (
	"context"
	"encoding/json"

	"fanfare"
)

// madeUpMetrics are for show: nobody has opened anything. Lists are by week.
const madeUpMetrics = `{"sent": [400, 420, 415], "opens": [120, 164, 203], "clicks": [31, 28, 24], "unsubscribes": [2, 2, 2]}`

// analyze has the model read figures that are said to be made up.
func (t *tour) analyze(ctx context.Context) error {
	t.say("\n── Analysis ──")
	t.say("The metrics are MADE UP, to have something to analyze (by week; nobody has opened anything):\n  %s", madeUpMetrics)
	var result struct{ Insights fanfare.Insights }
	job, err := t.run(ctx, "/api/analytics", map[string]any{
		"campaignId": t.campaign.ID, "goal": t.campaign.Goal, "channels": t.campaign.Channels, "metrics": json.RawMessage(madeUpMetrics),
	}, &result)
	if err != nil {
		return err
	}
	insights := result.Insights
	t.say("\nWhat the model reads in the made-up metrics:\n%s", insights.Summary)
	for _, metric := range insights.KeyMetrics {
		t.say("  %s %s: %s (%s)", arrow(metric.Trend), metric.Label, metric.Value, metric.Trend)
	}
	t.sayList("Recommendations", insights.Recommendations)
	t.sayList("Optimizations", insights.Optimizations)
	t.sayUsage(job)
	return nil
}

func arrow(trend fanfare.Trend) string {
	switch trend {
	case fanfare.TrendUp:
		return "↑"
	case fanfare.TrendDown:
		return "↓"
	default:
		return "→"
	}
}

func (t *tour) sayList(title string, entries []string) {
	t.say("%s:", title)
	for i, entry := range entries {
		t.say("  %d. %s", i+1, entry)
	}
}
