package smtp

import (
	"testing"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const recipient = "Canary.Recipient@example.org"

func letter() fanfare.Outgoing {
	return fanfare.Outgoing{
		ID: "0192f0c0-1111-7222-8333-444455556666", Channel: fanfare.Email, Recipient: recipient,
		Content: fanfare.Content{Email: &fanfare.EmailContent{
			Subject: "Straße & 🎉", Preview: "What it is about",
			Body: `<h1>Hello</h1><p>Look <a href="https://shop.example.com/?a=1&amp;b=2">here</a>.</p>`,
		}},
		UnsubscribeURL: "https://fanfare.example.com/u/abc",
	}
}

// peer is a server that the suite can tell what to do.
type peer struct{ *server }

func (p peer) Outside() connector.Outside       { return p.outside() }
func (p peer) Credentials() fanfare.Credentials { return p.credentials() }
func (p peer) Stalled() <-chan struct{}         { return p.stalled }
func (p peer) Taken() int                       { return len(p.received()) }

func (p peer) Behave(b conformance.Behaviour) {
	p.set(map[conformance.Behaviour]map[string]act{
		conformance.Refuses:            {"RCPT": {reply: echo("550") + recipient}},
		conformance.RateLimits:         {"MAIL": {reply: echo("421")}},
		conformance.RejectsCredentials: {"AUTH": {reply: echo("535")}},
		conformance.StallsBefore:       {"RCPT": {stall: true}},
		conformance.StallsAfter:        {"end": {stall: true, take: true}},
		conformance.BreaksBefore:       {"DATA": {cut: true}},
		conformance.BreaksAfter:        {"end": {cut: true, take: true}},
	}[b], false)
}

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return peer{newServer(t)} },
		Message:     letter(),
		Canaries:    []string{username},
		AnswerTaken: fanfare.AnswerUnknown,
		RetryAfter:  comeBack,
	})
}
