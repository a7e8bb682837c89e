package api

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"fanfare"
)

const (
	headerLimit     = "X-RateLimit-Limit"
	headerRemaining = "X-RateLimit-Remaining"
	headerReset     = "X-RateLimit-Reset"

	// Of draft-ietf-httpapi-ratelimit-headers-11, sections 3 and 4.
	headerPolicy  = "RateLimit-Policy"
	headerService = "RateLimit"
)

// showLimit tells a client of the limit with the least remaining.
func showLimit(header http.Header, d fanfare.RateDecision) {
	shown, err := strconv.Atoi(header.Get(headerRemaining))
	if err == nil && shown <= d.Remaining {
		return
	}
	header.Set(headerLimit, strconv.Itoa(d.Limit))
	header.Set(headerRemaining, strconv.Itoa(d.Remaining))
	header.Set(headerReset, strconv.FormatInt(d.Reset.UnixMilli(), 10))
}

// listLimit adds a limit to those that the request was counted against. "t" is
// when one request more may be made, not when all may: what was spent comes back
// bit by bit, and a client that has nothing left should not wait for all of it.
func listLimit(header http.Header, p fanfare.RatePolicy, d fanfare.RateDecision) {
	remaining := d.Remaining
	if !d.Allowed {
		remaining = 0
	}
	addItem(header, headerPolicy, fmt.Sprintf(`"%s";q=%d;w=%d`, p.Name, d.Limit, wholeSeconds(p.Rate.Window)))
	addItem(header, headerService, fmt.Sprintf(`"%s";r=%d;t=%d`, p.Name, remaining, wholeSeconds(d.Next)))
}

// addItem adds an item to a header that is a list (RFC 9651, section 3.1).
func addItem(header http.Header, name, item string) {
	if before := header.Get(name); before != "" {
		item = before + ", " + item
	}
	header.Set(name, item)
}

func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

func rateLimited(header http.Header, d fanfare.RateDecision) error {
	header.Del(headerRemaining) // what an earlier limit had left
	showLimit(header, fanfare.RateDecision{Limit: d.Limit, Reset: d.Reset})
	wait := time.Duration(wholeSeconds(d.RetryAfter)) * time.Second
	e := fanfare.Errorf(fanfare.CodeRateLimited, "Rate limit exceeded")
	e.RetryAfter = max(wait, time.Second)
	e.Details = map[string]any{
		"limit": d.Limit, "remaining": 0,
		"reset": d.Reset.UTC().Format(time.RFC3339), "retryAfter": int(e.RetryAfter.Seconds()),
	}
	return e
}
