package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocumentedCalls runs the curl lines of the README and of docs/api.md as
// one script, as somebody does who copies them one after the other.
func TestDocumentedCalls(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 0)
	c.worker("worker")
	c.scheduler("scheduler")
	c.awaitWorkers(1)
	lines := shellLines(t, "../README.md", "## The API in five lines", "## Where to read on")
	if calls := strings.Count(lines, "\ncurl") + strings.Count(lines, "$(curl"); calls != 5 {
		t.Errorf("the README has %d calls, not five: %s", calls, lines)
	}
	lines += shellLines(t, "../docs/api.md", "# The API", "")
	script := strings.ReplaceAll(lines, "http://127.0.0.1:8080", c.apis[0])

	// An answer with an error ends the script.
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, ".curlrc"), []byte("fail\nshow-error\nwrite-out = \"\\n\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-euxo", "pipefail", "-c", script)
	cmd.Dir, cmd.Env = home, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home}
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	for _, want := range []string{
		"event: job.delta", "event: job.succeeded", `"status":"succeeded"`, `"email":1,"sms":1`,
		`"verifiedAgainst":"`, `"launchResults":[`, `"nextRuns":["`, `"campaign.create"`,
	} {
		if !strings.Contains(string(output), want) {
			t.Errorf("nothing answers %s: %s", want, output)
		}
	}
}

// shellLines are the blocks marked as sh between two lines of a page; "" is its
// end.
func shellLines(t *testing.T, page, from, to string) string {
	t.Helper()
	raw, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, part, found := strings.Cut(string(raw), from)
	if !found {
		t.Fatalf("%s has no %q", page, from)
	}
	if to != "" {
		part, _, _ = strings.Cut(part, to)
	}
	var lines strings.Builder
	for _, block := range regexp.MustCompile("(?s)\n```sh(\n.*?\n)```").FindAllStringSubmatch(part, -1) {
		lines.WriteString(block[1])
	}
	return lines.String()
}
