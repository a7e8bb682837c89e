// Package facebook posts on a page of Facebook. It is written from
// https://developers.facebook.com/docs/pages-api/posts and
// https://developers.facebook.com/docs/graph-api/reference/page/published_posts/.
//
// Facebook takes no key of ours. What became of a post is asked by reading what
// the page has published since; what is found was taken, and an outcome that
// can't be found is unknown.
//
// # Credentials
//
// An app is made at https://developers.facebook.com/apps with the permissions
// pages_show_list, pages_manage_posts and pages_read_engagement. Somebody who manages the page lets it
// in at https://developers.facebook.com/tools/explorer, and has the token that comes
// of it extended at https://developers.facebook.com/tools/debug/accesstoken. With
// that, GET /me/accounts in the explorer lists the page's id and its own access
// token, which does not expire.
package facebook

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/meta"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

const (
	name      = "Facebook"
	pageField = "pageId"
	newest    = "100" // posts that are looked at
)

// Connector connects to Facebook.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Facebook by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Social,
		CredentialFields: []fanfare.CredentialField{
			{Name: pageField, Label: "Page ID", Required: true},
			{Name: meta.TokenField, Label: "Page access token (pages_manage_posts, pages_read_engagement), which an extended token of yours shows", Secret: true, Required: true},
			connector.RateCredential(),
		},
		Description:     "Posts once on your Facebook page.",
		VerifiedAgainst: fanfare.VerifiedContract,
		Broadcast:       true,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{pageField: meta.WrongID})
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), page: "/" + credentials[pageField],
		api: meta.New(name, c.outside, credentials),
	}, nil
}

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	page     string
	rate     float64
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test asks for what a page alone has: with a user's token it is refused, as a
// post would be.
func (c *connection) Test(ctx context.Context) error {
	var me struct{ ID string }
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/me", Query: url.Values{"fields": {"id"}}, Answer: &me})
	if err == nil && "/"+me.ID != c.page {
		return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "The access token is not the page's: ask Facebook for the page's own."}
	}
	return err
}

// Send implements fanfare.Connection.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := c.post(m.Content)
	if err != nil {
		return "", err
	}
	var created struct{ ID string }
	call.Answer = &created
	if err := c.api.Do(ctx, call); err != nil {
		return "", err
	}
	return rest.Named(name, created.ID)
}

func (c *connection) post(content fanfare.Content) (rest.Call, error) {
	text, err := social.Compose(content)
	return rest.Call{Method: http.MethodPost, Path: c.page + "/feed", Body: map[string]string{"message": text}, Commits: true}, err
}

// Ask looks for the text among what the page has published since the delivery
// was planned. A token that may not read makes it unknown.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	return social.Search(ctx, m, c.find)
}

// find returns the id of the page's post of that text, "" if there is none since.
func (c *connection) find(ctx context.Context, text string, since time.Time) (string, error) {
	var posts struct {
		Data []struct{ ID, Message string }
	}
	err := c.api.Do(ctx, rest.Call{
		Method: http.MethodGet, Path: c.page + "/published_posts", Answer: &posts,
		Query: url.Values{"fields": {"id,message"}, "since": {strconv.FormatInt(since.Unix(), 10)}, "limit": {newest}},
	})
	for _, p := range posts.Data {
		if strings.TrimSpace(p.Message) == text {
			return p.ID, nil
		}
	}
	return "", err
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	call, err := c.post(m.Content)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(call)
}
