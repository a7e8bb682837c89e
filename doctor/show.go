package doctor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Lines returns a way to show findings to people, one a line.
func Lines(w io.Writer, color bool) func(Finding) {
	return func(f Finding) {
		verdict := fmt.Sprintf("%-8s", f.Verdict)
		if color {
			verdict = colors()[f.Verdict] + verdict + "\x1b[0m"
		}
		text := strings.TrimSuffix(f.Found, ".") + "."
		if f.Advice != "" {
			text += " " + f.Advice
		}
		_, _ = fmt.Fprintf(w, "%s %-20s %s\n", verdict, f.Check, oneLine(text))
	}
}

func colors() map[Verdict]string {
	return map[Verdict]string{OK: "\x1b[32m", Warning: "\x1b[33m", Problem: "\x1b[31m", Skipped: "\x1b[2m"}
}

// oneLine keeps what servers say from doing anything to a terminal.
func oneLine(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)), " ")
}

// JSON writes all findings as one object for machines.
func JSON(w io.Writer, findings []Finding) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(struct {
		Verdict  Verdict   `json:"verdict"`
		Findings []Finding `json:"findings"`
	}{Worst(findings), findings})
}

// Worst is the verdict on everything.
func Worst(findings []Finding) Verdict {
	worst := Verdict("")
	weight := map[Verdict]int{Warning: 1, Problem: 2}
	for _, f := range findings {
		if weight[f.Verdict] > weight[worst] {
			worst = f.Verdict
		}
	}
	return cmp.Or(worst, OK)
}
