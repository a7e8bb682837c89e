package metaads

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"fanfare"
	"fanfare/channel/rest"
)

// connection implements fanfare.Connection.
type connection struct {
	provider                           fanfare.Provider
	api                                rest.API
	account, page, link, budget, payer string
	countries, categories              []string
	rate                               float64
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test reads the account.
func (c *connection) Test(ctx context.Context) error {
	return c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: c.account, Query: url.Values{"fields": {"account_status"}}})
}

// Send implements fanfare.Connection. The id is the ad's.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	content, err := texts(m.Content)
	if err != nil {
		return "", err
	}
	name := title(m.ID)
	campaign, err := c.have(ctx, "/campaigns", name, c.campaign(name))
	if err != nil {
		return "", err
	}
	set, err := c.have(ctx, "/adsets", name, c.adSet(name, campaign))
	if err != nil {
		return "", err
	}
	creative, err := c.made(ctx, c.creative(name, content)) // one that no ad uses is in nobody's way
	if err != nil {
		return "", err
	}
	return c.made(ctx, c.ad(name, set, creative))
}

// have finds what an earlier attempt has left, or creates it.
func (c *connection) have(ctx context.Context, edge, name string, create rest.Call) (string, error) {
	id, err := c.find(ctx, edge, name)
	if err != nil || id != "" {
		return id, err
	}
	return c.made(ctx, create)
}

func (c *connection) made(ctx context.Context, call rest.Call) (string, error) {
	var created struct{ ID string }
	call.Answer = &created
	if err := c.api.Do(ctx, call); err != nil {
		return "", err
	}
	if created.ID == "" {
		fate := fanfare.FateDeferred
		if call.Commits {
			fate = fanfare.FateUnknown
		}
		return "", &fanfare.SendError{Fate: fate, Reason: "Meta Ads did not say what it created."}
	}
	return created.ID, nil
}

// find returns the id of what has that name, "" if nothing does.
func (c *connection) find(ctx context.Context, edge, name string) (string, error) {
	filter, err := json.Marshal([]map[string]string{{"field": "name", "operator": "EQUAL", "value": name}})
	if err != nil {
		return "", fmt.Errorf("encoding a filter: %w", err)
	}
	var page struct{ Data []struct{ ID, Name string } }
	err = c.api.Do(ctx, rest.Call{
		Method: http.MethodGet, Path: c.account + edge, Answer: &page,
		Query: url.Values{"fields": {"id,name"}, "filtering": {string(filter)}},
	})
	for _, found := range page.Data {
		if found.Name == name {
			return found.ID, err
		}
	}
	return "", err
}

// Ask looks for the ad.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	id, err := c.find(ctx, "/ads", title(m.ID))
	if err != nil || id == "" {
		return fanfare.Answer{State: fanfare.AnswerUnknown}, err
	}
	return fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: id}, nil
}

// Fits has Meta look at the campaign without creating it, which is its dry run.
// What comes below a campaign Meta looks at only once that is there.
func (c *connection) Fits(ctx context.Context, content fanfare.Content) error {
	if _, err := texts(content); err != nil {
		return err
	}
	call := c.campaign("Fanfare (check)")
	body, _ := call.Body.(map[string]any)
	body["execution_options"] = []string{"validate_only"}
	return c.api.Do(ctx, call)
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	content, err := texts(m.Content)
	if err != nil {
		return nil, err
	}
	name := title(m.ID)
	return c.api.Preview(
		c.campaign(name), c.adSet(name, "CAMPAIGN_ID"), c.creative(name, content), c.ad(name, "AD_SET_ID", "CREATIVE_ID"),
	)
}
