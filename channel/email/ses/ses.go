// Package ses sends e-mail by Amazon SES. It is written from
// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html,
// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html,
// https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html and
// https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html.
//
// SES takes no key of ours for a message, and can't be asked for one of whose id
// nobody heard: an outcome that is in doubt is unknown. The client is Amazon's
// own, with its repetitions turned off: it would send a message again after a
// break.
//
// # Credentials
//
// An access key is made in AWS's console, IAM, for a user whose policy allows
// ses:SendEmail, ses:GetAccount and ses:GetEmailIdentity. The sender's address
// or domain is verified in the console of SES, and production access requested
// there, in the very region that is given here. Set ratePerSecond to the
// account's sending rate, which the console shows.
package ses

import (
	"cmp"
	"context"
	"net/mail"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sesv2"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/rest"
)

const (
	name        = "Amazon SES"
	regionField = "region"
	keyField    = "accessKeyId"
	secretField = "secretAccessKey"
	fromField   = "from"
	setField    = "configurationSet"

	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

// Connector connects to Amazon SES.
type Connector struct{ outside connector.Outside }

// New returns a connector that reaches Amazon SES by way of outside.
func New(outside connector.Outside) *Connector { return &Connector{outside} }

// Provider implements connector.Connector.
func (*Connector) Provider() fanfare.Provider {
	return fanfare.Provider{
		Name: name,
		Type: fanfare.Email,
		CredentialFields: []fanfare.CredentialField{
			{Name: regionField, Label: "Region, such as eu-central-1", Required: true},
			{Name: keyField, Label: "Access key ID of an IAM user", Required: true},
			{Name: secretField, Label: "Secret access key", Secret: true, Required: true},
			{Name: fromField, Label: "Sender's address, of an identity that is verified in the region", Required: true},
			{Name: setField, Label: "Configuration set, by which SES reports what became of messages"},
			connector.RateCredential(),
		},
		Description:     "Sends a message of its own to each recipient by your Amazon SES account, as HTML and as plain text, with a link to unsubscribe.",
		VerifiedAgainst: fanfare.VerifiedContract,
	}
}

// Check implements connector.Connector.
func (c *Connector) Check(credentials fanfare.Credentials) error {
	return connector.CheckFields(c.Provider(), credentials, map[string]connector.Rule{
		regionField: wrongRegion, keyField: wrongKey, fromField: connector.WrongAddress, setField: wrongSet,
	})
}

// wrongRegion looks at what becomes part of a host's name.
func wrongRegion(region string) string {
	const longest = 32
	if len(region) > longest || !strings.Contains(region, "-") || strings.Trim(region, lower+digits+"-") != "" || strings.Trim(region, "-") != region {
		return "must be a region's code, such as eu-central-1"
	}
	return ""
}

// wrongKey keeps out temporary keys, which begin with ASIA: they expire within
// hours (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html).
func wrongKey(id string) string {
	if len(id) < 16 || len(id) > 128 || !strings.HasPrefix(id, "AKIA") || strings.Trim(id, upper+digits) != "" {
		return "must be a user's access key ID, which begins with AKIA"
	}
	return ""
}

func wrongSet(set string) string {
	const longest = 64
	if len(set) > longest || strings.Trim(set, lower+upper+digits+"-_") != "" {
		return "must be a configuration set's name: letters, digits, - and _"
	}
	return ""
}

// Open implements connector.Connector.
func (c *Connector) Open(credentials fanfare.Credentials) (fanfare.Connection, error) {
	from, err := mail.ParseAddress(credentials[fromField])
	if err != nil {
		return nil, fanfare.Invalid("credentials.from", "must be an e-mail address")
	}
	key := aws.Credentials{AccessKeyID: credentials[keyField], SecretAccessKey: credentials[secretField]}
	options := sesv2.Options{
		Region: credentials[regionField], HTTPClient: c.outside.HTTP, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return key, nil }),
	}
	if base := c.outside.BaseURLs[name]; base != "" {
		options.BaseEndpoint = &base
	}
	return &connection{
		provider: c.Provider(), rate: connector.Rate(credentials), from: from, set: credentials[setField], client: sesv2.New(options),
		patience: cmp.Or(c.outside.Patience, rest.Patience), clean: connector.NewRedactor(key.SecretAccessKey, key.AccessKeyID),
	}, nil
}
