package ses

import (
	"context"
	"errors"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sesv2"
	"github.com/aws/aws-sdk-go-v2/service/sesv2/types"

	"fanfare"
	"fanfare/channel/email"
)

// Test reads the account, and looks for the sender's identity. An account in the
// sandbox is refused: SES would take what goes to the account's own addresses
// only.
func (c *connection) Test(ctx context.Context) error {
	var account *sesv2.GetAccountOutput
	err := c.do(ctx, false, func(ctx context.Context) (err error) {
		account, err = c.client.GetAccount(ctx, &sesv2.GetAccountInput{})
		return err
	})
	switch {
	case err != nil:
		return err
	case !account.SendingEnabled:
		return c.unusable("Sending is disabled for the account in this region; Amazon SES says why in its console.")
	case !account.ProductionAccessEnabled:
		return c.unusable("The account is in the sandbox in this region: request production access in the console of Amazon SES.")
	}
	return c.verified(ctx)
}

func (c *connection) unusable(why string) error {
	return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: c.clean.Clean(why)}
}

// verified looks for an identity that covers the sender: its address, its domain,
// or a domain above that one.
func (c *connection) verified(ctx context.Context) error {
	from, err := email.OnWire(c.from)
	if err != nil {
		return c.unusable("The sender is no address that mail can come from.")
	}
	for identity := from.Address; strings.Contains(identity, "."); identity = above(identity) {
		usable, err := c.mayUse(ctx, identity)
		if usable || err != nil {
			return err
		}
	}
	return c.unusable("The sender is no verified identity in this region: neither its address nor its domain.")
}

// above is the domain of an address, or the one above a domain.
func above(identity string) string {
	if _, domain, ok := strings.Cut(identity, "@"); ok {
		return domain
	}
	_, domain, _ := strings.Cut(identity, ".")
	return domain
}

func (c *connection) mayUse(ctx context.Context, identity string) (usable bool, err error) {
	err = c.do(ctx, false, func(ctx context.Context) error {
		found, err := c.client.GetEmailIdentity(ctx, &sesv2.GetEmailIdentityInput{EmailIdentity: &identity})
		if _, missing := errors.AsType[*types.NotFoundException](err); missing {
			return nil
		}
		usable = err == nil && found.VerifiedForSendingStatus
		return err
	})
	return usable, err
}
