package timetable

import (
	"strings"
	"time"
	_ "time/tzdata" // zones are known on a machine without any, too

	"fanfare"
)

// reach is further than any two clocks of the world are apart, plus the day by
// which a zone moves that changes sides of the date line.
const reach = 48 * time.Hour

const zoneNameMax = 64

// zone finds a time zone by its IANA name. What a machine's files may hold
// beside those names is none: the machine's own zone, and copies that count
// leap seconds.
func zone(name string) (*time.Location, error) {
	refused := fanfare.Invalid("timezone", "must be the IANA name of a time zone, such as Europe/Berlin")
	top, _, _ := strings.Cut(name, "/")
	switch top {
	case "", "Local", "localtime", "posix", "posixrules", "right":
		return nil, refused
	}
	if len(name) > zoneNameMax {
		return nil, refused
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, refused.WithCause(err)
	}
	return loc, nil
}

// onWall is what a clock shows, as if it were UTC.
func onWall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
}

// instant is when the zone's clock shows wall for the first time, or has just
// jumped over it. It walks the spans between two jumps in which wall may lie.
func instant(wall time.Time, loc *time.Location) time.Time {
	start := wall.Add(-reach)
	for {
		local := start.In(loc)
		_, offset := local.Zone()
		_, end := local.ZoneBounds()
		at := wall.Add(-time.Duration(offset) * time.Second)
		if at.Before(start) {
			return start.UTC() // the jump to this span skipped it
		}
		if end.IsZero() || at.Before(end) {
			return at
		}
		start = end
	}
}
