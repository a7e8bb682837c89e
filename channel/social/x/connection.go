package x

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	rate     float64
}

// tweet is a post as X gives it back: escaped for HTML, and with each link
// replaced by a shorter one.
type tweet struct {
	ID       string
	Text     string
	Entities struct {
		URLs []struct {
			URL      string
			Expanded string `json:"expanded_url"`
		}
	}
}

// is reports whether the post's text is ours. X gives a scheme to links that
// had none.
func (t tweet) is(ours string) bool {
	text := html.UnescapeString(t.Text)
	for _, link := range t.Entities.URLs {
		written := link.Expanded
		if !strings.Contains(ours, written) {
			written = strings.TrimPrefix(strings.TrimPrefix(written, "https://"), "http://")
		}
		text = strings.Replace(text, link.URL, written, 1)
	}
	return strings.TrimSpace(text) == ours
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
	var me struct{ Data struct{ ID string } }
	err = c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/users/me", Answer: &me})
	return me.Data.ID, err
}

// Send implements fanfare.Connection.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := post(m.Content)
	if err != nil {
		return "", err
	}
	var created struct{ Data tweet }
	call.Answer = &created
	if err := c.api.Do(ctx, call); err != nil {
		return "", err
	}
	return rest.Named(name, created.Data.ID)
}

func post(content fanfare.Content) (rest.Call, error) {
	text, err := social.Compose(content)
	if err != nil {
		return rest.Call{}, err
	}
	if n := length(text); n > maxWeight {
		return rest.Call{}, social.TooLong(name, n, maxWeight)
	}
	return rest.Call{Method: http.MethodPost, Path: "/tweets", Body: map[string]string{"text": text}, Commits: true}, nil
}

// Fits implements fanfare.Fitter.
func (c *connection) Fits(_ context.Context, content fanfare.Content) error {
	_, err := post(content)
	return err
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
	var page struct{ Data []tweet }
	err = c.api.Do(ctx, rest.Call{
		Method: http.MethodGet, Path: "/users/" + url.PathEscape(account) + "/tweets", Answer: &page,
		Query: url.Values{
			"start_time": {since.UTC().Format(time.RFC3339)}, "max_results": {"100"}, "exclude": {"retweets,replies"}, "tweet.fields": {"entities"},
		},
	})
	for _, candidate := range page.Data {
		if candidate.is(text) {
			return candidate.ID, err
		}
	}
	return "", err
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	call, err := post(m.Content)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(call)
}
