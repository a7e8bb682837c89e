package containers

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

var dockerfiles = map[string]string{"Dockerfile.api": "api", "Dockerfile.worker": "worker"}

func stages(t *testing.T, path string) []instructions.Stage {
	t.Helper()
	parsed, err := parser.Parse(strings.NewReader(text(t, path)))
	if err != nil {
		t.Fatal(err)
	}
	for _, warning := range parsed.Warnings {
		t.Errorf("%s: %s", path, warning.Short)
	}
	lint := linter.New(&linter.Config{Warn: func(rule, description, _, message string, _ []parser.Range) {
		t.Errorf("%s: %s: %s (%s)", path, rule, message, description)
	}})
	stages, _, err := instructions.Parse(parsed.AST, lint)
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

// last is the last instruction of a kind in a stage.
func last[T any](stage instructions.Stage) (found T) {
	for _, command := range stage.Commands {
		if c, ok := command.(T); ok {
			found = c
		}
	}
	return found
}

func TestImagesHoldTheProgramAndNothingElse(t *testing.T) {
	for path, process := range dockerfiles {
		t.Run(path, func(t *testing.T) {
			stages := stages(t, path)
			if len(stages) != 2 || stages[1].BaseName != "scratch" {
				t.Fatalf("%d stages; the last one is made from %s, want scratch", len(stages), stages[len(stages)-1].BaseName)
			}
			image := stages[1]
			if user := last[*instructions.UserCommand](image); user == nil || !isNumericUser(strings.Split(user.User, ":")[0]) {
				t.Errorf("it runs as %+v, want a number that is not 0", user)
			}
			entry := last[*instructions.EntrypointCommand](image)
			if entry == nil || entry.PrependShell || !slices.Equal(entry.CmdLine, []string{"/fanfare"}) {
				t.Errorf("it runs %+v", entry)
			}
			command := last[*instructions.CmdCommand](image)
			if command == nil || command.PrependShell || !slices.Equal(command.CmdLine, []string{process}) {
				t.Errorf("its command is %+v, want %s", command, process)
			}
			health := last[*instructions.HealthCheckCommand](image)
			if health == nil || !slices.Equal(health.Health.Test, []string{"CMD", "/fanfare", "healthcheck", process}) {
				t.Errorf("its health check is %+v", health)
			}
			if last[*instructions.RunCommand](image) != nil {
				t.Error("nothing can be run in an image without a shell")
			}
			var copied []string
			for _, c := range image.Commands {
				if c, ok := c.(*instructions.CopyCommand); ok {
					copied = append(copied, c.From+":"+strings.Join(c.SourcePaths, " ")+":"+c.DestPath)
				}
			}
			want := []string{"build:/etc/ssl/certs/ca-certificates.crt:/etc/ssl/certs/ca-certificates.crt", "build:/out/fanfare:/fanfare"}
			if !slices.Equal(copied, want) {
				t.Errorf("it holds %q", copied)
			}
		})
	}
}

func TestImagesAreBuiltStatically(t *testing.T) {
	version := strings.Fields(goTool(t, "list", "-m", "-f", "{{.GoVersion}}"))[0]
	for path := range dockerfiles {
		build := stages(t, path)[0]
		if !pinned.MatchString(build.BaseName) {
			t.Errorf("%s is built by %s", path, build.BaseName)
		}
		_, tag, _ := strings.Cut(build.BaseName, "golang:")
		if !strings.HasPrefix(tag, strings.Join(strings.Split(version, ".")[:2], ".")+".") {
			t.Errorf("%s is built by %s, the code is of Go %s", path, build.BaseName, version)
		}
		run := last[*instructions.RunCommand](build)
		line := strings.Join(run.CmdLine, " ")
		for _, want := range []string{"CGO_ENABLED=0", "-trimpath", "-X main.version=$VERSION", "-o /out/fanfare ./cmd/fanfare"} {
			if !strings.Contains(line, want) {
				t.Errorf("%s is built without %q: %s", path, want, line)
			}
		}
	}
}

// TestWhatIsBuiltIsInTheContext: every file that the program is made from, and
// nothing that is nobody's business.
func TestWhatIsBuiltIsInTheContext(t *testing.T) {
	patterns, err := ignorefile.ReadAll(strings.NewReader(text(t, ".dockerignore")))
	if err != nil {
		t.Fatal(err)
	}
	ignored := func(path string) bool {
		matched, err := patternmatcher.MatchesOrParentMatches(path, patterns)
		if err != nil {
			t.Fatal(err)
		}
		return matched
	}
	dir, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{"go.mod", "go.sum"}
	packages := json.NewDecoder(strings.NewReader(goTool(t, "list", "-deps", "-json=Dir,GoFiles,EmbedFiles,Module", "./cmd/fanfare")))
	for packages.More() {
		var p struct {
			Dir                 string
			GoFiles, EmbedFiles []string
			Module              *struct{ Main bool }
		}
		if err := packages.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, file := range append(p.GoFiles, p.EmbedFiles...) {
			path, err := filepath.Rel(dir, filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, path)
		}
	}
	if len(files) < 200 {
		t.Fatalf("the program is made from %d files only", len(files))
	}
	for _, file := range files {
		if ignored(file) {
			t.Errorf("%s is needed and ignored", file)
		}
	}
	for _, file := range []string{
		".env.production", ".env", ".git/config", ".fanfare/secrets", "backups/fanfare-20260101T030000Z.dump",
		"store/store_test.go", "ai/testdata/briefs/x", "e2e/main_test.go", "tools/go.mod", "bin/fanfare",
	} {
		if !ignored(file) {
			t.Errorf("%s gets into the images' context", file)
		}
	}
}

// TestCommandsExist in the program itself: those of the images, of compose and
// of the health checks.
func TestCommandsExist(t *testing.T) {
	program := filepath.Join(t.TempDir(), "fanfare")
	goTool(t, "build", "-trimpath", "-buildvcs=false", "-ldflags", "-X main.version=v1", "-o", program, "./cmd/fanfare")
	if out, err := exec.Command(program, "--version").Output(); err != nil || strings.TrimSpace(string(out)) != "v1" {
		t.Errorf("its version is %q, %v", out, err)
	}
	commands := [][]string{}
	for _, command := range ours() {
		commands = append(commands, command)
	}
	for name, service := range project(t).Services {
		if test := service.HealthCheck; test != nil && len(test.Test) > 1 && test.Test[1] == "/fanfare" {
			commands = append(commands, test.Test[2:])
			if !slices.Equal(test.Test[2:], []string{"healthcheck", name}) {
				t.Errorf("%s is checked by %v", name, test.Test)
			}
		}
	}
	if len(commands) != 7 {
		t.Fatalf("%d commands: %v", len(commands), commands)
	}
	for _, command := range commands {
		out, err := exec.Command(program, append(slices.Clone(command), "--help")...).CombinedOutput()
		if err != nil || !bytes.HasPrefix(out, []byte("Usage: fanfare "+command[0])) {
			t.Errorf("fanfare %s --help: %v: %s", strings.Join(command, " "), err, out)
		}
	}
}
