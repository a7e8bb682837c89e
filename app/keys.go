package app

import (
	"context"
	"fmt"
	"io"
	"strings"

	"fanfare/secrets"
	"fanfare/store"
)

// rotationPage is how many credentials are read at once.
const rotationPage = 100

// RotateKeys puts every credential that is not under ENCRYPTION_KEY under it,
// while everything runs. It may be stopped and run again at any time. The error
// names the integrations that could not be read; all others are done.
func (p Process) RotateKeys(ctx context.Context, out io.Writer) error {
	keyring, err := secrets.NewKeyring(p.Config.EncryptionKey, p.Config.EncryptionKeysOld)
	if err != nil {
		return err
	}
	return p.withStore(ctx, func(db *store.Store) error {
		r := rotation{store: db, keyring: keyring}
		err := r.run(ctx)
		_, _ = fmt.Fprintf(out, "Re-encrypted %d credentials under key %s; %d could not be read.\n",
			r.done, keyring.Current(), len(r.unreadable))
		if err != nil {
			return err
		}
		return r.check(ctx)
	})
}

// rotation is one pass over all credentials.
type rotation struct {
	store      *store.Store
	keyring    *secrets.Keyring
	done       int
	unreadable []string // an integration and the reason each
}

func (r *rotation) run(ctx context.Context) error {
	var after *store.SealedIntegration
	for {
		page, err := r.store.SealedNotUnder(ctx, r.keyring.Current(), after, rotationPage)
		if err != nil {
			return err
		}
		for _, sealed := range page {
			if err := r.renew(ctx, sealed); err != nil {
				return err
			}
		}
		if len(page) < rotationPage {
			return nil
		}
		after = &page[len(page)-1]
	}
}

// renew leaves alone what can't be read, and what somebody else has changed
// since it was.
func (r *rotation) renew(ctx context.Context, old store.SealedIntegration) error {
	credentials, err := r.keyring.Open(old.UserID, old.ID, old.Sealed)
	if err != nil {
		r.unreadable = append(r.unreadable, fmt.Sprintf("- integration %s: %v", old.ID, err))
		return nil
	}
	renewed, err := r.keyring.Seal(old.UserID, old.ID, credentials)
	if err != nil {
		return err
	}
	done, err := r.store.Reseal(ctx, old.ID, old.Sealed, renewed)
	if done {
		r.done++
	}
	return err
}

// check says what is left under earlier keys, so that nobody drops one of them
// too early.
func (r *rotation) check(ctx context.Context) error {
	left, err := r.store.SealedNotUnder(ctx, r.keyring.Current(), nil, len(r.unreadable)+1)
	if err != nil {
		return err
	}
	if len(r.unreadable) > 0 {
		return fmt.Errorf("some credentials could not be read:\n%s", strings.Join(r.unreadable, "\n"))
	}
	if len(left) > 0 {
		return fmt.Errorf("meanwhile more was encrypted under an earlier key: restart every process with the new ENCRYPTION_KEY, then run this again")
	}
	return nil
}
