package timetable

import (
	"regexp"
	"strings"
	"time"

	"github.com/adhocore/gronx"

	"fanfare"
)

const cronMax = 200

// field is one of a cron's five. part is what may stand between its commas:
// what every cron knows. The library knows more, which is refused: forms that
// mean different things elsewhere (a step without a range, a * in a list, ?),
// and L, W and #.
type field struct {
	name string
	part *regexp.Regexp
	hint string
}

const (
	number   = `\d{1,2}`
	months   = number + `|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC`
	weekdays = number + `|SUN|MON|TUE|WED|THU|FRI|SAT`
)

var fields = []field{
	{"minute", part(number), "0 to 59"},
	{"hour", part(number), "0 to 23"},
	{"day of the month", part(number), "1 to 31"},
	{"month", part(months), "1 to 12 or JAN to DEC"},
	{"day of the week", part(weekdays), "0 to 7 (both ends are Sunday) or SUN to SAT"},
}

func part(value string) *regexp.Regexp {
	return regexp.MustCompile(`^(?:\*/\d{1,2}|(?:` + value + `)(?:-(?:` + value + `)(?:/\d{1,2})?)?)$`)
}

// parseCron checks a cron of five fields. As in every cron, a day matches when
// either its number or its weekday does, unless one of the two fields begins
// with a *: then both must.
func parseCron(text string) (cronTimes, error) {
	texts := strings.Fields(strings.ToUpper(text))
	if len(text) > cronMax || len(texts) != len(fields) || strings.HasPrefix(text, "@") {
		return "", fanfare.Invalid("cron",
			"must have five fields: minute, hour, day of the month, month and day of the week, such as 0 9 * * MON-FRI")
	}
	cron := strings.Join(texts, " ")
	segments, err := gronx.Segments(cron) // the seconds first, and numbers for names
	if err != nil {
		return "", fanfare.Invalid("cron", "can't be read").WithCause(err)
	}
	for i, f := range fields {
		if !f.valid(texts[i], segments[i+1], i+1) {
			return "", fanfare.Invalid("cron", "has %q for the %s, which must be *, or a list of values, ranges (a-b) and steps (*/n, a-b/n) of %s",
				strings.ToLower(texts[i]), f.name, f.hint)
		}
	}
	return cronTimes(cron), nil
}

// valid looks at each part by itself: the library stops at the first that
// matches the time which it is given.
func (f field) valid(text, segment string, position int) bool {
	if text == "*" {
		return true
	}
	for p := range strings.SplitSeq(text, ",") {
		if !f.part.MatchString(p) {
			return false
		}
	}
	checker := &gronx.SegmentChecker{}
	checker.SetRef(time.Unix(0, 0).UTC())
	for p := range strings.SplitSeq(segment, ",") {
		if _, err := checker.CheckDue(p, position); err != nil {
			return false
		}
	}
	return true
}
