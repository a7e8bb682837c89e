package metaads

import (
	"net/http"
	"strings"

	"fanfare"
	"fanfare/channel/rest"
)

// title names all that belongs to a delivery.
func title(id string) string { return "Fanfare " + id }

func (c *connection) campaign(title string) rest.Call {
	body := map[string]any{
		"name": title, "objective": "OUTCOME_TRAFFIC", "status": "PAUSED", "special_ad_categories": c.categories,
		"is_adset_budget_sharing_enabled": false, // the budget is the ad set's
	}
	if len(c.categories) > 0 {
		body["special_ad_category_country"] = c.countries
	}
	return c.create("/campaigns", body)
}

func (c *connection) adSet(title, campaign string) rest.Call {
	body := map[string]any{
		"name": title, "campaign_id": campaign, "status": "PAUSED", "daily_budget": c.budget,
		"billing_event": "IMPRESSIONS", "optimization_goal": "LINK_CLICKS", "bid_strategy": "LOWEST_COST_WITHOUT_CAP",
		"targeting": map[string]any{
			"geo_locations":        map[string]any{"countries": c.countries},
			"targeting_automation": map[string]int{"advantage_audience": 0},
		},
	}
	if c.payer != "" {
		body["dsa_beneficiary"], body["dsa_payor"] = c.payer, c.payer
	}
	return c.create("/adsets", body)
}

func (c *connection) creative(title string, content *fanfare.PPCContent) rest.Call {
	return c.create("/adcreatives", map[string]any{
		"name": title,
		"object_story_spec": map[string]any{"page_id": c.page, "link_data": map[string]any{
			"link": c.link, "name": content.Headlines[0], "message": strings.Join(content.Descriptions, "\n"),
		}},
	})
}

func (c *connection) ad(title, set, creative string) rest.Call {
	call := c.create("/ads", map[string]any{
		"name": title, "adset_id": set, "creative": map[string]string{"creative_id": creative}, "status": "PAUSED",
	})
	call.Commits = true
	return call
}

func (c *connection) create(path string, body map[string]any) rest.Call {
	return rest.Call{Method: http.MethodPost, Path: c.account + path, Body: body}
}

// texts returns the content of an ad, if there is any.
func texts(content fanfare.Content) (*fanfare.PPCContent, error) {
	ad := content.PPC
	if ad == nil || len(ad.Headlines) == 0 || len(ad.Descriptions) == 0 {
		return nil, &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "Meta Ads needs a headline and a description, and the campaign has none."}
	}
	return ad, nil
}
