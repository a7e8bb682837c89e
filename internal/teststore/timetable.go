package teststore

import "fanfare/timetable"

// Timetable is the real one, for the tests of packages that know it by an
// interface only.
type Timetable = timetable.Table
