package jobs

import (
	"context"
	"errors"
	"time"

	"fanfare"
)

const (
	// persistFor is how long a worker holds on to what it has to write while
	// the database is away: longer than a restart takes, and than the reaper
	// waits after one.
	persistFor = time.Minute
	persistGap = 500 * time.Millisecond
)

// Persist repeats do while the database can't be reached. It is for statements
// that may be repeated: those under a lease, whose token lets them through once.
func Persist(ctx context.Context, do func() error) error {
	giveUp := time.Now().Add(persistFor)
	for {
		err := do()
		if fanfare.ErrorCode(err) != fanfare.CodeUnavailable || time.Now().After(giveUp) {
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		case <-time.After(persistGap):
		}
	}
}
