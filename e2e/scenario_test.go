package e2e

import (
	"fmt"
	"testing"
)

// A scenario breaks something on purpose under the program at a path, counts
// from outside, and returns which promises it saw broken, a sentence each. What
// it needs itself and does not get fails t. So the same scenario can be run on a
// program whose guard was taken out, to see that it notices.
type scenario func(t testing.TB, program string) (broken []string)

// holds runs a scenario on the program as it is: nothing may be broken.
func holds(t *testing.T, s scenario) {
	t.Helper()
	t.Parallel()
	path, err := program()
	if err != nil {
		t.Fatalf("building the program: %v", err)
	}
	for _, violation := range s(t, path) {
		t.Error(violation)
	}
}

// violated notes a promise that was broken, or that a scenario tested nothing.
func (c *cluster) violated(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations = append(c.violations, fmt.Sprintf(format, args...))
}

// broken returns what was noted.
func (c *cluster) broken() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.violations
}

// awaitEnded waits until every job is over. One that does not end is lost.
func (c *cluster) awaitEnded(ids []string) {
	c.t.Helper()
	left := 0
	if !soon(patience, func() bool { left = c.unended(ids); return left == 0 }) {
		c.violated("%d of %d accepted jobs were not over after %s", left, len(ids), patience)
	}
}
