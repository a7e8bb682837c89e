package rest

import (
	"errors"
	"net/url"
)

// withoutURL leaves of a client's error what happened: a URL may hold what does
// not belong in a log.
func withoutURL(err error) error {
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return err
}
