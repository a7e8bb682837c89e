package timetable

import (
	_ "embed"
	"fmt"
	"math/rand"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"fanfare"
)

// zoneNames are all that the IANA's database knows, links and old names too.
//
//go:embed testdata/zones.txt
var zoneNames string

const (
	years       = 10
	fewestZones = 590
)

var (
	since = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	until = since.AddDate(years, 0, 0)
)

// span is a time in which a zone's clock is not put forward or back.
type span struct {
	start, end time.Time
	offset     time.Duration
}

// spans finds them by looking at the clock alone: once a day, and where it has
// changed at smaller and smaller steps, down to the second.
func spans(loc *time.Location, from, to time.Time) []span {
	shows := func(t time.Time) time.Duration {
		_, offset := t.In(loc).Zone()
		return time.Duration(offset) * time.Second
	}
	found := []span{{start: from, offset: shows(from)}}
	for day := from; day.Before(to); day = day.Add(24 * time.Hour) {
		next, offset := day.Add(24*time.Hour), shows(day)
		if shows(next) == offset {
			continue
		}
		changed := day.Add(time.Duration(sort.Search(24*3600, func(s int) bool {
			return shows(day.Add(time.Duration(s)*time.Second)) != offset
		})) * time.Second)
		found[len(found)-1].end = changed
		found = append(found, span{start: changed, offset: shows(changed)})
	}
	found[len(found)-1].end = to
	return found
}

// expected are the occurrences of a cron by another way than the one under
// test: time goes forward span by span, and what is due is each local time that
// the clock shows or passes and has not shown before. walls are all local times
// that match, sorted.
func expected(spans []span, walls []time.Time) []fanfare.Occurrence {
	var found []fanfare.Occurrence
	i := sort.Search(len(walls), func(i int) bool { return walls[i].After(spans[0].start.Add(spans[0].offset)) })
	for _, s := range spans {
		for ; i < len(walls) && walls[i].Before(s.end.Add(s.offset)); i++ {
			at := walls[i].Add(-s.offset)
			if at.Before(s.start) {
				at = s.start // passed by the jump
			}
			if len(found) == 0 || found[len(found)-1].At.Before(at) {
				found = append(found, fanfare.Occurrence{Local: walls[i].Format(wallLayout), At: at})
			}
		}
	}
	return found
}

// matching are the local times of ten years and a bit that match a cron.
func matching(t testing.TB, cron string) []time.Time {
	t.Helper()
	matches := bruteForce(t, cron)
	var found []time.Time
	for wall, end := since.AddDate(0, 0, -7), until.AddDate(0, 0, 7); wall.Before(end); wall = wall.Add(time.Minute) {
		if matches(wall) {
			found = append(found, wall)
		}
	}
	return found
}

// remembered are the local times that the library finds, asked for once and
// not again for each zone.
func remembered(cron cronTimes) func(time.Time) (time.Time, bool) {
	type answer struct {
		wall time.Time
		more bool
	}
	known := map[time.Time]answer{}
	return func(wall time.Time) (time.Time, bool) {
		wall = wall.Truncate(time.Minute)
		if _, asked := known[wall]; !asked {
			next, more := cron.after(wall)
			known[wall] = answer{next, more}
		}
		return known[wall].wall, known[wall].more
	}
}

// TestEveryOccurrenceOfTenYearsInEveryZone: none is missed and none comes
// twice, when each is asked for after the one before. Crons that are often due
// are looked at in every zone around each of its jumps, and over all the ten
// years in one of the zones whose clocks show the same.
func TestEveryOccurrenceOfTenYearsInEveryZone(t *testing.T) {
	zones, alike := allZones(t)
	jumps, checked := 0, 0
	for _, test := range []struct {
		cron   string
		zones  map[string][]span
		around time.Duration // of each jump; 0 for all the ten years
	}{
		{"30 2 1,15 * *", zones, 0},
		{"0 0 1 * *", zones, 0},
		{"5 1 29 2 *", zones, 0},
		{"30 2 * * *", alike, 0},
		{"*/30 1-2 * * SUN", alike, 0},
		{"*/3 * * * *", zones, 80 * time.Minute},
	} {
		cron, err := parseCron(test.cron)
		if err != nil {
			t.Fatal(err)
		}
		fast, walls := remembered(cron), matching(t, test.cron)
		for name, all := range test.zones {
			loc, err := zone(name)
			if err != nil {
				t.Fatal(err)
			}
			if test.around == 0 {
				checked += check(t, name+" "+test.cron, fast, loc, since, expected(all, walls))
				continue
			}
			for _, jump := range all[1:] {
				jumps++
				from, to := jump.start.Add(-test.around), jump.start.Add(test.around+time.Hour)
				checked += check(t, name+" "+test.cron, fast, loc, from, expected(spans(loc, from, to), walls))
			}
		}
	}
	if jumps < 4000 || checked < 800_000 {
		t.Errorf("only %d occurrences, and %d jumps", checked, jumps)
	}
}

