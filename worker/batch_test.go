package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/await"
)

// press is where batches are written: each write waits for a leave, and
// answers the items that have an effect in upper case.
type press struct {
	leave chan error
	mu    sync.Mutex
	wrote [][]string
}

func newPress() (*press, *batch[string, string]) {
	p := &press{leave: make(chan error, 10)}
	name := func(s string) string { s, _, _ = strings.Cut(strings.ToLower(s), " "); return s }
	return p, &batch[string, string]{write: p.write, in: name, out: name}
}

func (p *press) write(_ context.Context, items []string) ([]string, error) {
	p.mu.Lock()
	p.wrote = append(p.wrote, slices.Clone(items))
	p.mu.Unlock()
	if err := <-p.leave; err != nil {
		return nil, err
	}
	var answers []string
	for _, item := range items {
		if strings.HasPrefix(item, "bad") {
			return nil, errors.New(item)
		}
		if !strings.HasSuffix(item, "stale") {
			answers = append(answers, strings.ToUpper(item))
		}
	}
	slices.Reverse(answers) // a statement returns rows in any order
	return answers, nil
}

func (p *press) writes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.wrote)
}

// behind begins a write and has the items wait in their order behind it.
// What it returns waits for the answers of all.
func behind(t *testing.T, p *press, b *batch[string, string], items ...string) (answers func() []string) {
	t.Helper()
	got := make([]string, len(items)+1)
	var wg sync.WaitGroup
	for i, item := range append([]string{"first"}, items...) {
		wg.Go(func() {
			answer, err := b.do(t.Context(), item)
			switch {
			case err != nil:
				got[i] = "error: " + err.Error()
			case answer != nil:
				got[i] = *answer
			}
		})
		await.True(t, item+" is written or waits", func() bool {
			b.mu.Lock()
			defer b.mu.Unlock()
			return p.writes() == 1 && len(b.waiting) == i
		})
	}
	return func() []string { wg.Wait(); return got }
}

func TestWhatWaitsIsWrittenTogether(t *testing.T) {
	p, b := newPress()
	answers := behind(t, p, b, "a", "b stale", "c")
	p.leave <- nil
	p.leave <- nil
	if diff := cmp.Diff([]string{"FIRST", "A", "", "C"}, answers()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([][]string{{"first"}, {"a", "b stale", "c"}}, p.wrote); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

// TestTwoOfOneNameAreWrittenApart: a stale attempt must not get the answer of
// the one that holds the lease.
func TestTwoOfOneNameAreWrittenApart(t *testing.T) {
	for _, items := range [][]string{{"job live", "job stale"}, {"job stale", "job live"}} {
		p, b := newPress()
		answers := behind(t, p, b, items...)
		for range 3 {
			p.leave <- nil
		}
		want := map[string]string{"job live": "JOB LIVE", "job stale": ""}
		for i, answer := range answers()[1:] {
			if answer != want[items[i]] {
				t.Errorf("%v: %q was answered %q, want %q", items, items[i], answer, want[items[i]])
			}
		}
	}
}

func TestABadItemFailsAlone(t *testing.T) {
	p, b := newPress()
	answers := behind(t, p, b, "a", "bad", "c")
	for range 5 { // the first, the three together, and each of them
		p.leave <- nil
	}
	if diff := cmp.Diff([]string{"FIRST", "A", "error: bad", "C"}, answers()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}

// TestAnOutageFailsAllAtOnce: trying each would only take longer.
func TestAnOutageFailsAllAtOnce(t *testing.T) {
	p, b := newPress()
	answers := behind(t, p, b, "a", "b")
	p.leave <- nil
	p.leave <- fanfare.Errorf(fanfare.CodeUnavailable, "Away.")
	if diff := cmp.Diff([]string{"FIRST", "error: unavailable: Away.", "error: unavailable: Away."}, answers()); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
	if p.writes() != 2 {
		t.Errorf("%d writes, want 2", p.writes())
	}
}

func TestABatchHasABound(t *testing.T) {
	p, b := newPress()
	items := make([]string, batchMax+1)
	for i := range items {
		items[i] = fmt.Sprint("i", i)
	}
	answers := behind(t, p, b, items...)
	for range 3 {
		p.leave <- nil
	}
	answers()
	for i, want := range []int{1, batchMax, 1} {
		if len(p.wrote[i]) != want {
			t.Errorf("write %d has %d items, want %d", i, len(p.wrote[i]), want)
		}
	}
}
