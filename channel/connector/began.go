package connector

import (
	"encoding/hex"
	"errors"
	"strings"
	"time"
)

var errNoTime = errors.New("the delivery's id is no UUIDv7")

// Began is when a delivery was planned: its id, a UUIDv7, says so to the
// millisecond (RFC 9562, 5.7). Nothing of it was sent before.
func Began(id string) (time.Time, error) {
	const digits = 12
	number := strings.ReplaceAll(id, "-", "")
	if len(number) < digits {
		return time.Time{}, errNoTime
	}
	raw, err := hex.DecodeString(number[:digits])
	if err != nil {
		return time.Time{}, errNoTime
	}
	var millis int64
	for _, b := range raw {
		millis = millis<<8 | int64(b)
	}
	return time.UnixMilli(millis), nil
}
