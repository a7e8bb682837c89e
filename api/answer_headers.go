package api

import (
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// answerHeader is a header of answers in the document's components.
type answerHeader struct {
	name        string // of the component
	header      string
	typ         string
	always      bool // where an answer may have it, it does
	description string
}

// answerHeaders are all that an answer may carry, beside those that every
// server of HTTP sends and those that only browsers look at.
func answerHeaders() []answerHeader {
	const text, number = huma.TypeString, huma.TypeInteger
	return []answerHeader{
		{"RequestId", "X-Request-Id", text, true, "The client's own, or ours. Quote it when asking for help"},
		{"LimitCount", headerLimit, number, false, "Of the limit with the least remaining: how many requests it allows. The five headers about limits are left out while those can't be counted"},
		{"LimitRemaining", headerRemaining, number, false, "How many are left of it"},
		{"LimitReset", headerReset, number, false, "When all are there again, in milliseconds since the epoch"},
		{"LimitPolicy", headerPolicy, text, false, `Each limit that the request counted against (draft-ietf-httpapi-ratelimit-headers-11): q requests in w seconds, as in "api";q=100;w=900, "ai";q=20;w=3600`},
		{"LimitService", headerService, text, false, `How each of them stands: r requests are left, and one more comes back in t seconds, as in "api";r=97;t=9, "ai";r=19;t=180`},
		{"JobLocation", "Location", text, true, "Where to poll the job"},
		{"RetryAfter", "Retry-After", number, true, "Seconds until it is worth asking, or trying, again"},
		{"PollAfter", "Retry-After", number, false, "Seconds until it is worth asking again; only while the job is not over"},
		{"Preferred", "Preference-Applied", text, false, "wait, where the request asked for that with Prefer"},
		{"Waited", "Preference-Applied", text, true, "wait"},
		{"Replayed", "Idempotent-Replayed", text, false, "true, where this is the answer to an earlier request with the same Idempotency-Key"},
		{"Version", "ETag", text, true, "For If-None-Match"},
		{"NextPage", "Link", text, false, `<…>; rel="next" where there is a next page (RFC 8288)`},
		{"Cached", "X-Cache", text, true, "HIT or MISS"},
		{"Challenge", "WWW-Authenticate", text, true, "Bearer (RFC 6750)"},
		{"SessionCookie", "Set-Cookie", text, true, "The session's: HttpOnly, SameSite=Lax, and Secure in production. Signing out clears it"},
		{"CacheControl", "Cache-Control", text, true, "What caches between may do with it: nothing"},
		{"ResponseTime", "X-Response-Time", text, true, "What it took to look, such as 3ms"},
		{"Unbuffered", "X-Accel-Buffering", text, true, "no: a proxy hands each event on at once"},
		{"PagePolicy", "Content-Security-Policy", text, true, "The page loads nothing"},
	}
}

func headerComponents() map[string]*huma.Header {
	components := map[string]*huma.Header{}
	for _, h := range answerHeaders() {
		components[h.name] = &huma.Header{Description: h.description, Required: h.always, Schema: &huma.Schema{Type: h.typ}}
	}
	return components
}

// headers are those of an operation's answer with a status.
func (line spec) headers(operation *huma.Operation, status string) []answerHeader {
	sent, _ := operation.Metadata[sendsKey].(map[string][]string)
	names := append([]string{"RequestId"}, sent[status]...)
	add := func(when bool, more ...string) {
		if when {
			names = append(names, more...)
		}
	}
	_, starts := operation.Responses["202"]
	keyed := hasParameter(operation, "Idempotency-Key")
	waits := starts && hasParameter(operation, "Prefer")
	add(line.limit != unlimited, "LimitCount", "LimitRemaining", "LimitReset", "LimitPolicy", "LimitService")
	switch status {
	case "200":
		add(hasParameter(operation, "cursor"), "NextPage")
		add(waits, "JobLocation", "Waited", "Replayed")
	case "201":
		add(keyed, "Replayed")
	case "202":
		names = append(names, "JobLocation", "RetryAfter")
		add(keyed, "Replayed")
		add(waits, "Preferred")
	case "401":
		add(line.access == users, "Challenge")
	case "429", "503":
		names = append(names, "RetryAfter")
	}
	all := answerHeaders()
	return slices.DeleteFunc(all, func(h answerHeader) bool { return !slices.Contains(names, h.name) })
}
