package app

import (
	"errors"

	"fanfare"
)

// sentence is the part of an error that was made for people, for a terminal.
func sentence(err error) error {
	if e, ok := errors.AsType[*fanfare.Error](err); ok && e.Code != fanfare.CodeUnavailable {
		return errors.New(e.Message)
	}
	return err
}
