package googleads

import (
	"fmt"
	"net/http"

	"fanfare"
	"fanfare/channel/rest"
)

// How many texts a responsive search ad has.
const (
	minHeadlines, maxHeadlines       = 3, 15
	minDescriptions, maxDescriptions = 2, 4
)

// mutation is a request to create things together.
type mutation struct {
	Operations   []map[string]create `json:"mutateOperations"`
	ValidateOnly bool                `json:"validateOnly,omitempty"`
}

type create struct {
	Create map[string]any `json:"create"`
}

type text struct {
	Text string `json:"text"`
}

// mutate creates a campaign with all that it needs. Negative numbers name what
// does not exist yet.
func (c *connection) mutate(name string, content fanfare.Content) (rest.Call, error) {
	if err := fits(content.PPC); err != nil {
		return rest.Call{}, err
	}
	budget, campaign, group := c.customer+"/campaignBudgets/-1", c.customer+"/campaigns/-2", c.customer+"/adGroups/-3"
	political := "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING"
	if c.political {
		political = "CONTAINS_EU_POLITICAL_ADVERTISING"
	}
	return rest.Call{
		Method: http.MethodPost, Path: "/" + c.customer + "/googleAds:mutate", Header: c.header, Commits: true,
		Body: mutation{Operations: []map[string]create{
			{"campaignBudgetOperation": {map[string]any{
				"resourceName": budget, "name": name, "amountMicros": c.micros, "deliveryMethod": "STANDARD", "explicitlyShared": false,
			}}},
			{"campaignOperation": {map[string]any{
				"resourceName": campaign, "name": name, "status": "PAUSED", "advertisingChannelType": "SEARCH",
				"campaignBudget": budget, "targetSpend": map[string]any{}, "containsEuPoliticalAdvertising": political,
				"networkSettings": map[string]bool{"targetGoogleSearch": true, "targetSearchNetwork": false, "targetContentNetwork": false},
			}}},
			{"adGroupOperation": {map[string]any{
				"resourceName": group, "name": name, "campaign": campaign, "status": "ENABLED", "type": "SEARCH_STANDARD",
			}}},
			{"adGroupAdOperation": {map[string]any{
				"adGroup": group, "status": "ENABLED",
				"ad": map[string]any{"finalUrls": []string{c.page}, "responsiveSearchAd": map[string]any{
					"headlines": texts(content.PPC.Headlines), "descriptions": texts(content.PPC.Descriptions),
				}},
			}}},
		}},
	}, nil
}

func texts(all []string) []text {
	found := make([]text, len(all))
	for i, t := range all {
		found[i] = text{t}
	}
	return found
}

// fits looks at what Google asks for beyond our own rules.
func fits(content *fanfare.PPCContent) error {
	if content == nil {
		return refused("The campaign has no content for ppc.")
	}
	if n := len(content.Headlines); n < minHeadlines || n > maxHeadlines {
		return refused(fmt.Sprintf("Google Ads takes ads with %d to %d headlines, and this one has %d.", minHeadlines, maxHeadlines, n))
	}
	if n := len(content.Descriptions); n < minDescriptions || n > maxDescriptions {
		return refused(fmt.Sprintf("Google Ads takes ads with %d to %d descriptions, and this one has %d.", minDescriptions, maxDescriptions, n))
	}
	return nil
}

func refused(reason string) error {
	return &fanfare.SendError{Fate: fanfare.FateRefused, Reason: reason}
}
