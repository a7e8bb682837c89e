// Package containers checks, without a Docker engine, that the images and the
// compose file hold what production relies on. It is a module of its own, so
// that the program does not get the parsers' dependencies.
package containers

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

const root = "../.."

// filled are values for what .env.production.example leaves empty. None of them
// may turn up in a file that is committed.
func filled() map[string]string {
	return map[string]string{
		"POSTGRES_PASSWORD": strings.Repeat("0a", 24), "REDIS_PASSWORD": strings.Repeat("1b", 24),
		"AUTH_SECRET": strings.Repeat("2c", 32), "ENCRYPTION_KEY": strings.Repeat("3d", 16),
		"PUBLIC_URL": "https://fanfare.example.com", "OPENAI_API_KEY": "sk-test",
	}
}

// environment is the example's settings with values in place of what is empty.
func environment(t *testing.T, values map[string]string) map[string]string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(text(t, ".env.production.example")) {
		if name, value, _ := strings.Cut(strings.TrimSpace(line), "="); value == "" && values[name] != "" {
			line = name + "=" + values[name] + "\n"
		}
		lines = append(lines, line)
	}
	env, err := dotenv.Parse(strings.NewReader(strings.Join(lines, "")))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

func load(t *testing.T, env map[string]string) (*types.Project, error) {
	t.Helper()
	return loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir: root, Environment: maps.Clone(env),
		ConfigFiles: []types.ConfigFile{{Filename: filepath.Join(root, "docker-compose.prod.yml")}},
	}, func(o *loader.Options) { o.SetProjectName("fanfare", true); o.Profiles = []string{"*"} })
}

func project(t *testing.T) *types.Project {
	t.Helper()
	p, err := load(t, environment(t, filled()))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func text(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// ours are the services that run the program, by the subcommand that they run.
func ours() map[string][]string {
	return map[string][]string{"api": {"api"}, "worker": {"worker"}, "scheduler": {"scheduler"}, "migrate": {"migrate", "up"}}
}

// goTool runs the go command in the program's module.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = root
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v: %s", args[0], err, problems.String())
	}
	return string(out)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
