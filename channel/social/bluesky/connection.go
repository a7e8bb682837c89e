package bluesky

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"fanfare"
	"fanfare/channel/rest"
	"fanfare/channel/social"
)

// lastLook is how long to look for a post whose sending failed.
const lastLook = 10 * time.Second

// connection implements fanfare.Connection. It lives for one attempt, which
// takes minutes, and signs in once: a session lasts for hours, so none has to be
// refreshed, and no two workers share one.
type connection struct {
	provider             fanfare.Provider
	api                  rest.API
	identifier, password string
	rate                 float64

	gate   chan struct{} // held by who reads or writes signed
	signed session
}

// session is an account that has signed in.
type session struct {
	DID   string `json:"did"`
	Token string `json:"accessJwt"`
}

// Provider implements fanfare.Connection.
func (c *connection) Provider() fanfare.Provider { return c.provider }

// Parallel implements fanfare.Connection.
func (c *connection) Parallel() int { return 1 }

// Rate implements fanfare.Connection.
func (c *connection) Rate() float64 { return c.rate }

// Close implements fanfare.Connection.
func (c *connection) Close() error { return nil }

// Test signs in.
func (c *connection) Test(ctx context.Context) error {
	_, err := c.signIn(ctx)
	return err
}

// signIn returns the connection's session. Servers let an account sign in 30
// times in five minutes, and 300 times a day.
func (c *connection) signIn(ctx context.Context) (session, error) {
	select {
	case c.gate <- struct{}{}:
		defer func() { <-c.gate }()
	case <-ctx.Done():
		return session{}, &fanfare.SendError{Fate: fanfare.FateDeferred, Reason: "Bluesky was not asked in time.", Cause: ctx.Err()}
	}
	if c.signed.Token != "" {
		return c.signed, nil
	}
	var s session
	err := c.api.Do(ctx, rest.Call{
		Method: http.MethodPost, Path: "/xrpc/com.atproto.server.createSession", Answer: &s,
		Body: map[string]string{"identifier": c.identifier, "password": c.password},
	})
	if err != nil {
		return session{}, err
	}
	if s.DID == "" || s.Token == "" {
		return session{}, &fanfare.SendError{Fate: fanfare.FateHalted, Reason: "Bluesky did not answer as expected; check the server's address."}
	}
	c.signed = s
	return s, nil
}

// as is the API for who has signed in.
func (c *connection) as(s session) rest.API {
	api := c.api
	api.Clean = api.Clean.And(s.Token)
	api.Authorize = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+s.Token) }
	return api
}

// Send implements fanfare.Connection. The id is the post's at:// address.
func (c *connection) Send(ctx context.Context, m fanfare.Outgoing) (string, error) {
	text, err := compose(m.Content)
	if err != nil {
		return "", err
	}
	key, err := recordKey(m.ID)
	if err != nil {
		return "", &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "No key of a post can be made of this delivery.", Cause: err}
	}
	s, err := c.signIn(ctx)
	if err != nil {
		return "", err
	}
	var created struct{ URI string }
	call := create(s.DID, key, text, time.Now())
	call.Answer = &created
	uri := ""
	if err = c.as(s).Do(ctx, call); err == nil {
		uri, err = rest.Named(name, created.URI)
	}
	if err != nil {
		return c.look(ctx, s, key, err)
	}
	return uri, nil
}

// look finds out whether a post that failed is there all the same: it was taken,
// or an earlier attempt has brought it and the server refuses a second.
func (c *connection) look(ctx context.Context, s session, key string, failed error) (string, error) {
	e, ok := errors.AsType[*fanfare.SendError](failed)
	if !ok || e.Fate != fanfare.FateUnknown && e.Fate != fanfare.FateRefused {
		return "", failed
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastLook)
	defer cancel()
	if uri, err := c.find(ctx, s, key); err == nil && uri != "" {
		return uri, nil
	}
	return "", failed
}

// Ask implements fanfare.Connection: it reads the record.
func (c *connection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	unknown := fanfare.Answer{State: fanfare.AnswerUnknown}
	key, err := recordKey(m.ID)
	if err != nil {
		return unknown, nil
	}
	s, err := c.signIn(ctx)
	if err != nil {
		return unknown, err
	}
	uri, err := c.find(ctx, s, key)
	switch {
	case err != nil:
		return unknown, err
	case uri == "":
		return fanfare.Answer{State: fanfare.AnswerRepeat}, nil
	default:
		return fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: uri}, nil
	}
}

// find returns the address of the record with the key, "" if there is none.
func (c *connection) find(ctx context.Context, s session, key string) (string, error) {
	query := url.Values{"repo": {s.DID}, "collection": {collection}, "rkey": {key}}
	var found struct{ URI string }
	err := c.as(s).Do(ctx, rest.Call{Method: http.MethodGet, Path: "/xrpc/com.atproto.repo.getRecord", Query: query, Answer: &found})
	if answered, ok := errors.AsType[*rest.StatusError](err); ok && problemOf(answered.Body).Error == "RecordNotFound" {
		return "", nil
	}
	return found.URI, err
}

// Fits implements fanfare.Fitter.
func (c *connection) Fits(_ context.Context, content fanfare.Content) error {
	_, err := compose(content)
	return err
}

// Preview implements fanfare.Connection.
func (c *connection) Preview(_ context.Context, m fanfare.Outgoing) ([]fanfare.OutgoingRequest, error) {
	text, err := compose(m.Content)
	if err != nil {
		return nil, err
	}
	key, err := recordKey(m.ID)
	if err != nil {
		return nil, err
	}
	return c.api.Preview(create(c.identifier, key, text, time.Now()))
}

// compose writes a post within Bluesky's limits.
func compose(content fanfare.Content) (string, error) {
	text, err := social.Compose(content)
	if err != nil {
		return "", err
	}
	if n := social.Length(text); n > maxCharacters {
		return "", social.TooLong(name, n, maxCharacters)
	}
	if len(text) > maxBytes {
		return "", &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "Bluesky takes posts of at most 3,000 bytes, and this one has more."}
	}
	return text, nil
}
