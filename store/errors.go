package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/lib/pq"
	"github.com/lib/pq/pqerror"

	"fanfare"
)

// ErrLeaseLost says that an attempt no longer owns its job: what it tried to
// write was not written.
var ErrLeaseLost = errors.New("the attempt has lost its lease")

// wrap gives a database error its meaning: not found, unavailable, or ours to
// look into. It returns nil for nil.
func wrap(err error, doing string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows), isMalformedID(err):
		return notFound()
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", doing, err)
	case isOutage(err):
		e := fanfare.Errorf(fanfare.CodeUnavailable, "The database can't be reached right now. Try again in a few seconds.")
		e.RetryAfter = 2 * time.Second
		return e.WithCause(fmt.Errorf("%s: %w", doing, err))
	default:
		return fmt.Errorf("%s: %w", doing, err)
	}
}

func notFound() error {
	return fanfare.Errorf(fanfare.CodeNotFound, "There is nothing here with that id, or it is not yours.")
}

// isMalformedID: an id that is no UUID names nothing. Only ids are ever cast
// from text that a client chose.
func isMalformedID(err error) bool {
	return pq.As(err, pqerror.InvalidTextRepresentation) != nil
}

// lacksSchema reports whether a statement names what the database has not got.
func lacksSchema(err error) bool {
	return pq.As(err, pqerror.UndefinedTable, pqerror.UndefinedColumn) != nil
}

// isOutage tells a database that is away, starting, stopping or full from one
// that answered with a refusal.
func isOutage(err error) bool {
	if e, ok := errors.AsType[*pq.Error](err); ok {
		if e.Code == pqerror.IdleInTransactionSessionTimeout { // a process that stood still
			return true
		}
		switch e.Code.Class() {
		case "08", "53", "57", // connection, resources, operator intervention
			"40": // a deadlock's victim: what it did is undone, and can be done again
			return true
		default:
			return false
		}
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) || errors.Is(err, context.DeadlineExceeded)
}

// violates reports whether err is a violation of the named unique constraint.
func violates(err error, constraint string) bool {
	e := pq.As(err, pqerror.UniqueViolation)
	return e != nil && e.Constraint == constraint
}
