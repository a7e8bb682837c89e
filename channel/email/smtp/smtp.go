// Package smtp hands messages to a mail server (RFC 5321), as its user.
//
// SMTP has no way to ask what became of a message: where the connection breaks
// after the message and before the server's answer, the outcome is unknown.
//
// # Credentials
//
// Whoever runs the mail server names its host, its port, and a user and password
// for submission (RFC 6409). The sender is an address that this user may send
// from. TLS is demanded: at once on port 465, by STARTTLS on 587 and 25. Where
// ALLOW_PRIVATE_HOSTS is set, for a server of one's own, user name and password may
// be left out.
package smtp

import (
	"net"
	"net/mail"
	"strconv"
	"strings"
	"unicode"

	"fanfare"
	"fanfare/channel/connector"
)

const (
	hostField     = "host"
	portField     = "port"
	usernameField = "username"
	passwordField = "password"
	fromField     = "from"
)

// Connector connects to mail servers.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches servers by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector. A server that nobody else can reach
// may know no users, so where private hosts are allowed both username and
// password may be left out.
func (s *Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: "SMTP",
		Type: fanfare.Email,
		CredentialFields: []fanfare.CredentialField{
			{Name: hostField, Label: "Server", Required: true},
			{Name: portField, Label: "Port (465, 587 or 25)", Required: true},
			{Name: usernameField, Label: "User name", Required: !s.outside.AllowPrivate},
			{Name: passwordField, Label: "Password", Secret: true, Required: !s.outside.AllowPrivate},
			{Name: fromField, Label: "Sender's address", Required: true},
			connector.RateCredential(),
		},
		Description:     "Sends a message of its own to each recipient through your mail server, over TLS, as HTML and as plain text, with a link to unsubscribe.",
		VerifiedAgainst: fanfare.VerifiedReal,
	}
}

// Check implements connector.Connector.
func (s *Connector) Check(c fanfare.Credentials) error {
	err := connector.CheckFields(s.Provider(), c, map[string]connector.Rule{
		hostField: wrongHost, portField: wrongPort, fromField: connector.WrongAddress,
	})
	if err != nil {
		return err
	}
	switch {
	case c[usernameField] == "" && c[passwordField] != "":
		return fanfare.Invalid("credentials.username", "is missing")
	case c[usernameField] != "" && c[passwordField] == "":
		return fanfare.Invalid("credentials.password", "is missing")
	default:
		return nil
	}
}

func wrongHost(host string) string {
	const longest = 253 // characters of a name in the DNS (RFC 1035, 2.3.4)
	literal := net.ParseIP(strings.Trim(host, "[]")) != nil
	if len(host) > longest || !literal && strings.ContainsFunc(host, notInHost) {
		return "must be the name of a host, such as smtp.example.com, without a port"
	}
	return ""
}

func notInHost(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '-' && r != '.' && r != '_'
}

func wrongPort(port string) string {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "must be a number from 1 to 65535"
	}
	return ""
}

// Open implements connector.Connector.
func (s *Connector) Open(c fanfare.Credentials) (fanfare.Connection, error) {
	from, err := mail.ParseAddress(c[fromField])
	if err != nil {
		return nil, fanfare.Invalid("credentials.from", "must be an e-mail address")
	}
	return newConnection(s.Provider(), s.outside, c, from), nil
}
