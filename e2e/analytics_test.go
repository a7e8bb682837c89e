package e2e

import (
	"net/http"
	"strings"
	"testing"
)

// Metrics go in, and what the model reads in them comes out.
func TestAnalytics(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	c.worker("worker1")
	c.awaitWorkers(1)
	header := http.Header{"Authorization": {"Bearer " + c.key}, "Prefer": {"wait=25"}}
	var generated struct{ Campaign struct{ ID string } }
	c.post(c.apis[0], "/api/campaign", header, map[string]any{"prompt": "Sell tea", "channels": []string{"sms"}}, &generated)
	var analyzed struct {
		CampaignID string
		Insights   struct {
			Summary    string
			KeyMetrics []struct{ Label, Value, Trend string }
		}
	}
	metrics := map[string]any{"clicks": []int{5, 31}, "opens": 90}
	response := c.post(c.apis[0], "/api/analytics", header, map[string]any{
		"campaignId": generated.Campaign.ID, "goal": "Sell tea", "channels": []string{"sms"}, "metrics": metrics,
	}, &analyzed)
	if response.StatusCode != http.StatusOK || analyzed.CampaignID != generated.Campaign.ID || len(analyzed.Insights.KeyMetrics) != 3 {
		t.Fatalf("%s: %+v", response.Status, analyzed)
	}
	if first := analyzed.Insights.KeyMetrics[0]; first.Label != "clicks" || first.Value != "31" || first.Trend != "up" {
		t.Errorf("%+v", analyzed.Insights)
	}
	var optimized struct{ Suggestions []string }
	response = c.post(c.apis[0], "/api/analytics/optimizations", header, map[string]any{
		"goal": "Sell tea", "channels": []string{"sms"}, "currentPerformance": metrics, "targetMetrics": map[string]any{"opens": 100},
	}, &optimized)
	if response.StatusCode != http.StatusOK || !strings.Contains(strings.Join(optimized.Suggestions, " "), "opens: it is 90, and the target is 100") {
		t.Errorf("%s: %q", response.Status, optimized.Suggestions)
	}
}
