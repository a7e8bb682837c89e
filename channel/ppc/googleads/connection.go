package googleads

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fanfare"
	"fanfare/channel/rest"
)

// connection implements fanfare.Connection.
type connection struct {
	provider  fanfare.Provider
	api       rest.API
	header    map[string]string
	customer  string // its resource
	page      string
	micros    string
	political bool
	rate      float64
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
	return c.search(ctx, "SELECT customer.id FROM customer LIMIT 1", nil)
}

func (c *connection) search(ctx context.Context, query string, answer any) error {
	return c.api.Do(ctx, rest.Call{
		Method: http.MethodPost, Path: "/" + c.customer + "/googleAds:search", Header: c.header, Answer: answer,
		Body: map[string]string{"query": query},
	})
}

// title names the delivery's campaign.
func title(id string) string { return "Fanfare " + id }

// Send implements fanfare.Connection. The id is the campaign's resource. A name
// that is there already was an earlier attempt's.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := c.mutate(title(m.ID), m.Content)
	if err != nil {
		return "", err
	}
	var created struct {
		Responses []struct {
			Campaign struct{ ResourceName string } `json:"campaignResult"`
		} `json:"mutateOperationResponses"`
	}
	call.Answer = &created
	err = c.api.Do(ctx, call)
	if answered, ok := errors.AsType[*rest.StatusError](err); ok && isDuplicate(answered.Body) {
		return c.sentBefore(ctx, m, err)
	}
	if err != nil {
		return "", err
	}
	for _, r := range created.Responses {
		if r.Campaign.ResourceName != "" {
			return r.Campaign.ResourceName, nil
		}
	}
	return "", &fanfare.SendError{Fate: fanfare.FateUnknown, Reason: "Google Ads did not say what became of the campaign."}
}

func (c *connection) sentBefore(ctx context.Context, m fanfare.Outgoing, refusal error) (string, error) {
	id, err := c.find(ctx, m.ID)
	if err == nil && id != "" {
		return id, nil
	}
	return "", &fanfare.SendError{
		Fate: fanfare.FateUnknown, Reason: "Google Ads has a campaign or budget of this name already: " + title(m.ID) + ".", Cause: errors.Join(refusal, err),
	}
}

// find returns the resource of the delivery's campaign, "" if there is none,
// removed ones included.
func (c *connection) find(ctx context.Context, id string) (string, error) {
	if strings.ContainsAny(id, `'\`) {
		return "", nil // no delivery's
	}
	var page struct {
		Results []struct{ Campaign struct{ ResourceName string } }
	}
	err := c.search(ctx, fmt.Sprintf("SELECT campaign.resource_name FROM campaign WHERE campaign.name = '%s'", title(id)), &page)
	if err != nil || len(page.Results) == 0 {
		return "", err
	}
	return page.Results[0].Campaign.ResourceName, nil
}

// Ask looks for the campaign. One that is not there may be sent again.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	id, err := c.find(ctx, m.ID)
	switch {
	case err != nil:
		return fanfare.Answer{State: fanfare.AnswerUnknown}, err
	case id == "":
		return fanfare.Answer{State: fanfare.AnswerRepeat}, nil
	default:
		return fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: id}, nil
	}
}

// Fits has Google look at the campaign without creating it, which is its dry
// run: what its policies refuse is known before anything is sent.
func (c *connection) Fits(ctx context.Context, content fanfare.Content) error {
	call, err := c.mutate("Fanfare (check)", content)
	if err != nil {
		return err
	}
	body, _ := call.Body.(mutation)
	body.ValidateOnly = true
	call.Body, call.Commits = body, false
	return c.api.Do(ctx, call)
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	call, err := c.mutate(title(m.ID), m.Content)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(call)
}
