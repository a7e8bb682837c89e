package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

const root = "../.."

// pages are all that people read, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || len(d.Name()) > 2 && d.Name()[0] == '.'):
			return fs.SkipDir
		case filepath.Ext(path) == ".md":
			raw, err := os.ReadFile(path)
			found[strings.TrimPrefix(path, root+"/")] = string(raw)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 8 {
		t.Fatalf("only %d pages were found", len(found))
	}
	return found
}

var (
	blocks  = regexp.MustCompile("(?ms)^```.*?^```")
	code    = regexp.MustCompile("(?ms)^```.*?^```|`[^`\n]+`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	command = regexp.MustCompile(`(?:^|[ /(` + "`" + `])fanfare ([a-z][^` + "`" + `#;&<>()\n]*)`)
	target  = regexp.MustCompile(`(?:^|[ ` + "`" + `])make ([a-z][a-z-]*)`)
	path    = regexp.MustCompile("`([A-Za-z0-9_.-]+/[A-Za-z0-9_./*-]*|[A-Za-z0-9_.-]+\\.(?:md|yml|go))`")
)

func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for page, text := range all {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(file, ":") {
				continue // another site's
			}
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(filepath.Join(root, to)); err != nil || anchor != "" && !anchors(all[to])[anchor] {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

// anchors are the headings' names in links, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range heading.FindAllStringSubmatch(blocks.ReplaceAllString(text, ""), -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		found[strings.ReplaceAll(name, " ", "-")] = true
	}
	return found
}

func TestPathsExist(t *testing.T) {
	for page, text := range pages(t) {
		for _, m := range path.FindAllStringSubmatch(blocks.ReplaceAllString(text, ""), -1) {
			first, _, inFolder := strings.Cut(m[1], "/")
			if _, err := os.Stat(filepath.Join(root, first)); inFolder && err != nil || first == "bin" {
				continue // no path of the repository, or one that is built
			}
			here, _ := filepath.Glob(filepath.Join(root, filepath.Dir(page), m[1]))
			fromRoot, _ := filepath.Glob(filepath.Join(root, m[1]))
			if len(here)+len(fromRoot) == 0 && (inFolder || !somewhere(m[1])) {
				t.Errorf("%s names %s, which is not there", page, m[1])
			}
		}
	}
}

// somewhere reports whether a file of that name lies in one of the packages,
// for pages that name it in the row of its package.
func somewhere(name string) bool {
	found, _ := filepath.Glob(filepath.Join(root, "*", name))
	return len(found) > 0
}

func TestMakeTargetsExist(t *testing.T) {
	makefile, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for page, text := range pages(t) {
		for _, span := range code.FindAllString(text, -1) {
			for _, m := range target.FindAllStringSubmatch(span, -1) {
				if !strings.Contains(string(makefile), "\n"+m[1]+":") {
					t.Errorf("%s names make %s, which the Makefile lacks", page, m[1])
				}
			}
		}
	}
}

func TestSubcommandsExist(t *testing.T) {
	parser, err := kong.New(&cli{}, kong.Name("fanfare"), kong.Vars{"version": ""})
	if err != nil {
		t.Fatal(err)
	}
	checked := 0
	for page, text := range pages(t) {
		for _, span := range code.FindAllString(text, -1) {
			for _, m := range command.FindAllStringSubmatch(strings.ReplaceAll(span, `\|`, "|"), -1) {
				checked++
				if unknown := unknownWord(parser.Model.Node, strings.Fields(m[1])); unknown != "" {
					t.Errorf("%s names fanfare %s, but there is no %s", page, m[1], unknown)
				}
			}
		}
	}
	if checked < 20 {
		t.Errorf("only %d commands were found", checked)
	}
}

// TestMessagesAndMetricsExist: what an operator is told to look for is what the
// program says.
func TestMessagesAndMetricsExist(t *testing.T) {
	var source strings.Builder
	for _, folder := range []string{"*", "*/*"} {
		files, _ := filepath.Glob(filepath.Join(root, folder, "*.go"))
		for _, file := range files {
			if raw, err := os.ReadFile(file); err == nil && !strings.HasSuffix(file, "_test.go") {
				source.Write(raw)
			}
		}
	}
	all := pages(t)
	for page, text := range all {
		for _, name := range regexp.MustCompile(`fanfare_[a-z_]+`).FindAllString(text, -1) {
			if !strings.Contains(source.String(), `"`+name+`"`) {
				t.Errorf("%s names the metric %s, which is not there", page, name)
			}
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(all["docs/operations.md"], -1) {
		for _, message := range regexp.MustCompile("`([a-zA-Z]+ [^`]+)`").FindAllStringSubmatch(row[1], -1) {
			if !strings.Contains(source.String(), message[1]) {
				t.Errorf("docs/operations.md quotes %q, which nothing says", message[1])
			}
		}
	}
}

// unknownWord is the first word that is no subcommand, argument or flag there;
// "" if all are. Words with | between them are alternatives.
func unknownWord(node *kong.Node, words []string) string {
	for i, word := range words {
		if name, isFlag := strings.CutPrefix(word, "--"); isFlag {
			if name, _, _ = strings.Cut(name, "="); !hasFlag(node, name) {
				return word
			}
			continue
		}
		if word == "|" || node.Leaf() && len(node.Positional) == 0 && i > 0 && !strings.HasPrefix(words[i-1], "--") {
			return ""
		}
		if node.Leaf() {
			continue // an argument, or a flag's value
		}
		var next *kong.Node
		for name := range strings.SplitSeq(word, "|") {
			if next = child(node, name); next == nil {
				return word
			}
		}
		node = next
	}
	return ""
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func hasFlag(node *kong.Node, name string) bool {
	for _, group := range node.AllFlags(false) {
		for _, flag := range group {
			if flag.Name == name {
				return true
			}
		}
	}
	return false
}
