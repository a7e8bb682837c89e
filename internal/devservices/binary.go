package devservices

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"fanfare"
)

// findBinaries returns the paths of a server's program, the one to prefer
// first: from PATH, then from the folders (glob patterns), newest version first.
func findBinaries(name string, folders []string) []string {
	var found []string
	if path, err := exec.LookPath(name); err == nil {
		found = append(found, path)
	}
	for _, folder := range folders {
		matches, _ := filepath.Glob(filepath.Join(folder, name))
		slices.SortFunc(matches, func(a, b string) int { return pathVersion(b) - pathVersion(a) })
		found = append(found, slices.DeleteFunc(matches, func(path string) bool { return !executable(path) })...)
	}
	return found
}

// pathVersion returns the number in a path such as /usr/lib/postgresql/15/bin
// or /opt/homebrew/opt/postgresql@17/bin, 0 if there is none.
func pathVersion(path string) int {
	parts := strings.Split(path, "/")
	for _, part := range slices.Backward(parts) {
		if n, err := strconv.Atoi(part[strings.Index(part, "@")+1:]); err == nil {
			return n
		}
	}
	return 0
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// notInstalled says how to install a server, by its Debian and Homebrew packages.
func notInstalled(server, debian, homebrew string) error {
	command := "sudo apt-get install " + debian
	if runtime.GOOS == "darwin" {
		command = "brew install " + homebrew
	}
	return fanfare.Errorf(fanfare.CodeUnavailable,
		"%s is not installed. Install it with `%s` (or run scripts/install-deps), or set DATABASE_URL and REDIS_URL to servers of your own.", server, command)
}

// wrongVersion says what to do about data of a version that is not there.
func wrongVersion(data, version string) error {
	return fanfare.Errorf(fanfare.CodeUnavailable,
		"The data in %s was made by PostgreSQL %s, which is not installed: install that version, or remove the directory to start afresh.", data, version)
}
