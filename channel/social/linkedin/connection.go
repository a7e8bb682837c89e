package linkedin

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"fanfare"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

const (
	maxCharacters = 3000
	newest        = 100 // posts that are looked at
)

// connection implements fanfare.Connection.
type connection struct {
	provider fanfare.Provider
	api      rest.API
	header   map[string]string
	author   string
	rate     float64

	tokens rest.API
	token  url.Values // with the client that may ask about it; nil for none
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test reads the author's posts, and asks whether the token may write. Where it
// may not read, LinkedIn's 403 says at least whose it is.
func (c *connection) Test(ctx context.Context) error {
	_, err := c.posts(ctx, 1)
	if answered, ok := errors.AsType[*rest.StatusError](err); err != nil && (!ok || answered.Code != http.StatusForbidden) {
		return err
	}
	return c.inspect(ctx)
}

// inspect asks for the token's scopes. That takes a client: without one no call
// shows whether a token may post but one that posts.
func (c *connection) inspect(ctx context.Context) error {
	if c.token == nil {
		return nil
	}
	var token struct {
		Active bool
		Scope  string
	}
	if err := c.tokens.Do(ctx, rest.Call{Method: http.MethodPost, Path: "/oauth/v2/introspectToken", Form: c.token, Answer: &token}); err != nil {
		return err
	}
	scope := "w_member_social"
	if strings.HasPrefix(c.author, organization) {
		scope = "w_organization_social"
	}
	if !token.Active || !slices.Contains(strings.FieldsFunc(token.Scope, isBetween), scope) {
		return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "The access token may not post: it has ended, or was made without the scope " + scope + "."}
	}
	return nil
}

func isBetween(r rune) bool { return r == ',' || r == ' ' }

// Send implements fanfare.Connection. LinkedIn gives the post's id in a header
// alone.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	call, err := c.post(m.Content)
	if err != nil {
		return "", err
	}
	var id string
	call.Heard = func(h http.Header) { id = h.Get("X-Restli-Id") }
	if err := c.api.Do(ctx, call); err != nil {
		return "", err
	}
	if id == "" {
		return "", &fanfare.SendError{Fate: fanfare.FateUnknown, Reason: "LinkedIn did not say what became of the post."}
	}
	return id, nil
}

func (c *connection) post(content fanfare.Content) (rest.Call, error) {
	text, err := social.Compose(content)
	if err != nil {
		return rest.Call{}, err
	}
	if n := social.Length(text); n > maxCharacters {
		return rest.Call{}, social.TooLong(name, n, maxCharacters)
	}
	return rest.Call{Method: http.MethodPost, Path: "/rest/posts", Header: c.header, Commits: true, Body: map[string]any{
		"author": c.author, "commentary": little(text), "visibility": "PUBLIC", "lifecycleState": "PUBLISHED",
		"distribution": map[string]any{
			"feedDistribution": "MAIN_FEED", "targetEntities": []string{}, "thirdPartyDistributionChannels": []string{},
		},
		"isReshareDisabledByAuthor": false,
	}}, nil
}

// Fits implements fanfare.Fitter.
func (c *connection) Fits(_ context.Context, content fanfare.Content) error {
	_, err := c.post(content)
	return err
}

type written struct {
	ID         string
	Commentary string
	CreatedAt  int64 // milliseconds since 1970
}

// posts are the author's, the newest first.
func (c *connection) posts(ctx context.Context, count int) ([]written, error) {
	header := maps.Clone(c.header)
	header["X-RestLi-Method"] = "FINDER"
	var page struct{ Elements []written }
	err := c.api.Do(ctx, rest.Call{
		Method: http.MethodGet, Path: "/rest/posts", Header: header, Answer: &page,
		Query: url.Values{"author": {c.author}, "q": {"author"}, "count": {strconv.Itoa(count)}, "sortBy": {"CREATED"}},
	})
	return page.Elements, err
}

// Ask looks for the text among what the author has posted since the delivery
// was planned. A token that may not read makes it unknown.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	return social.Search(ctx, m, c.find)
}

// find returns the id of the author's post of that text, "" if there is none
// since.
func (c *connection) find(ctx context.Context, text string, since time.Time) (string, error) {
	posts, err := c.posts(ctx, newest)
	for _, p := range posts {
		if !time.UnixMilli(p.CreatedAt).Before(since) && read(p.Commentary) == text {
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
