package timetable_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/timetable"
)

func instantOf(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func cronIn(zone, cron string) fanfare.Schedule {
	return fanfare.Schedule{Cron: &cron, Timezone: zone}
}

func TestNext(t *testing.T) {
	for _, test := range []struct {
		name, zone, cron, after string
		want                    []string // "local = instant"
	}{
		{"each minute, strictly after", "UTC", "* * * * *", "2026-01-01T00:00:00Z", []string{
			"2026-01-01T00:01 = 2026-01-01T00:01:00Z", "2026-01-01T00:02 = 2026-01-01T00:02:00Z"}},
		{"in the middle of a minute", "UTC", "* * * * *", "2026-01-01T00:00:59.9Z", []string{"2026-01-01T00:01 = 2026-01-01T00:01:00Z"}},
		{"right before it", "UTC", "0 * * * *", "2026-01-01T00:59:59.999999999Z", []string{"2026-01-01T01:00 = 2026-01-01T01:00:00Z"}},
		{"a gap: the first instant after it", "Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T02:30 = 2026-03-29T01:00:00Z", "2026-03-30T02:30 = 2026-03-30T00:30:00Z"}},
		{"several in a gap: once", "Europe/Berlin", "*/30 2 * * *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T02:00 = 2026-03-29T01:00:00Z", "2026-03-30T02:00 = 2026-03-30T00:00:00Z"}},
		{"one in a gap and one at its end: once", "Europe/Berlin", "30,0 2,3 29 3 *", "2026-03-28T12:00:00Z", []string{
			"2026-03-29T02:00 = 2026-03-29T01:00:00Z", "2026-03-29T03:30 = 2026-03-29T01:30:00Z"}},
		{"a repeated hour: the first time", "America/New_York", "30 1 * * *", "2026-11-01T00:00:00Z", []string{
			"2026-11-01T01:30 = 2026-11-01T05:30:00Z", "2026-11-02T01:30 = 2026-11-02T06:30:00Z"}},
		{"asked in the repeated hour", "America/New_York", "*/20 * * * *", "2026-11-01T06:10:00Z", []string{
			"2026-11-01T02:00 = 2026-11-01T07:00:00Z", "2026-11-01T02:20 = 2026-11-01T07:20:00Z"}},
		{"half an hour's jump", "Australia/Lord_Howe", "15 2 4 10 *", "2026-10-01T00:00:00Z", []string{"2026-10-04T02:15 = 2026-10-03T15:30:00Z"}},
		{"a gap at midnight", "America/Asuncion", "0 0 * * *", "2023-09-30T12:00:00Z", []string{
			"2023-10-01T00:00 = 2023-10-01T04:00:00Z", "2023-10-02T00:00 = 2023-10-02T03:00:00Z"}},
		{"a day that never was", "Pacific/Apia", "0 12 * * *", "2011-12-29T00:00:00Z", []string{
			"2011-12-29T12:00 = 2011-12-29T22:00:00Z", "2011-12-30T12:00 = 2011-12-30T10:00:00Z", "2011-12-31T12:00 = 2011-12-30T22:00:00Z"}},
		{"day or weekday", "UTC", "0 0 13 * FRI", "2026-02-12T12:00:00Z", []string{
			"2026-02-13T00:00 = 2026-02-13T00:00:00Z", "2026-02-20T00:00 = 2026-02-20T00:00:00Z", "2026-02-27T00:00 = 2026-02-27T00:00:00Z",
			"2026-03-06T00:00 = 2026-03-06T00:00:00Z", "2026-03-13T00:00 = 2026-03-13T00:00:00Z"}},
		{"7 is Sunday", "UTC", "0 0 * * 7", "2026-11-22T12:00:00Z", []string{"2026-11-29T00:00 = 2026-11-29T00:00:00Z"}},
		{"from Saturday to Sunday", "UTC", "0 0 * * 6-7", "2026-11-22T12:00:00Z", []string{
			"2026-11-28T00:00 = 2026-11-28T00:00:00Z", "2026-11-29T00:00 = 2026-11-29T00:00:00Z", "2026-12-05T00:00 = 2026-12-05T00:00:00Z"}},
		{"names", "UTC", "0 9 * jan-MAR/2 mon", "2026-01-27T00:00:00Z", []string{"2026-03-02T09:00 = 2026-03-02T09:00:00Z"}},
		{"leap days", "UTC", "0 0 29 2 *", "2096-02-29T00:00:00Z", []string{"2104-02-29T00:00 = 2104-02-29T00:00:00Z"}},
		{"leap days that are Sundays", "UTC", "0 0 29 2 */7", "2096-02-29T00:00:00Z", []string{"2128-02-29T00:00 = 2128-02-29T00:00:00Z"}},
		{"never", "UTC", "0 0 30 2 *", "2026-01-01T00:00:00Z", nil},
		{"never, of many months", "UTC", "0 0 31 2,4,6,9,11 *", "2026-01-01T00:00:00Z", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			found, err := timetable.Table{}.Next(cronIn(test.zone, test.cron), instantOf(t, test.after), max(1, len(test.want)))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, o := range found {
				got = append(got, o.Local+" = "+o.At.Format(time.RFC3339))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	for _, cron := range []string{
		"", "* * * *", "* * * * * *", "0 * * * * 2027", "@daily", "@every 5m", "@yearly * * * *", "CRON_TZ=UTC * * * * *",
		"60 * * * *", "1,99 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 13 *", "* * * 0 *", "* * * * 8",
		"5/10 * * * *", "*/0 * * * *", "*/x * * * *", "*,5 * * * *", "1, * * * *", "-5 * * * *", "+5 * * * *", "1-2-3 * * * *", "*-5 * * * *",
		"30-10 * * * *", "* * * * FRI-MON", "* * * * 5-1", "MON * * * *", "* * JAN * *", "* * * MON *", "* * * * JAN", "* * * * SUNDAY",
		"* * L * *", "* * 15W * *", "* * * * 5L", "* * * * 5#2", "? * * * *", "* * ? * *", "* * * * ?", "H * * * *", "٣ * * * *", "\x00 * * * *",
		"* * * * " + strings.Repeat("1,", 100) + "1",
	} {
		if found, err := (timetable.Table{}).Next(cronIn("UTC", cron), time.Now(), 1); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
			t.Errorf("%q: %v, %v", cron, found, err)
		}
	}
	for _, zone := range []string{
		"", "Local", "Europe/Nowhere", "europe", "+01:00", "right/Europe/Berlin", "posix/UTC", "posixrules", "localtime",
		"../etc/passwd", "/etc/localtime", `Europe\Berlin`, "UTC\x00", strings.Repeat("A", 5000),
	} {
		if found, err := (timetable.Table{}).Next(cronIn(zone, "* * * * *"), time.Now(), 1); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
			t.Errorf("%q: %v, %v", zone, found, err)
		}
	}
	if found, err := (timetable.Table{}).Next(fanfare.Schedule{Timezone: "UTC"}, time.Now(), 1); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
		t.Errorf("neither cron nor time: %v, %v", found, err)
	}
}

