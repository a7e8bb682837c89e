package fanfare_test

import (
	"testing"
	"time"

	"fanfare"
)

// TestADroppedMonthExcusesWhatItLeft, and nothing else that is missing.
func TestADroppedMonthExcusesWhatItLeft(t *testing.T) {
	end := time.Date(2021, 3, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		before, at time.Duration // of the record before and the missing one, since the month's end
		excused    bool
	}{
		"left out of order":           {time.Second, -time.Second, true},
		"as late as records may be":   {0, -fanfare.AuditPatience, true},
		"earlier than they may be":    {0, -fanfare.AuditPatience - time.Microsecond, false},
		"in order":                    {-time.Minute, -time.Second, false},
		"of the next month":           {0, 0, false},
		"long before the month's end": {-20 * 24 * time.Hour, -20 * 24 * time.Hour, false},
	} {
		check := fanfare.AuditCheck{DroppedUntil: end}
		entry := auditEntry()
		entry.CreatedAt = end.Add(test.before)
		first := fanfare.AuditLink{}.After(entry.ID, entry.CreatedAt, entry.Digest())
		check.Add(first, &entry)
		check.Add(first.After("gone", end.Add(test.at), entry.Digest()), nil)
		if excused := check.Broken() == nil; excused != test.excused {
			t.Errorf("%s: %v", name, check.Broken())
		}
	}
}
