package app

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"fanfare"
	"fanfare/jobs"
)

// view shows a job's stream to a person.
type view interface {
	show(event demoEvent)
	close()
}

// lines shows a job's steps, a line each: for logs and pipes.
type lines struct {
	out  io.Writer
	last string
}

// show leaves out snapshots: the events that led to them follow.
func (v *lines) show(event demoEvent) {
	if event.Job == nil || event.Type == "job.snapshot" {
		return
	}
	if line := "  " + progressLine(*event.Job); line != v.last {
		v.last = line
		_, _ = fmt.Fprintln(v.out, line)
	}
}

func (v *lines) close() {}

// progressLine counts messages where those are a job's steps.
func progressLine(job demoJob) string {
	line := job.Status
	switch {
	case job.Progress.Total > 0 && job.Kind == jobs.LaunchCampaign.Name:
		line += fmt.Sprintf(", %d of %d messages done", job.Progress.Completed, job.Progress.Total)
	case job.Progress.Total > 0:
		line += fmt.Sprintf(", %d of %d steps done, last: %s", job.Progress.Completed, job.Progress.Total, job.Progress.Step)
	}
	if job.Attempt > 1 {
		line += fmt.Sprintf(" (attempt %d)", job.Attempt)
	}
	return line
}

// terminal reports whether out is one, and its size.
func terminal(out io.Writer) (width, height int, ok bool) {
	file, isFile := out.(*os.File)
	if !isFile || !term.IsTerminal(int(file.Fd())) || os.Getenv("TERM") == "dumb" {
		return 0, 0, false
	}
	width, height, err := term.GetSize(int(file.Fd()))
	return width, height, err == nil && width >= 20 && height >= 12
}

// screen gives each channel a part of a terminal and shows the words in it as
// they come. It draws over its own lines only (ECMA-48: cursor up, erase line).
type screen struct {
	out           io.Writer
	width, height int
	status        string
	texts         map[fanfare.Channel]*writtenTexts
	drawn         int // lines
}

// writtenTexts are a channel's fields in the order in which they came.
type writtenTexts struct {
	order []string
	text  map[string]string
}

func newScreen(out io.Writer, width, height int) *screen {
	return &screen{out: out, width: width, height: height, texts: map[fanfare.Channel]*writtenTexts{}}
}

func (s *screen) show(event demoEvent) {
	if event.Job != nil {
		s.status = progressLine(*event.Job)
	}
	if event.Type == "job.snapshot" {
		clear(s.texts)
		for channel, fields := range event.Partial {
			for field, text := range fields {
				s.add(channel, field, text)
			}
		}
	}
	if event.Type == "job.delta" {
		s.add(event.Channel, event.Field, event.Text)
	}
	s.draw()
}

func (s *screen) add(channel fanfare.Channel, field, text string) {
	t := s.texts[channel]
	if t == nil {
		t = &writtenTexts{text: map[string]string{}}
		s.texts[channel] = t
	}
	if !slices.Contains(t.order, field) {
		t.order = append(t.order, field)
	}
	t.text[field] += text
}

// close leaves the terminal to what is printed next.
func (s *screen) close() {
	s.erase()
	_, _ = fmt.Fprintf(s.out, "  %s\n", s.status)
}

func (s *screen) erase() {
	if s.drawn > 0 {
		_, _ = fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.drawn)
	}
	s.drawn = 0
}

func (s *screen) draw() {
	rows := []string{"  " + s.status}
	channels := s.channels()
	for _, channel := range channels {
		rows = append(rows, "── "+string(channel)+" "+strings.Repeat("─", max(0, s.width-len(channel)-5)))
		wrapped := wrap(s.texts[channel].String(), s.width-2)
		keep := max(1, (s.height-2)/len(channels)-1)
		for _, row := range wrapped[max(0, len(wrapped)-keep):] {
			rows = append(rows, "  "+row)
		}
	}
	s.erase()
	for i, row := range rows {
		rows[i] = string([]rune(row)[:min(len([]rune(row)), s.width-1)])
	}
	_, _ = fmt.Fprintln(s.out, strings.Join(rows, "\n"))
	s.drawn = len(rows)
}

func (s *screen) channels() []fanfare.Channel {
	return slices.DeleteFunc(fanfare.Channels(), func(c fanfare.Channel) bool { return s.texts[c] == nil })
}

func (t *writtenTexts) String() string {
	parts := make([]string, len(t.order))
	for i, field := range t.order {
		parts[i] = field + ": " + t.text[field]
	}
	return strings.Join(parts, "\n")
}

// wrap breaks text into rows of at most width characters, at spaces where
// there are any.
func wrap(text string, width int) []string {
	var rows []string
	for line := range strings.SplitSeq(text, "\n") {
		row := ""
		for word := range strings.FieldsSeq(line) {
			if row != "" && len([]rune(row))+1+len([]rune(word)) > width {
				rows = append(rows, row)
				row = ""
			}
			row = strings.TrimSpace(row + " " + word)
		}
		if row != "" {
			rows = append(rows, row)
		}
	}
	return rows
}
