// Package examples holds briefs to try the program with.
package examples

import (
	"embed"
	"fmt"
	"math/rand/v2"
	"strings"
)

//go:embed briefs/*.txt
var briefs embed.FS

// Brief returns one of the example briefs, drawn at random.
func Brief() (string, error) {
	entries, err := briefs.ReadDir("briefs")
	if err != nil {
		return "", fmt.Errorf("listing the example briefs: %w", err)
	}
	text, err := briefs.ReadFile("briefs/" + entries[rand.IntN(len(entries))].Name())
	if err != nil {
		return "", fmt.Errorf("reading an example brief: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
