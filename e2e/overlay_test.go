//go:build faults

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// edit replaces a text, which must be there exactly once, in a source file. The
// path is in this module, or begins with "GOROOT/". One with nothing to replace
// takes the whole file away.
type edit struct{ file, old, new string }

// build compiles the program with edits, without touching a source: the Go
// command reads edited copies instead. An edit that does not fit any more fails
// the test, so that it can't rot.
func build(t testing.TB, edits ...edit) (program string) {
	t.Helper()
	dir := t.TempDir()
	copies := map[string]string{}
	for i, e := range edits {
		source := sourceOf(t, e.file)
		if e.old == "" {
			copies[source] = ""
			continue
		}
		if copies[source] == "" {
			copies[source] = filepath.Join(dir, fmt.Sprintf("%d.go", i))
			copyFile(t, copies[source], source)
		}
		apply(t, copies[source], e)
	}
	raw, err := json.Marshal(map[string]any{"Replace": copies})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "fanfare")
	compile := exec.Command("go", "build", "-buildvcs=false", "-overlay", overlay, "-o", program, "fanfare/cmd/fanfare")
	if output, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("building the edited program: %v\n%s", err, output)
	}
	return program
}

func sourceOf(t testing.TB, file string) string {
	t.Helper()
	root := ".."
	if inside, ok := strings.CutPrefix(file, "GOROOT/"); ok {
		output, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			t.Fatalf("asking for GOROOT: %v", err)
		}
		root, file = strings.TrimSpace(string(output)), inside
	}
	path, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func copyFile(t testing.TB, to, from string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

func apply(t testing.TB, path string, e edit) {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(raw), e.old); n != 1 {
		t.Fatalf("%s has %d times the text that is to be replaced, want 1:\n%s", e.file, n, e.old)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(raw), e.old, e.new, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}