func TestRunAt(t *testing.T) {
	for text, want := range map[string]string{
		"2026-12-01T09:00":              "2026-12-01T08:00:00Z",
		"2026-12-01T09:00:30":           "2026-12-01T08:00:30Z",
		"2026-12-01T09:00:30.75":        "2026-12-01T08:00:30Z",
		"2026-12-01T09:00:00Z":          "2026-12-01T09:00:00Z", // an offset: the zone does not matter
		"2026-12-01T09:00:00-05:00":     "2026-12-01T14:00:00Z",
		"2026-12-01T09:00:00.75-05:00":  "2026-12-01T14:00:00Z",
		"2026-03-29T02:30":              "2026-03-29T01:00:00Z", // skipped
		"2026-10-25T02:30":              "2026-10-25T00:30:00Z", // comes twice
		"2026-10-25T02:30:00+01:00":     "2026-10-25T01:30:00Z", // the second time, as asked for
		"tomorrow":                      "",
		"2026-12-01":                    "",
		"2026-02-30T09:00":              "",
		"2026-12-01T25:00":              "",
		"2026-12-01T09:00:00+01:00 CET": "",
	} {
		at, err := timetable.Table{}.RunAt(text, "Europe/Berlin")
		if want == "" {
			if fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
				t.Errorf("%s: %s, %v; want it refused", text, at, err)
			}
			continue
		}
		if got := at.Format(time.RFC3339); got != want || err != nil {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	}
}

func TestARunAtComesOnce(t *testing.T) {
	at := instantOf(t, "2026-10-25T01:30:00Z")
	s := fanfare.Schedule{RunAt: &at, Timezone: "Europe/Berlin"}
	found, err := timetable.Table{}.Next(s, at.Add(-time.Second), 5)
	if diff := cmp.Diff([]fanfare.Occurrence{{Local: "2026-10-25T02:30:00+01:00", At: at}}, found); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if found, err := (timetable.Table{}).Next(s, at, 5); len(found) != 0 || err != nil {
		t.Errorf("at its time: %v, %v", found, err)
	}
}
