package containers

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestPinImages with a stand-in for Docker: the digests get to where the images
// are named, twice the same, and what is there stays sound.
func TestPinImages(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"Dockerfile.api", "Dockerfile.worker", "docker-compose.prod.yml", "scripts/pin-images", "bin/docker"} {
		content := "#!/bin/sh\necho sha256:" + strings.Repeat("ab", 32) + "\n"
		if path != "bin/docker" {
			content = text(t, path)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		cmd := exec.Command("sh", filepath.Join(dir, "scripts/pin-images"))
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil || strings.Count(string(out), "\n") != 5 {
			t.Fatalf("%v: %s", err, out)
		}
	}
	for path, want := range map[string]int{"Dockerfile.api": 1, "Dockerfile.worker": 1, "docker-compose.prod.yml": 4} {
		raw, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(string(raw), "@sha256:"+strings.Repeat("ab", 32), "")
		if n := strings.Count(string(raw), "@sha256:"); n != want {
			t.Errorf("%s has %d digests, want %d", path, n, want)
		}
		if committed := regexp.MustCompile(`@sha256:[0-9a-f]{64}`).ReplaceAllString(text(t, path), ""); got != committed {
			t.Errorf("%s changed by more than digests", path)
		}
	}
}
