package smtp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"time"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
)

// step is how far a conversation with a server has come.
type step int

const (
	connecting step = iota
	greeting
	securing
	signingIn
	namingSender
	namingRecipient
	announcing // the DATA command
	writing    // the message, up to what ends it
	ending     // from the line that ends the message to the server's answer
)

// comeBack is how long to leave a server alone that closes its doors (421): it
// does not say itself.
const comeBack = 10 * time.Second

const (
	codeClosing       = 421
	codeAuthRequired  = 530
	codeAuthTooWeak   = 534
	codeAuthFailed    = 535
	codeAuthEncrypted = 538
)

func (s step) String() string {
	return [...]string{
		connecting: "connecting", greeting: "greeting", securing: "starting TLS", signingIn: "signing in",
		namingSender: "MAIL", namingRecipient: "RCPT", announcing: "DATA", writing: "the message", ending: "the message's end",
	}[s]
}

// failure is what went wrong at a step.
type failure struct {
	at  step
	err error
}

// refusal is what the server said, if it said something.
func (f *failure) refusal() (*textproto.Error, bool) { return errors.AsType[*textproto.Error](f.err) }

// fate is what follows for the message. It is in doubt only from the moment
// when its end goes out until the server's answer to that, which is the server's
// word that it takes charge of it, or does not (RFC 5321, 4.2.5 and 6.1).
func (f *failure) fate() fanfare.Fate {
	refusal, refused := f.refusal()
	switch {
	case f.at == ending && (!refused || refusal.Code < 400 || refusal.Code > 599):
		return fanfare.FateUnknown
	case errors.Is(f.err, errNoSignIn), errors.Is(f.err, errNoTLS), isBlocked(f.err):
		return fanfare.FateUnauthorized // no later attempt finds another host
	case errors.Is(f.err, errNoUTF8):
		return fanfare.FateRefused
	case !refused && f.at <= signingIn:
		return fanfare.FateHalted
	case !refused:
		return fanfare.FateDeferred
	case refusal.Code == codeClosing:
		return fanfare.FateHalted
	case f.unauthorized(refusal.Code):
		return fanfare.FateUnauthorized
	case f.at <= signingIn:
		return fanfare.FateHalted
	case refusal.Code >= 500:
		return fanfare.FateRefused
	default:
		return fanfare.FateDeferred
	}
}

func (f *failure) unauthorized(code int) bool {
	switch code {
	case codeAuthRequired, codeAuthTooWeak, codeAuthFailed, codeAuthEncrypted:
		return f.at >= signingIn && f.at < ending
	default:
		return f.at == signingIn && code >= 500
	}
}

// sendError puts it in words. Only the reason quotes the server, cleaned; the
// cause goes to logs, where no recipient belongs.
func (f *failure) sendError(clean connector.Redactor) *fanfare.SendError {
	e := &fanfare.SendError{Fate: f.fate(), Cause: fmt.Errorf("%s: %w", f.at, f.err)}
	refusal, refused := f.refusal()
	if !refused {
		e.Reason = clean.Clean(f.sentence())
		return e
	}
	e.Cause = fmt.Errorf("%s: code %d", f.at, refusal.Code)
	e.Reason = clean.Clean(fmt.Sprintf("The mail server answered %d to %s: %s", refusal.Code, f.what(), refusal.Msg))
	if refusal.Code == codeClosing && e.Fate == fanfare.FateHalted {
		e.RetryAfter = comeBack
	}
	return e
}

// what is what the server answered to, in a person's words.
func (f *failure) what() string {
	return [...]string{
		connecting: "the connection", greeting: "the greeting", securing: "the wish for TLS", signingIn: "the user name and password",
		namingSender: "the sender", namingRecipient: "the recipient", announcing: "the message", writing: "the message", ending: "the message",
	}[f.at]
}

// isBlocked tells a host that may not be reached from here.
func isBlocked(err error) bool {
	_, blocked := errors.AsType[*egress.BlockedError](err)
	return blocked
}

// sentence is for what the server did not say itself.
func (f *failure) sentence() string {
	blocked := isBlocked(f.err)
	_, unknownHost := errors.AsType[*net.DNSError](f.err)
	_, badCertificate := errors.AsType[*tls.CertificateVerificationError](f.err)
	switch {
	case f.at == ending:
		return "The connection to the mail server broke before it said whether it took the message."
	case errors.Is(f.err, errNoSignIn):
		return "The mail server offers no way to sign in that is known here (AUTH PLAIN or LOGIN)."
	case errors.Is(f.err, errNoTLS):
		return "The mail server offers no TLS, and nothing is sent without it. Try port 465 or 587."
	case errors.Is(f.err, errNoUTF8):
		return "The mail server takes no addresses with letters beyond ASCII."
	case blocked:
		return "The mail server's host is at a private address, which may not be reached from here."
	case badCertificate:
		return "The mail server's certificate is not one to trust for this host."
	case unknownHost:
		return "The mail server's host has no address; check its name."
	case timedOut(f.err):
		return "The mail server did not answer in time."
	case f.at == connecting:
		return "The mail server can't be reached; check its host and port."
	case f.at == securing:
		return "No TLS connection to the mail server came about; check its port."
	default:
		return "The connection to the mail server broke."
	}
}

func timedOut(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}
