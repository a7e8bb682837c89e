package scheduler_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

// counts is a scheduler's meter.
type counts map[string]int

func (c counts) JobDone(job fanfare.Job)   { c["done "+string(job.Status)]++ }
func (c counts) LeaseLost(kind string)     { c["lost "+kind]++ }
func (c counts) TaskRestored(queue string) { c["restored "+queue]++ }

func (c counts) want(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(c))); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}
