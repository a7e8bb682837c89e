// Package workflows checks what CI runs for those who clone the project. It is a
// module of its own: its linter needs another version of a parser than the one
// for containers does.
package workflows

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
	"go.yaml.in/yaml/v4"
)

const root = "../.."

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func workflows(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, ".github/workflows/*.yml"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("workflows: %v, %v", paths, err)
	}
	found := map[string]string{}
	for _, path := range paths {
		name := ".github/workflows/" + filepath.Base(path)
		found[name] = text(t, name)
	}
	return found
}

func TestWorkflowsAreSound(t *testing.T) {
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range workflows(t) {
		problems, err := linter.Lint(name, []byte(content), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			t.Errorf("%s:%d: %s", name, p.Line, p.Message)
		}
		var workflow struct {
			Permissions map[string]string
			Concurrency map[string]any
			Jobs        map[string]struct {
				TimeoutMinutes int `yaml:"timeout-minutes"`
				Permissions    map[string]string
				Steps          []struct{ Uses string }
			}
		}
		if err := yaml.Unmarshal([]byte(content), &workflow); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(workflow.Permissions) != "map[contents:read]" || workflow.Concurrency["cancel-in-progress"] != true {
			t.Errorf("%s: permissions %v, concurrency %v", name, workflow.Permissions, workflow.Concurrency)
		}
		for job, j := range workflow.Jobs {
			if j.TimeoutMinutes == 0 || j.Permissions != nil {
				t.Errorf("%s: the job %s may take %d minutes and has the permissions %v", name, job, j.TimeoutMinutes, j.Permissions)
			}
			for _, step := range j.Steps {
				if step.Uses != "" && !regexp.MustCompile(`^[a-z-]+/[a-z-]+@(v[0-9]+|[0-9a-f]{40})$`).MatchString(step.Uses) {
					t.Errorf("%s: %s is not pinned", name, step.Uses)
				}
			}
		}
	}
}

// TestWorkflowsRunWhatIsThere: each make target exists, and what a clone must
// be checked by is run.
func TestWorkflowsRunWhatIsThere(t *testing.T) {
	var all string
	for _, content := range workflows(t) {
		all += content
	}
	targets := regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(text(t, "Makefile"), -1)
	for _, used := range regexp.MustCompile(`\bmake ([a-z-]+)`).FindAllStringSubmatch(all, -1) {
		if !slices.ContainsFunc(targets, func(target []string) bool { return target[1] == used[1] }) {
			t.Errorf("there is no make %s", used[1])
		}
	}
	for _, want := range []string{"make lint", "make test", "govulncheck@v", "docker compose build", "sbom-action", "scripts/restore --check"} {
		if !strings.Contains(all, want) {
			t.Errorf("CI does not run %s", want)
		}
	}
}
