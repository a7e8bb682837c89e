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

// inner is what an error says beneath the sentence for people: for operators,
// who can mend it. No cause of ours quotes a URL or a secret.
func inner(err error) string {
	if e, ok := errors.AsType[*fanfare.Error](err); ok && e.Cause != nil {
		return e.Cause.Error()
	}
	return err.Error()
}
