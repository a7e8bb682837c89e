// Package conformance holds every connector to the same: what may be said of a
// message that was not sent, that none is sent twice, and that no credential
// gets out. A connector's test hands Run a stand-in for the provider.
package conformance

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"fanfare"
	"fanfare/channel/connector"
)

// Behaviour is how a provider takes the next messages.
type Behaviour string

// The behaviours. Where a provider answers at all it quotes all credentials
// that it was shown.
const (
	Takes              Behaviour = "takes"
	Refuses            Behaviour = "refuses"             // this message, for good
	RateLimits         Behaviour = "rate limits"         // and says when to come back, if it has a way to
	RejectsCredentials Behaviour = "rejects credentials" // as if they were wrong
	StallsBefore       Behaviour = "stalls before"       // answers nothing, and has not taken the message
	StallsAfter        Behaviour = "stalls after"        // answers nothing, and has taken it
	BreaksBefore       Behaviour = "breaks before"       // the connection, without having taken the message
	BreaksAfter        Behaviour = "breaks after"        // the connection, having taken it
)

// Peer stands in for a provider.
type Peer interface {
	// Outside reaches the stand-in.
	Outside() connector.Outside
	// Credentials are good ones, with a canary in each field that is secret.
	Credentials() fanfare.Credentials
	Behave(b Behaviour)
	// Stalled gets something each time that a stall begins.
	Stalled() <-chan struct{}
	// Taken is how many messages it took in all.
	Taken() int
}

// Case is a connector and what to expect of it.
type Case struct {
	New     func(connector.Outside) connector.Connector
	Peer    func(t *testing.T) Peer
	Message fanfare.Outgoing
	// Canaries are what must not get out, beside the fields that are secret.
	Canaries []string
	// AnswerTaken is what Ask says of a message that was taken, once the
	// provider answers again.
	AnswerTaken fanfare.AnswerState
	// AnswerNothing is what Ask says of a message that was never sent; "" for
	// AnswerUnknown.
	AnswerNothing fanfare.AnswerState
	// TooMuch is content that the provider would not take; nil if it takes all
	// that its channel's rules allow.
	TooMuch *fanfare.Content
	// OneRequest says that a message is one request, so nobody can tell
	// StallsBefore from StallsAfter.
	OneRequest bool
	// RetryAfter is what RateLimits makes of it, to the second.
	RetryAfter time.Duration
}

const (
	shortPatience = 500 * time.Millisecond // to be waited out
	longPatience  = time.Minute            // not to be
)

// Run tests a connector.
func Run(t *testing.T, c Case) {
	for _, check := range []struct {
		name string
		run  func(*trial)
	}{
		{"checks credentials", (*trial).checksCredentials},
		{"tests", (*trial).tests},
		{"previews without sending", (*trial).previews},
		{"sends", (*trial).sends},
		{"sends from many goroutines", (*trial).sendsAtOnce},
		{"is refused", (*trial).isRefused},
		{"is told too much", (*trial).isTooMuch},
		{"is limited", (*trial).isLimited},
		{"has bad credentials", (*trial).hasBadCredentials},
		{"waits in vain before", (*trial).waitsInVainBefore},
		{"waits in vain after", (*trial).waitsInVainAfter},
		{"is cut off before", (*trial).isCutOffBefore},
		{"is cut off after", (*trial).isCutOffAfter},
		{"is told nothing", (*trial).isToldNothing},
		{"is canceled before", (*trial).isCanceledBefore},
		{"is canceled after", (*trial).isCanceledAfter},
		{"is not begun", (*trial).isNotBegun},
		{"asks for what was never sent", (*trial).asksForNothing},
	} {
		t.Run(check.name, func(t *testing.T) {
			trial := &trial{T: t, Case: c, peer: c.Peer(t)}
			trial.listenToLog()
			check.run(trial)
			trial.findCanaries()
		})
	}
}

// trial is one check of a connector, with all that it said.
type trial struct {
	*testing.T
	Case
	peer Peer
	mu   sync.Mutex
	said []string
	log  lockedBuffer
}

// lockedBuffer may be written by several goroutines.
type lockedBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

func (t *trial) listenToLog() {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&t.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// hear keeps what the connector said, for findCanaries.
func (t *trial) hear(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.said = append(t.said, text)
}

func (t *trial) findCanaries() {
	t.Helper()
	canaries := append([]string(nil), t.Canaries...)
	credentials := t.peer.Credentials()
	for _, field := range t.connector(longPatience).Provider().CredentialFields {
		if field.Secret {
			canaries = append(canaries, credentials[field.Name])
		}
	}
	for _, text := range append(t.said, t.log.String()) {
		for _, canary := range canaries {
			if canary == "" || strings.Contains(strings.ToLower(text), strings.ToLower(canary)) {
				t.Errorf("the canary %q got out: %s", canary, text)
			}
		}
	}
}

func (t *trial) connector(patience time.Duration) connector.Connector {
	outside := t.peer.Outside()
	outside.Patience = patience
	return t.New(outside)
}

// open connects with good credentials.
func (t *trial) open(patience time.Duration) fanfare.Connection {
	t.Helper()
	return t.connect(t.connector(patience))
}

func (t *trial) connect(c connector.Connector) fanfare.Connection {
	t.Helper()
	connection, err := c.Open(t.peer.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := connection.Close(); err != nil {
			t.Error(err)
		}
	})
	return connection
}

// send sends a message that must go through.
func (t *trial) send(connection fanfare.Connection, m fanfare.Outgoing) {
	t.Helper()
	id, err := connection.Send(context.WithoutCancel(t.Context()), m)
	if err != nil || id == "" {
		t.Errorf("Send(%s) = %q, %v", m.ID, id, err)
	}
	t.hear(id)
}

func (t *trial) wantTaken(want int) {
	t.Helper()
	if got := t.peer.Taken(); got != want {
		t.Errorf("the provider took %d messages, want %d", got, want)
	}
}
