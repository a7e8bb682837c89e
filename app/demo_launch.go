package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"fanfare"
)

const demoSender = "news@fanfare.example"

// demoRecipients are names that nobody can have (RFC 2606), since mail for them
// goes no further than the mailbox anyhow.
func demoRecipients() []string {
	return []string{"ada@example.com", "grace@example.org", "radia@example.net"}
}

// launch sends the campaign's e-mail to the mailbox, and looks there for what
// the ledger says was sent.
func (t *tour) launch(ctx context.Context) error {
	t.say("\n── Launch ──")
	integration, err := t.connect(ctx)
	if err != nil {
		return err
	}
	t.say("SMTP is connected to the mailbox, and its test went well.")
	if err := t.setRecipients(ctx); err != nil {
		return err
	}
	var result struct{ LaunchResults []fanfare.ChannelResult }
	if _, err := t.run(ctx, "/api/campaign/launch", map[string]any{
		"campaignId": t.campaign.ID, "channels": []fanfare.Channel{fanfare.Email},
		"integrations": map[fanfare.Channel]string{fanfare.Email: integration},
	}, &result); err != nil {
		return err
	}
	for _, r := range result.LaunchResults {
		t.say("%s: %d sent, %d failed, %d unknown, %d skipped.", r.Channel, r.Sent, r.Failed, r.Unknown, r.Skipped)
		if r.Error != nil {
			return errors.New(*r.Error)
		}
	}
	return t.showDeliveries(ctx)
}

// integration is how the mailbox is connected, as POST /api/integrations wants
// it.
func (d *Dev) integration() map[string]any {
	return map[string]any{"name": "SMTP", "type": fanfare.Email, "credentials": d.mailbox.credentials()}
}

// connect returns the integration that sends to the mailbox: that of an earlier
// run if it still does, else a new one.
func (t *tour) connect(ctx context.Context) (id string, err error) {
	if id := t.state.DemoIntegration; id != "" {
		if err := t.test(ctx, id); err == nil {
			return id, nil
		}
		err := t.api.do(ctx, http.MethodDelete, "/api/integrations/"+id, nil, nil)
		if refused, ok := errors.AsType[*apiError](err); err != nil && (!ok || refused.Code != fanfare.CodeNotFound) {
			return "", fmt.Errorf("disconnecting where the mailbox was: %w", err)
		}
	}
	var created struct{ ID string }
	err = t.api.do(ctx, http.MethodPost, "/api/integrations", t.integration(), &created)
	if refused, ok := errors.AsType[*apiError](err); ok && refused.Code == fanfare.CodeIntegrationExists {
		return "", errors.New("the demo's user has connected SMTP already, and not to this mailbox: delete that integration, or use another directory (--data)")
	}
	if err != nil {
		return "", fmt.Errorf("connecting the mailbox: %w", err)
	}
	t.state.DemoIntegration = created.ID
	if err := t.saveState(t.state); err != nil {
		return "", err
	}
	return created.ID, t.test(ctx, created.ID)
}

func (t *tour) test(ctx context.Context, integration string) error {
	var answer struct {
		Success bool
		Reason  string
	}
	if err := t.api.do(ctx, http.MethodPost, "/api/integrations/test", map[string]string{"id": integration}, &answer); err != nil {
		return fmt.Errorf("testing the integration: %w", err)
	}
	if !answer.Success {
		return fmt.Errorf("the integration's test failed: %s", answer.Reason)
	}
	return nil
}

func (t *tour) setRecipients(ctx context.Context) error {
	file := "channel,address\n"
	for _, address := range demoRecipients() {
		file += "email," + address + "\n"
	}
	var counts fanfare.RecipientCounts
	if err := t.api.do(ctx, http.MethodPut, "/api/campaign/"+t.campaign.ID+"/recipients", csvFile(file), &counts); err != nil {
		return fmt.Errorf("setting the recipients: %w", err)
	}
	if counts.Email != len(demoRecipients()) {
		return fmt.Errorf("%d of %d recipients were taken", counts.Email, len(demoRecipients()))
	}
	t.say("%d recipients: %s.", counts.Email, strings.Join(demoRecipients(), ", "))
	return nil
}

// showDeliveries holds the ledger against the mailbox. Who has unsubscribed in
// an earlier run gets nothing; that nobody gets anything is no launch.
func (t *tour) showDeliveries(ctx context.Context) error {
	var deliveries []fanfare.Delivery
	if err := t.api.do(ctx, http.MethodGet, "/api/campaign/"+t.campaign.ID+"/deliveries?channel=email&limit=100", nil, &deliveries); err != nil {
		return fmt.Errorf("reading the deliveries: %w", err)
	}
	sent := 0
	for _, delivery := range deliveries {
		line, arrived := t.trace(delivery)
		t.say("  %s", line)
		switch {
		case arrived:
			sent++
		case delivery.Status != fanfare.DeliverySkipped:
			return errors.New("not every message has arrived in the mailbox")
		}
	}
	if sent == 0 {
		return errors.New("nobody was left to send to: all recipients have unsubscribed; begin anew in another directory (--data)")
	}
	t.say("%d messages have arrived in the mailbox: %s", sent, t.mailbox.url)
	return nil
}

// trace is a delivery in a line, with the message that came of it.
func (t *tour) trace(delivery fanfare.Delivery) (line string, arrived bool) {
	line = fmt.Sprintf("%-8s %-20s", delivery.Status, value(delivery.Recipient))
	id, _, _ := strings.Cut(value(delivery.ProviderID), " ")
	message, arrived := t.mailbox.byID(id)
	if arrived {
		return line + fmt.Sprintf("“%s”  %s/%d", message.Subject(), t.mailbox.url, message.Number), true
	}
	return line + value(delivery.Error), false
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
