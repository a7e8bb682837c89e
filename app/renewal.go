package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"fanfare"
	"fanfare/jobs"
)

const (
	// renewalAsk is how long a provider may take to renew a token. It is asked to
	// the end whatever becomes of the caller: some take the old token away as
	// they make the new one.
	renewalAsk = 10 * time.Second
	// renewalLease is how long one process may be at it: as long as it asks, and
	// then tries to write down what it got.
	renewalLease = 90 * time.Second
	renewalPoll  = 200 * time.Millisecond
	// renewalAhead is how long before its end a token is renewed: longer than a
	// broadcast takes.
	renewalAhead = 10 * time.Minute
)

// current returns an integration's credentials, with an access token that is
// good for a while. One process renews it, others wait until it is there.
func (c connections) current(ctx context.Context, userID, id string) (fanfare.Integration, fanfare.Credentials, error) {
	for {
		r := renewal{connections: c}
		if err := r.read(ctx, userID, id); err != nil {
			return r.integration, nil, err
		}
		if !r.sealed.Stale || !c.registry.Renews(r.integration.Name, r.integration.Type, r.credentials) {
			return r.integration, r.credentials, nil
		}
		mine, err := c.store.BeginRenewal(ctx, id, r.sealed, renewalLease)
		if err == nil && mine {
			err = r.run(context.WithoutCancel(ctx))
		}
		if err != nil {
			return r.integration, nil, err
		}
		if !mine && !waited(ctx, renewalPoll) {
			return r.integration, nil, r.tooLate(ctx)
		}
	}
}

func waited(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// renewal is one look at an integration's credentials, and the renewal of its
// access token.
type renewal struct {
	connections
	integration fanfare.Integration
	sealed      fanfare.Sealed
	credentials fanfare.Credentials
}

func (r *renewal) read(ctx context.Context, userID, id string) (err error) {
	if r.integration, r.sealed, err = r.store.SealedCredentials(ctx, userID, id); err != nil {
		return err
	}
	if r.credentials, err = r.keyring.Open(userID, id, r.sealed); err != nil {
		return fmt.Errorf("opening integration %s: %w", id, err)
	}
	return nil
}

func (r *renewal) tooLate(ctx context.Context) error {
	return &fanfare.SendError{
		Fate: fanfare.FateHalted, Reason: "The access to " + r.integration.Name + " is just being renewed. Try again in a minute.",
		Cause: context.Cause(ctx),
	}
}

// run asks the provider, and writes down what it says. A process that dies in
// between loses the new token; a provider that took the old one away refuses
// the next renewal, which tells of it.
func (r *renewal) run(ctx context.Context) error {
	ask, cancel := context.WithTimeout(ctx, renewalAsk)
	defer cancel()
	renewed, lasts, err := r.registry.Renew(ask, r.integration.Name, r.integration.Type, r.credentials)
	if err != nil {
		return r.failed(ctx, err)
	}
	box, err := r.keyring.Seal(r.integration.UserID, r.integration.ID, renewed)
	if err != nil {
		return err
	}
	_, err = r.write(ctx, func(old fanfare.Sealed) (bool, error) {
		return r.store.KeepRenewal(ctx, r.integration.ID, old, box, lasts-min(renewalAhead, lasts/4))
	})
	return err
}

// failed puts the integration in error if no later renewal can help. A refusal
// counts for nothing where somebody else has renewed meanwhile.
func (r *renewal) failed(ctx context.Context, cause error) error {
	e, ok := errors.AsType[*fanfare.SendError](cause)
	final := ok && e.Fate == fanfare.FateUnauthorized
	done, err := r.write(ctx, func(old fanfare.Sealed) (bool, error) {
		return r.store.FailRenewal(ctx, r.integration.ID, old, final)
	})
	if err != nil || !done {
		return err
	}
	return cause
}

// write writes over the credentials that were read, also where they were put
// under another key meanwhile. It reports whether they were still those.
func (r *renewal) write(ctx context.Context, do func(old fanfare.Sealed) (bool, error)) (done bool, err error) {
	for {
		err = jobs.Persist(ctx, func() (err error) {
			done, err = do(r.sealed)
			return err
		})
		if done || err != nil {
			return done, err
		}
		before := r.credentials
		if err := r.read(ctx, r.integration.UserID, r.integration.ID); err != nil || !maps.Equal(before, r.credentials) {
			return false, err
		}
	}
}
