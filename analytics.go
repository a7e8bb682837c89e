package fanfare

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Trend is where a metric is heading.
type Trend string

// The trends.
const (
	TrendUp     Trend = "up"
	TrendDown   Trend = "down"
	TrendStable Trend = "stable"
)

// How many entries an analysis has of each.
const (
	KeyMetricsMin      = 3
	KeyMetricsMax      = 5
	RecommendationsMin = 3
	RecommendationsMax = 5
	OptimizationsMin   = 2
	OptimizationsMax   = 3
	SuggestionsMin     = 2
	SuggestionsMax     = 5
	insightTextMax     = 2000
)

// Performance is what a campaign is analyzed by. Metrics are JSON of any shape.
type Performance struct {
	Goal     string          `json:"goal"`
	Channels []string        `json:"channels"`
	Metrics  json.RawMessage `json:"metrics"`
	Targets  json.RawMessage `json:"targets,omitempty"` // only for suggestions
}

// Insights are what a model reads in a campaign's metrics.
type Insights struct {
	Summary         string      `json:"summary"`
	KeyMetrics      []KeyMetric `json:"keyMetrics" nullable:"false"`
	Recommendations []string    `json:"recommendations" nullable:"false"`
	Optimizations   []string    `json:"optimizations" nullable:"false"`
}

// KeyMetric is one metric that matters.
type KeyMetric struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Trend Trend  `json:"trend" enum:"up,down,stable"`
}

// Problems says in sentences which rules the insights break.
func (i *Insights) Problems() []string {
	p := problems{}
	p.text("summary", i.Summary, insightTextMax)
	p.size("keyMetrics", len(i.KeyMetrics), KeyMetricsMin, KeyMetricsMax)
	for n, metric := range i.KeyMetrics {
		p.text(fmt.Sprintf("keyMetrics[%d].label", n), metric.Label, insightTextMax)
		p.text(fmt.Sprintf("keyMetrics[%d].value", n), metric.Value, insightTextMax)
		if !slices.Contains([]Trend{TrendUp, TrendDown, TrendStable}, metric.Trend) {
			p.add("keyMetrics[%d].trend must be up, down or stable", n)
		}
	}
	p.texts("recommendations", i.Recommendations, RecommendationsMin, RecommendationsMax)
	p.texts("optimizations", i.Optimizations, OptimizationsMin, OptimizationsMax)
	return p
}

// SuggestionProblems says in sentences which rules suggestions break.
func SuggestionProblems(suggestions []string) []string {
	p := problems{}
	p.texts("suggestions", suggestions, SuggestionsMin, SuggestionsMax)
	return p
}

func (p *problems) size(name string, n, least, most int) {
	if n < least || n > most {
		p.add("%s has %d entries; it needs %d to %d", name, n, least, most)
	}
}

func (p *problems) texts(name string, values []string, least, most int) {
	p.size(name, len(values), least, most)
	for i, value := range values {
		p.text(fmt.Sprintf("%s[%d]", name, i), value, insightTextMax)
	}
}

// Analyst reads metrics. What is said of Writer's answers, usage and errors
// holds for it too.
type Analyst interface {
	Analyze(ctx context.Context, performance Performance) (Insights, Usage, error)
	SuggestOptimizations(ctx context.Context, performance Performance) ([]string, Usage, error)
}
