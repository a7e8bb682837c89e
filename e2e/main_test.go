// Package e2e runs the real program, several processes of it, on real servers,
// breaks something on purpose, and counts from outside.
package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"fanfare/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// program builds cmd/fanfare once for all tests.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "fanfare-e2e")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "fanfare")
	output, err := exec.Command("go", "build", "-buildvcs=false", "-o", path, "fanfare/cmd/fanfare").CombinedOutput()
	if err != nil {
		os.Stderr.Write(output)
	}
	return path, err
})
