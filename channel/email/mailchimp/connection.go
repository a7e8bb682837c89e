package mailchimp

import (
	"context"
	"errors"
	"net/http"
	"net/mail"
	"slices"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/email"
	"fanfare/channel/rest"
)

// lastLook is how long to look at what became of a campaign when its sending
// was cut off.
const lastLook = 10 * time.Second

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	list     string
	from     *mail.Address
	rate     float64
	clean    connector.Redactor
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test shows the key, and asks for the audience.
func (c *connection) Test(ctx context.Context) error {
	if err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/ping"}); err != nil {
		return err
	}
	return c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/lists/" + c.list + "?fields=id"})
}

// letter is written with Mailchimp's own words for what it puts in: where a
// subscriber unsubscribes, and who sends.
func (c *connection) letter(m fanfare.Outgoing) (email.Letter, error) {
	letter, err := email.Compose(m, email.Footer{Unsubscribe: "*|UNSUB|*", Sender: "*|LIST:ADDRESSLINE|*"})
	if err != nil {
		return letter, &fanfare.SendError{
			Fate: fanfare.FateRefused, Reason: c.clean.Clean("No campaign can be made of this: " + err.Error() + "."),
		}
	}
	return letter, nil
}

// Send creates a campaign whose title is the delivery's id, or goes on with one
// that an earlier attempt left, and sends it. Mailchimp sends a campaign once,
// so going on can't double it.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	letter, err := c.letter(m)
	if err != nil {
		return "", err
	}
	if m.Test {
		return c.sendTest(ctx, m, letter)
	}
	current, err := c.prepare(ctx, m.ID, letter)
	if err != nil {
		return "", err
	}
	if !current.taken() {
		err = c.goOn(ctx, current, letter)
	}
	if err != nil {
		return c.settle(ctx, current, err)
	}
	return current.ID, nil
}

// prepare finds or creates the campaign. After creating one it looks again: of
// several, all attempts choose the same.
func (c *connection) prepare(ctx context.Context, title string, letter email.Letter) (campaign, error) {
	found, err := c.named(ctx, title)
	if err == nil && len(found) == 0 {
		if err = c.api.Do(ctx, c.create(title, letter)); err == nil {
			found, err = c.named(ctx, title)
		}
	}
	if err != nil {
		return campaign{}, err
	}
	if len(found) == 0 {
		return campaign{}, &fanfare.SendError{Fate: fanfare.FateDeferred, Reason: "Mailchimp does not list the campaign that was just created."}
	}
	return choose(found), nil
}

// choose takes the one that was sent, or else one that may have been, or else
// the oldest.
func choose(found []campaign) campaign {
	for _, is := range []func(campaign) bool{campaign.taken, func(c campaign) bool { return !c.draft() }} {
		if i := slices.IndexFunc(found, is); i >= 0 {
			return found[i]
		}
	}
	return found[0]
}

// goOn sends a campaign that is a draft.
func (c *connection) goOn(ctx context.Context, current campaign, letter email.Letter) error {
	if !current.draft() {
		return &fanfare.SendError{
			Fate: fanfare.FateUnknown, Reason: c.clean.Clean("Mailchimp calls the campaign " + current.Status + "; look there whether it was sent."),
		}
	}
	if err := c.api.Do(ctx, setContent(current.ID, letter)); err != nil {
		return err
	}
	if err := c.ready(ctx, current.ID); err != nil {
		return err
	}
	return c.api.Do(ctx, send(current.ID))
}

// settle looks at the campaign after a failure that leaves open whether it was
// sent, by this attempt or by another one that is at it still. It repeats
// nothing.
func (c *connection) settle(ctx context.Context, current campaign, failed error) (string, error) {
	e, ok := errors.AsType[*fanfare.SendError](failed)
	if !ok || e.Fate != fanfare.FateUnknown && e.Fate != fanfare.FateRefused {
		return "", failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	now, err := c.status(ctx, current.ID)
	switch {
	case err == nil && now.taken():
		return current.ID, nil
	case err == nil && now.draft():
		return "", failed
	default:
		unknown := *e
		unknown.Fate = fanfare.FateUnknown
		return "", &unknown
	}
}

// sendTest sends a campaign's test to its author, and leaves no campaign behind.
func (c *connection) sendTest(ctx context.Context, m fanfare.Outgoing, letter email.Letter) (string, error) {
	var created campaign
	call := c.create("[Test] "+m.ID, letter)
	call.Answer = &created
	if err := c.api.Do(ctx, call); err != nil {
		return "", err
	}
	defer c.remove(ctx, created.ID)
	if err := c.api.Do(ctx, setContent(created.ID, letter)); err != nil {
		return "", err
	}
	if err := c.api.Do(ctx, sendTest(created.ID, m.Recipient)); err != nil {
		return "", err
	}
	return created.ID, nil
}

// remove deletes a test's campaign. One that stays does no harm.
func (c *connection) remove(ctx context.Context, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	_ = c.api.Do(ctx, rest.Call{Method: http.MethodDelete, Path: path(id)})
}

// Ask looks for the message's campaign. One that is a draft may be gone on
// with, since Mailchimp sends none twice; but if there are more, or none in
// sight, another attempt may be at one that this does not see.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	unknown := fanfare.Answer{State: fanfare.AnswerUnknown}
	if m.Test {
		return unknown, nil
	}
	found, err := c.named(ctx, m.ID)
	if err != nil || len(found) == 0 {
		return unknown, err
	}
	chosen := choose(found)
	switch {
	case chosen.taken():
		return fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: chosen.ID}, nil
	case chosen.draft() && len(found) == 1:
		return fanfare.Answer{State: fanfare.AnswerRepeat}, nil
	default:
		return unknown, nil
	}
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	letter, err := c.letter(m)
	if err != nil {
		return nil, err
	}
	const id = "CAMPAIGN_ID"
	calls := []rest.Call{c.create(m.ID, letter), setContent(id, letter), checklist(id), send(id)}
	if m.Test {
		calls = []rest.Call{c.create("[Test] "+m.ID, letter), setContent(id, letter), sendTest(id, m.Recipient)}
	}
	return c.api.Preview(calls...)
}
