package fanfare

import (
	"context"
	"log/slog"
	"time"
)

// IntegrationStatus says whether a user's connection to a provider works.
type IntegrationStatus string

// The states of an integration. One is disconnected until it was tested.
const (
	IntegrationDisconnected IntegrationStatus = "disconnected"
	IntegrationConnected    IntegrationStatus = "connected"
	IntegrationError        IntegrationStatus = "error"
)

// Integration is a user's connection to a provider. It names the credentials
// that are stored and never holds their values.
type Integration struct {
	ID               string            `json:"id" format:"uuid"`
	UserID           string            `json:"-"`
	Name             string            `json:"name" doc:"The provider's" example:"SMTP"`
	Type             Channel           `json:"type"`
	Status           IntegrationStatus `json:"status" enum:"disconnected,connected,error"`
	LastSync         *time.Time        `json:"lastSync" doc:"When the provider last answered a test; null before that"`
	CredentialFields []string          `json:"credentialFields" nullable:"false" doc:"The names of what is stored, never a value"`
	CreatedAt        time.Time         `json:"createdAt"`
	UpdatedAt        time.Time         `json:"updatedAt"`
}

// Provider is somebody whom messages can be handed to.
type Provider struct {
	Name             string            `json:"name" example:"SMTP"`
	Type             Channel           `json:"type"`
	CredentialFields []CredentialField `json:"credentialFields" nullable:"false"`
	Description      string            `json:"description" doc:"What a launch does"`
	VerifiedAgainst  Verification      `json:"verifiedAgainst" enum:"real,contract" doc:"real: the tests run against a server that others wrote; contract: against one made from the provider's documentation"`
	// Broadcast says that the provider knows the recipients: a launch hands it
	// one message, for all of them.
	Broadcast bool `json:"-"`
}

// CredentialField is one value that a provider needs.
type CredentialField struct {
	Name     string `json:"name" example:"password"`
	Label    string `json:"label" example:"Password"`
	Secret   bool   `json:"secret" doc:"Whether to hide it while it is typed"`
	Required bool   `json:"required"`
}

// Verification says what a provider's connector was tested against.
type Verification string

// The two kinds of verification.
const (
	VerifiedReal     Verification = "real"
	VerifiedContract Verification = "contract"
)

// Credentials are what a provider wants to see of a user, by field. They print
// as nothing: only a connector reads them.
type Credentials map[string]string

// String implements fmt.Stringer.
func (Credentials) String() string { return "[credentials]" }

// GoString implements fmt.GoStringer.
func (Credentials) GoString() string { return "[credentials]" }

// LogValue implements slog.LogValuer.
func (Credentials) LogValue() slog.Value { return slog.StringValue("[credentials]") }

// Sealed are credentials as they are stored: encrypted, and of use only for
// the user and the integration that they were sealed for.
type Sealed struct {
	KeyID string // names the key, and tells nothing of it
	Box   []byte
	// Stale says that an access token among them, if one is, has to be renewed
	// before it is used. It is read only.
	Stale bool
}

// Connections opens the integrations of users.
type Connections interface {
	// Connect opens a user's integration, to be closed after use. Nothing is
	// sent yet. CodeNotFound if there is none.
	Connect(ctx context.Context, userID, integrationID string) (Connection, error)
}

// Connection is an integration in use. Its methods may be called from several
// goroutines; each gives up when its context is done, and after a time of its
// own at the latest.
type Connection interface {
	Provider() Provider
	// Test makes the provider's cheapest call that shows whether the
	// credentials are good. Its error is a *SendError.
	Test(ctx context.Context) error
	// Send hands a message over, once: it repeats nothing whose fate it can't
	// tell. It returns the provider's id for the message, if there is one. Its
	// error is a *SendError; any other counts as FateUnknown.
	Send(ctx context.Context, m Outgoing) (providerID string, err error)
	// Ask finds out what became of a message whose sending was cut off.
	Ask(ctx context.Context, m Outgoing) (Answer, error)
	// Preview returns the requests that Send would make, without credentials.
	Preview(ctx context.Context, m Outgoing) ([]OutgoingRequest, error)
	// Parallel is how many messages it can be handing over at once; more only
	// wait inside it.
	Parallel() int
	// Rate is how many messages a second may be sent, by all processes
	// together; 0 for no limit.
	Rate() float64
	Close() error
}

// Fitter is a Connection whose provider takes less than its channel's rules
// allow, such as shorter posts only. A launch asks before anything goes out, on
// any channel: a post is never cut, and somebody has to shorten it.
type Fitter interface {
	// Fits refuses content that the provider would not take, by a *SendError of
	// FateRefused. It sends nothing, and may ask the provider for its limits.
	Fits(ctx context.Context, c Content) error
}
