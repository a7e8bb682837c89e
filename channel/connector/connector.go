// Package connector is what a provider's connector is made of. A provider is a
// folder beside the others of its channel, with a type that implements
// Connector, and a line in the table of package channel.
//
// To add one, copy the folder that is most like it, with its test:
//
//   - email/postmark, for an HTTP API that takes a message for each recipient;
//   - social/discord, for one that takes a post once (Provider.Broadcast);
//   - email/ses or social/slack, where a client library that is kept takes our
//     http.Client and a context, sends nothing twice by itself, and lets one tell
//     a refusal from a server that failed. Otherwise package rest is less work:
//     API.Do finds an error's fate by the status (rest.FateOf); Judge is for what the
//     status does not tell, and ComeBack for headers other than Retry-After.
//
// What there is to each:
//
//   - Provider names the provider, its credential fields and what a launch does.
//   - Check uses CheckFields for what all fields have in common, and looks at
//     what is special in its own: above all at what becomes part of an address.
//   - Open returns a fanfare.Connection that reaches the world by Outside alone:
//     its HTTP, its BaseURLs[name] in place of the provider's address, its Patience.
//   - A secret that stands in the address belongs into API.BaseURL, not into
//     Call.Path, which errors quote; Preview shows a base without it
//     (social/discord). NewRedactor gets the whole secret, and each part of it that
//     is one by itself.
//   - Test makes a call that takes the same rights as Send and sends nothing.
//     Preview asks nobody and shows no credential.
//   - An id that is a number is checked for 0 before rest.Named: an answer that
//     says nothing must not look like a success.
//   - Every error of the connection is a *fanfare.SendError, whose reason went
//     through a Redactor, the recipient's address taken out too. The fate is what
//     matters: FateUnknown wherever the provider may have taken the message, and
//     only there. FateUnauthorized is for what every message would meet.
//   - Ask looks for a message by the delivery's id, if the provider was told it.
//     AnswerRepeat is for a provider that sends nothing twice, however long ago it
//     took the first; Outgoing.Again helps with one that forgets (email/resend).
//     Otherwise it says AnswerUnknown and asks nobody.
//   - If the provider takes less than the channel's rules allow, the connection
//     is a fanfare.Fitter too, so that a launch is refused before anything is sent.
//     It counts as the provider does; social.Length counts as a reader does.
//   - Its doc comment names the pages it was written from, says whether what
//     became of a message can be asked and, under the heading Credentials, how to
//     get them. docs/connectors.md is made of that: make connectors.
//   - Its test hands a stand-in for the provider to conformance.Run (OneRequest
//     where Send is one request, RetryAfter if the provider says when to come
//     back), and says what is sent and what each of the provider's errors means.
//     VerifiedReal is for one that is tested against a server that others wrote,
//     too: make test-peers.
//
// Then add it to the table of channel.New, to the list in that package's test, and
// to CHANGELOG.md.
package connector

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"strings"
	"time"

	"fanfare"
)

// Connector opens connections to one provider. It holds no connection itself
// and may be used from several goroutines.
type Connector interface {
	Provider() fanfare.Provider
	// Check refuses credentials that can't be right, without asking anybody.
	// Its error is a *fanfare.Error that names the field, and no value.
	Check(c fanfare.Credentials) error
	// Open prepares a connection for credentials that passed Check. It sends
	// nothing.
	Open(c fanfare.Credentials) (fanfare.Connection, error)
}

// Renewer is a Connector whose access tokens end while its user is away, and
// can be renewed (OAuth 2.0). Whoever renews keeps what comes back before
// anything is done with it: it may be the only copy of what the next renewal
// needs.
type Renewer interface {
	// Renews reports whether the credentials hold what a renewal needs.
	Renews(c fanfare.Credentials) bool
	// Renew asks the provider for a new access token. It returns the credentials
	// with what has changed in them, and for how long they are good. Its error is
	// a *fanfare.SendError: FateUnauthorized if no later attempt helps.
	Renew(ctx context.Context, c fanfare.Credentials) (fanfare.Credentials, time.Duration, error)
}

// Outside is all that a connector may reach the world with.
type Outside struct {
	// AllowPrivate says that private hosts may be talked to, and without TLS.
	AllowPrivate bool
	// PublicURL is where people reach us, without a slash at its end.
	PublicURL string
	// Dial opens a TCP connection where that is allowed.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// HTTP dials with Dial, and follows no redirects.
	HTTP *http.Client
	// Roots are the authorities that certificates may come from; nil for the
	// system's.
	Roots *x509.CertPool
	// BaseURLs replaces the addresses of providers' APIs, by the provider's
	// name: for tests. HTTP has to be able to reach them.
	BaseURLs map[string]string
	// Patience is how long to wait for an answer; 0 for the connector's own
	// choice.
	Patience time.Duration
}

// Host is the name under which people reach us; "localhost" without one.
func (o Outside) Host() string {
	_, rest, _ := strings.Cut(o.PublicURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if host == "" || net.ParseIP(strings.Trim(host, "[]")) != nil {
		return "localhost"
	}
	return host
}
