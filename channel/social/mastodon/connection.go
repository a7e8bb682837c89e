package mastodon

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

// What a server takes that says nothing of it.
const (
	usualCharacters = 500
	usualPerLink    = 23
)

// newest is how many posts a page can have at most.
const newest = "40"

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	rate     float64
}

// status is a post.
type status struct {
	ID        string    `json:"id"`
	CreatedAt time.Time `json:"created_at"`
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test reads whose token it is.
func (c *connection) Test(ctx context.Context) error {
	_, err := c.account(ctx)
	return err
}

func (c *connection) account(ctx context.Context) (id string, err error) {
	var account struct{ ID string }
	err = c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/api/v1/accounts/verify_credentials", Answer: &account})
	return account.ID, err
}

// Send implements fanfare.Connection. The server itself refuses a post that is
// too long.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	text, err := social.Compose(m.Content)
	if err != nil {
		return "", err
	}
	var created status
	call := create(m.ID, text)
	call.Answer = &created
	if err := c.api.Do(ctx, call); err != nil {
		return "", err
	}
	return rest.Named(name, created.ID)
}

func create(id, text string) rest.Call {
	return rest.Call{
		Method: http.MethodPost, Path: "/api/v1/statuses", Commits: true,
		Header: map[string]string{"Idempotency-Key": id}, Body: map[string]string{"status": text},
	}
}

// Ask looks for the text among what the account has posted since the delivery
// was planned. A token that may not read makes it unknown.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	return social.Search(ctx, m, c.find)
}

// find returns the id of the account's post of that text, "" if there is none
// since.
func (c *connection) find(ctx context.Context, text string, since time.Time) (string, error) {
	account, err := c.account(ctx)
	if err != nil {
		return "", err
	}
	var posted []status
	err = c.api.Do(ctx, rest.Call{
		Method: http.MethodGet, Path: "/api/v1/accounts/" + url.PathEscape(account) + "/statuses", Answer: &posted,
		Query: url.Values{"limit": {newest}, "exclude_replies": {"true"}, "exclude_reblogs": {"true"}},
	})
	if err != nil {
		return "", err
	}
	for _, candidate := range posted {
		if candidate.CreatedAt.Before(since) {
			continue
		}
		var source struct{ Text string }
		err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/api/v1/statuses/" + url.PathEscape(candidate.ID) + "/source", Answer: &source})
		if err != nil {
			return "", err
		}
		if strings.TrimSpace(source.Text) == text {
			return candidate.ID, nil
		}
	}
	return "", nil
}

// Fits implements fanfare.Fitter: it asks the server for its limits.
func (c *connection) Fits(ctx context.Context, content fanfare.Content) error {
	text, err := social.Compose(content)
	if err != nil {
		return err
	}
	most, perLink, err := c.limits(ctx)
	if err != nil {
		return err
	}
	if n := length(text, perLink); n > most {
		return social.TooLong("This Mastodon server", n, most)
	}
	return nil
}

// limits are how many characters a post may have, and how many a link counts as.
func (c *connection) limits(ctx context.Context) (most, perLink int, err error) {
	var instance struct {
		Configuration struct {
			Statuses struct {
				Max     int `json:"max_characters"`
				PerLink int `json:"characters_reserved_per_url"`
			}
		}
	}
	err = c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/api/v2/instance", Answer: &instance})
	said := instance.Configuration.Statuses
	answered, refused := errors.AsType[*rest.StatusError](err)
	switch {
	case refused && answered.Code == http.StatusNotFound, err == nil && said.Max <= 0:
		return usualCharacters, usualPerLink, nil
	case err == nil && said.PerLink <= 0:
		return said.Max, usualPerLink, nil
	default:
		return said.Max, said.PerLink, err
	}
}

// length counts as Mastodon does: each link is as long as any other.
func length(text string, perLink int) int {
	n := social.Length(text)
	for _, link := range social.Links(text) {
		n += perLink - social.Length(link.Value)
	}
	return n
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	text, err := social.Compose(m.Content)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(create(m.ID, text))
}
