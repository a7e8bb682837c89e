package e2e

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestTheAuditTrailIsSealedAndVerified by the real program: its exit code says
// whether the trail holds.
func TestTheAuditTrailIsSealedAndVerified(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	c.start("scheduler", c.env(), "scheduler")
	eventually(t, 20*time.Second, "the user's registration to be sealed", func() bool {
		return c.count(`SELECT sequence FROM audit_head`) > 0
	})
	code, output := run(t, c.env(), "audit", "verify")
	head := regexp.MustCompile(`[0-9a-f]{64}`).FindString(output)
	if code != 0 || head == "" || !strings.Contains(output, "are sealed and sound") {
		t.Fatalf("a trail that holds: %d: %s", code, output)
	}
	if code, output := run(t, c.env(), "audit", "verify", "--head", head); code != 0 {
		t.Errorf("with its own head: %d: %s", code, output)
	}
	if code, output := run(t, c.env(), "audit", "verify", "--head", strings.Repeat("ab", 32)); code != 1 || !strings.Contains(output, "is not in the chain") {
		t.Errorf("with another head: %d: %s", code, output)
	}
	if code, output := run(t, c.env(), "audit", "verify", "--head", "x"); code != 1 || !strings.Contains(output, "64 hexadecimal digits") {
		t.Errorf("with what is no head: %d: %s", code, output)
	}
	if _, err := c.db.Exec(`UPDATE audit_logs SET user_agent = 'another' WHERE id = (SELECT audit_id FROM audit_chain WHERE sequence = 1)`); err != nil {
		t.Fatal(err)
	}
	if code, output := run(t, c.env(), "audit", "verify"); code != 1 || !strings.Contains(output, "was changed after it was sealed (number 1 of the chain)") {
		t.Errorf("after a record was changed: %d: %s", code, output)
	}
}
