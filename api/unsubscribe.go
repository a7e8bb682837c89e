package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"fanfare"
)

type suppressionStore interface {
	// SuppressRecipient reports whether the address was not suppressed before.
	SuppressRecipient(ctx context.Context, userID string, channel fanfare.Channel, address, reason string) (bool, error)
	Suppressed(ctx context.Context, userID string, channel fanfare.Channel, address string) (bool, error)
}

type unsubscribeInput struct {
	Token string `path:"token" doc:"From a message's link or its List-Unsubscribe header"`
}

// askToUnsubscribe changes nothing: mail systems open the links of messages to
// look for malware (RFC 8058, section 1), and nobody has asked for anything then.
func (s *Server) askToUnsubscribe(_ context.Context, in *unsubscribeInput) (*pageOutput, error) {
	_, channel, address, ok := s.Tokens.ReadUnsubscribe(in.Token)
	if !ok {
		return s.leaving.unknown()
	}
	return s.leaving.show(http.StatusOK, leavingText{
		Title: "Unsubscribe?",
		Text:  masked(address) + " will get no more " + messages(channel) + " from this sender.",
		Asks:  true,
	})
}

// unsubscribe does not look at the body: a provider's one-click request and the
// page's button send the same, and who posts to the link has meant it.
func (s *Server) unsubscribe(ctx context.Context, in *unsubscribeInput) (*pageOutput, error) {
	userID, channel, address, ok := s.Tokens.ReadUnsubscribe(in.Token)
	if !ok {
		return s.leaving.unknown()
	}
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		added, err := s.Store.SuppressRecipient(ctx, userID, fanfare.Channel(channel), address, fanfare.Unsubscribed)
		if err != nil || !added {
			return err
		}
		// The record is the sender's: it tells nothing of who the recipient is,
		// or from where they came.
		return s.Store.Audit(ctx, fanfare.AuditRecord{
			UserID: userID, Action: fanfare.ActionRecipientSuppress,
			Metadata: map[string]any{"channel": channel, "reason": fanfare.Unsubscribed},
		})
	})
	if err != nil {
		return nil, err
	}
	return s.leaving.show(http.StatusOK, leavingText{
		Title: "You are unsubscribed",
		Text:  masked(address) + " will get no more " + messages(channel) + " from this sender.",
	})
}

// masked shows whose address it is to who knows it, and not to who looks on.
func masked(address string) string {
	const dots = "•••"
	if local, domain, isEmail := strings.Cut(address, "@"); isEmail {
		return string([]rune(local)[:1]) + dots + "@" + domain
	}
	return address[:3] + dots + address[len(address)-2:] // + and digits
}

func messages(channel string) string {
	if fanfare.Channel(channel) == fanfare.SMS {
		return "text messages"
	}
	return "e-mail"
}

//go:embed unsubscribe.html
var leavingHTML string

// leavingPage is the page that unsubscribe links lead to. It loads nothing.
type leavingPage struct {
	template *template.Template
	policy   string
}

type leavingText struct {
	Title, Text string
	Asks        bool
}

func newLeavingPage() leavingPage {
	_, rest, _ := strings.Cut(leavingHTML, "<style>")
	style, _, _ := strings.Cut(rest, "</style>")
	digest := sha256.Sum256([]byte(style))
	return leavingPage{
		template: template.Must(template.New("unsubscribe").Parse(leavingHTML)),
		policy: fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			base64.StdEncoding.EncodeToString(digest[:])),
	}
}

// pageOutput is an answer for a person's eyes, not to be kept by anyone between.
type pageOutput struct {
	Status       int
	ContentType  string `header:"Content-Type"`
	Policy       string `header:"Content-Security-Policy"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte
}

func (p leavingPage) show(status int, text leavingText) (*pageOutput, error) {
	var page bytes.Buffer
	if err := p.template.Execute(&page, text); err != nil {
		return nil, fmt.Errorf("making the page for unsubscribing: %w", err)
	}
	return &pageOutput{
		Status: status, ContentType: "text/html; charset=utf-8", Policy: p.policy, CacheControl: uncached, Body: page.Bytes(),
	}, nil
}

func (p leavingPage) unknown() (*pageOutput, error) {
	return p.show(http.StatusNotFound, leavingText{
		Title: "This link does not work",
		Text:  "It is not whole, or it is not one of ours. Open it from the message again, or copy all of it.",
	})
}
