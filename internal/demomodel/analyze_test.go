package demomodel_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestInsightsNameTheFigures(t *testing.T) {
	writer, _ := newWriter(t)
	insights, usage, err := writer.Analyze(t.Context(), fanfare.Performance{
		Goal: "Sell tea", Channels: []string{"email"},
		Metrics: json.RawMessage(`{"email": {"opens": [120, 90], "clicks": [5, 31]}, "spend": 12.50, "note": "fine"}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []fanfare.KeyMetric{
		{Label: "email clicks", Value: "31", Trend: fanfare.TrendUp},
		{Label: "email opens", Value: "90", Trend: fanfare.TrendDown},
		{Label: "spend", Value: "12.50", Trend: fanfare.TrendStable},
	}
	if diff := cmp.Diff(want, insights.KeyMetrics); diff != "" {
		t.Errorf("key metrics (-want +got):\n%s", diff)
	}
	if !strings.Contains(insights.Summary, "Sell tea") || !strings.Contains(insights.Summary, "demo model") || !strings.Contains(insights.Recommendations[0], "31") {
		t.Errorf("%+v", insights)
	}
	if usage.Model != "demo" || usage.InputTokens == 0 {
		t.Errorf("usage %+v", usage)
	}
}

func TestSuggestionsTellTheDistanceToTargets(t *testing.T) {
	writer, _ := newWriter(t)
	suggestions, _, err := writer.SuggestOptimizations(t.Context(), fanfare.Performance{
		Goal: "Sell tea", Channels: []string{"email"},
		Metrics: json.RawMessage(`{"ctr": 0.02, "roi": 3}`), Targets: json.RawMessage(`{"ctr": 0.05, "roi": 3, "reach": 9}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(suggestions) != 3 || suggestions[0] != "Work on ctr: it is 0.02, and the target is 0.05." {
		t.Errorf("%q", suggestions)
	}
}

// TestAnyMetricsNeedOneAsk holds the stand-in to ai's own checks.
func TestAnyMetricsNeedOneAsk(t *testing.T) {
	writer, asked := newWriter(t)
	many := []string{}
	for i := range 2000 {
		many = append(many, fmt.Sprintf(`"m%d": %d`, i, i))
	}
	for _, metrics := range []string{
		`{}`, `[]`, `0`, `"none"`, `true`, `[1]`, `[1, "x", null]`, `[[1, 2], [3]]`, `{"": 1}`, `{"<b>x</b> {name} [y] \n\u0007\u2028": 1e300}`,
		`{"a": {"a": {"a": 1}}}`, `{"%NAME%": 1}`, `{"n": ` + strings.Repeat("9", 399) + `}`, `{"` + strings.Repeat("字", 5000) + `": 1}`,
		`{` + strings.Join(many, ",") + `}`, strings.Repeat(`{"long name of a level":`, 60) + `1` + strings.Repeat(`}`, 60),
	} {
		before := asked.Load()
		p := fanfare.Performance{Goal: "3 < 5 & more", Channels: []string{"<x>"}, Metrics: json.RawMessage(metrics), Targets: json.RawMessage(metrics)}
		if _, _, err := writer.Analyze(t.Context(), p); err != nil {
			t.Errorf("%.60s: %v", metrics, err)
		}
		if _, _, err := writer.SuggestOptimizations(t.Context(), p); err != nil {
			t.Errorf("%.60s: %v", metrics, err)
		}
		if n := asked.Load() - before; n != 2 {
			t.Errorf("%.60s: asked %d times for two answers", metrics, n)
		}
	}
}
