// Package timetable works out when a schedule is due. A cron is about what a
// clock on a wall shows; this package finds the instant for each such time,
// also where the clock is put forward or back.
//
// A local time that a jump of the clock skips is due at the first instant after
// the gap, one that comes twice is due the first time only, and several that
// fall on one instant are one occurrence.
package timetable

import (
	"time"

	"github.com/adhocore/gronx"

	"fanfare"
)

// wallLayout is how a local time is written.
const wallLayout = "2006-01-02T15:04"

// Table works out when schedules are due.
type Table struct{}

// Next returns the first n occurrences of a schedule after an instant, oldest
// first; fewer where no more come. It refuses a cron or a time zone that it
// can't read as an error of that field.
func (Table) Next(s fanfare.Schedule, after time.Time, n int) ([]fanfare.Occurrence, error) {
	loc, err := zone(s.Timezone)
	if err != nil {
		return nil, err
	}
	if s.RunAt != nil {
		if !s.RunAt.After(after) || n < 1 {
			return nil, nil
		}
		return []fanfare.Occurrence{{Local: s.RunAt.In(loc).Format(time.RFC3339), At: s.RunAt.UTC()}}, nil
	}
	if s.Cron == nil {
		return nil, fanfare.Invalid("cron", "is required where there is no runAt")
	}
	cron, err := parseCron(*s.Cron)
	if err != nil {
		return nil, err
	}
	return next(cron.after, loc, after, n), nil
}

// RunAt reads a time of a single run: RFC 3339, or without an offset, as the
// zone's clock shows it.
func (Table) RunAt(text, timezone string) (time.Time, error) {
	loc, err := zone(timezone)
	if err != nil {
		return time.Time{}, err
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at.UTC().Truncate(time.Second), nil
	}
	for _, layout := range []string{wallLayout, wallLayout + ":05"} {
		if wall, err := time.Parse(layout, text); err == nil {
			return instant(wall.Truncate(time.Second), loc), nil
		}
	}
	return time.Time{}, fanfare.Invalid("runAt", "must be a time such as 2026-12-01T09:00 or 2026-12-01T09:00:00+01:00")
}

// next turns the local times of a cron into instants. Local times that were
// shown at or before after, which come again when the clock is put back, are
// not after it.
func next(walls func(after time.Time) (time.Time, bool), loc *time.Location, after time.Time, n int) []fanfare.Occurrence {
	var found []fanfare.Occurrence
	wall := onWall(after.In(loc))
	for len(found) < n {
		var more bool
		if wall, more = walls(wall); !more {
			return found
		}
		if at := instant(wall, loc); at.After(after) {
			found, after = append(found, fanfare.Occurrence{Local: wall.Format(wallLayout), At: at}), at
		}
	}
	return found
}

// cronTimes is a cron that was found to be valid.
type cronTimes string

// after is the first local time that matches and is later than wall. There may
// be none: 30 February never comes.
func (c cronTimes) after(wall time.Time) (time.Time, bool) {
	found, err := gronx.NextTickAfter(string(c), wall, false)
	return found, err == nil
}
