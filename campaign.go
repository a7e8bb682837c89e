package fanfare

import (
	"encoding/json"
	"time"
)

// CampaignStatus is where a campaign stands.
type CampaignStatus string

// The states of a campaign.
const (
	CampaignDraft             CampaignStatus = "draft"
	CampaignGenerating        CampaignStatus = "generating"
	CampaignReady             CampaignStatus = "ready"
	CampaignLaunching         CampaignStatus = "launching"
	CampaignLaunched          CampaignStatus = "launched"
	CampaignPartiallyLaunched CampaignStatus = "partially_launched"
	CampaignFailed            CampaignStatus = "failed"
)

// CampaignStatuses lists every status, in the order of a campaign's life.
func CampaignStatuses() []CampaignStatus {
	return []CampaignStatus{
		CampaignDraft, CampaignGenerating, CampaignReady, CampaignLaunching,
		CampaignLaunched, CampaignPartiallyLaunched, CampaignFailed,
	}
}

// Campaign is a brief that became, or becomes, content for channels.
type Campaign struct {
	ID         string          `json:"id" format:"uuid"`
	UserID     string          `json:"-"`
	Goal       string          `json:"goal"`
	Channels   []Channel       `json:"channels" nullable:"false"`
	Content    Content         `json:"content"`
	Audience   json.RawMessage `json:"audience" doc:"An object; recipients are counted, never listed"`
	Budget     *Money          `json:"budget"`
	Schedule   *Schedule       `json:"schedule"`
	Status     CampaignStatus  `json:"status"`
	Metrics    json.RawMessage `json:"metrics" doc:"An object"`
	Intent     *Intent         `json:"intent" doc:"What the model read in the brief; null before that"`
	CreatedAt  time.Time       `json:"createdAt"`
	UpdatedAt  time.Time       `json:"updatedAt"`
	LaunchedAt *time.Time      `json:"launchedAt"`
}

// DescribeAudience puts a description into the campaign's audience and leaves
// what else stands there.
func (c *Campaign) DescribeAudience(description string) {
	audience := map[string]any{}
	if err := json.Unmarshal(c.Audience, &audience); err != nil || audience == nil {
		audience = map[string]any{}
	}
	audience["description"] = description
	c.Audience, _ = json.Marshal(audience) // a map of decoded JSON always encodes
}

// RecipientCounts says how many recipients the campaign has.
func (c *Campaign) RecipientCounts() RecipientCounts {
	var audience struct{ Recipients RecipientCounts }
	_ = json.Unmarshal(c.Audience, &audience) // without counts there are none
	return audience.Recipients
}

// Intent is what a model read in a brief.
type Intent struct {
	Goal         string    `json:"goal"`
	Channels     []Channel `json:"channels" nullable:"false"`
	KeyMessage   string    `json:"keyMessage"`
	CallToAction string    `json:"callToAction"`
	Audience     string    `json:"audience"`
	Budget       *Money    `json:"budget" doc:"null where the brief names none"`
	Schedule     string    `json:"schedule" doc:"When the brief wishes it to go out, in its own words; empty where it says nothing"`
}