// allZones are the spans of every zone, and those of one for each set of zones
// whose clocks show the same for ten years.
func allZones(t *testing.T) (zones, alike map[string][]span) {
	t.Helper()
	zones, alike = map[string][]span{}, map[string][]span{}
	seen := map[string]bool{}
	for _, name := range strings.Fields(zoneNames) {
		loc, err := zone(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		zones[name] = spans(loc, since, until)
		if same := fmt.Sprint(zones[name]); !seen[same] {
			seen[same], alike[name] = true, zones[name]
		}
	}
	if len(zones) < fewestZones || len(alike) < 60 {
		t.Fatalf("only %d zones, %d of them different", len(zones), len(alike))
	}
	return zones, alike
}

// check asks for one occurrence after the other, and for some of them from an
// instant between two.
func check(t *testing.T, name string, walls func(time.Time) (time.Time, bool), loc *time.Location, from time.Time, want []fanfare.Occurrence) int {
	t.Helper()
	after := from
	for i, w := range want {
		got := next(walls, loc, after, 1)
		if len(got) != 1 || got[0] != w {
			t.Errorf("%s after %s: %v, want %v", name, after, got, w)
			return i
		}
		if i%16 == 0 {
			between := after.Add(w.At.Sub(after) * time.Duration(i%7+1) / 8)
			if got := next(walls, loc, between, 1); len(got) != 1 || got[0] != w {
				t.Errorf("%s after %s, which is between two: %v, want %v", name, between, got, w)
				return i
			}
		}
		after = w.At
	}
	return len(want)
}

// TestTheLibraryFindsWhatMatches: random crons against a walk over every
// minute that could match.
func TestTheLibraryFindsWhatMatches(t *testing.T) {
	r := rand.New(rand.NewSource(1))
	for range 150 {
		text := randomCron(r)
		cron, err := parseCron(text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		matches := bruteForce(t, text)
		wall := time.Date(2024+r.Intn(5), time.Month(1+r.Intn(12)), 1+r.Intn(28), r.Intn(24), r.Intn(60), 0, 0, time.UTC)
		for range 3 {
			got, more := cron.after(wall)
			want, comes := walk(matches, wall)
			if got != want && comes || more != comes {
				t.Errorf("%q after %s: %s (%t), want %s (%t)", text, wall, got, more, want, comes)
			}
			if !comes {
				break
			}
			wall = want
		}
	}
}

// walk looks for the next match, in steps of a day where the day does not match.
func walk(matches func(time.Time) bool, wall time.Time) (time.Time, bool) {
	year := wall.Year()
	for wall = wall.Add(time.Minute); wall.Year() < year+45; wall = wall.Add(time.Minute) {
		if matches(wall) {
			return wall, true
		}
	}
	return time.Time{}, false
}

func randomCron(r *rand.Rand) string {
	texts := make([]string, 5)
	for i, bounds := range bounds {
		texts[i] = randomField(r, bounds[0], bounds[1])
	}
	if texts[2] != "*" && strings.HasPrefix(texts[4], "*") || strings.HasPrefix(texts[2], "*/") {
		texts[4] = "*" // both have to match: may not come in a lifetime
	}
	if texts[2] != "*" && texts[4] == "*" {
		texts[2] = strconv.Itoa(1 + r.Intn(28)) // comes in each month
	}
	return strings.Join(texts, " ")
}

func randomField(r *rand.Rand, low, high int) string {
	if r.Intn(3) == 0 {
		return "*"
	}
	if r.Intn(6) == 0 {
		return fmt.Sprintf("*/%d", 1+r.Intn(high))
	}
	var parts []string
	for len(parts) == 0 || r.Intn(3) == 0 {
		a := low + r.Intn(high-low+1)
		b := a + r.Intn(high-a+1)
		parts = append(parts, []string{strconv.Itoa(a), fmt.Sprintf("%d-%d", a, b), fmt.Sprintf("%d-%d/%d", a, b, 1+r.Intn(9))}[r.Intn(3)])
	}
	return strings.Join(parts, ",")
}

var bounds = [5][2]int{{0, 59}, {0, 23}, {1, 31}, {1, 12}, {0, 7}}

// bruteForce reads a cron by itself, and tells whether a local time matches.
func bruteForce(t testing.TB, cron string) func(time.Time) bool {
	t.Helper()
	texts := strings.Fields(strings.ReplaceAll(cron, "SUN", "0"))
	var sets [5][60]bool
	for i, text := range texts {
		for _, part := range strings.Split(text, ",") {
			values, stepText, hasStep := strings.Cut(part, "/")
			low, high, step := bounds[i][0], bounds[i][1], 1
			if hasStep {
				step, _ = strconv.Atoi(stepText)
			}
			if values != "*" {
				first, last, isRange := strings.Cut(values, "-")
				low, _ = strconv.Atoi(first)
				if high = low; isRange {
					high, _ = strconv.Atoi(last)
				}
			}
			for v := low; v <= high; v += step {
				sets[i][v] = true
			}
		}
	}
	sets[4][0] = sets[4][0] || sets[4][7]
	// What the manual of Vixie's cron says of days and weekdays; the first
	// character decides there.
	both := texts[2][0] == '*' || texts[4][0] == '*'
	return func(wall time.Time) bool {
		if !sets[0][wall.Minute()] || !sets[1][wall.Hour()] || !sets[3][wall.Month()] {
			return false
		}
		day, weekday := sets[2][wall.Day()], sets[4][wall.Weekday()]
		return both && day && weekday || !both && (day || weekday)
	}
}
