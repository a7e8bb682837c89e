// Package doctor runs checks side by side, each with a limit of its own, and
// shows what they found. What is checked is the business of whoever makes the
// checks.
package doctor

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Verdict says how something is.
type Verdict string

// The verdicts. A warning can be lived with; a problem can't.
const (
	OK      Verdict = "ok"
	Warning Verdict = "warning"
	Problem Verdict = "problem"
	Skipped Verdict = "skipped"
)

// Finding is what a check has found, a sentence, and what to do about it,
// another one, "" where nothing is to be done. Neither holds a secret.
type Finding struct {
	Check   string  `json:"check"`
	Verdict Verdict `json:"verdict"`
	Found   string  `json:"found"`
	Advice  string  `json:"advice,omitempty"`
}

// Fine is a finding of what is as it should be.
func Fine(format string, args ...any) Finding {
	return Finding{Verdict: OK, Found: fmt.Sprintf(format, args...)}
}

// Warn is a finding of what can be lived with.
func Warn(found, advice string) Finding {
	return Finding{Verdict: Warning, Found: found, Advice: advice}
}

// Bad is a finding of what must be mended.
func Bad(found, advice string) Finding {
	return Finding{Verdict: Problem, Found: found, Advice: advice}
}

// Skip is a finding of what was not looked at, and why.
func Skip(why string) Finding { return Finding{Verdict: Skipped, Found: why} }

// Check is one look at something.
type Check struct {
	Name  string
	Limit time.Duration // after which it is a problem
	// Gate is set where the checks that follow in the group make no sense once
	// this one has found a problem.
	Gate bool
	Look func(ctx context.Context) []Finding
}

// Group is checks that depend on each other, in their order.
type Group []Check

// Run runs the groups side by side and shows every finding in the order of the
// checks, as soon as it is its turn. It returns how many problems there are.
func Run(ctx context.Context, groups []Group, show func(Finding)) (problems int) {
	found := make([]chan Finding, len(groups))
	for i, group := range groups {
		found[i] = make(chan Finding)
		go func() {
			defer close(found[i])
			group.run(ctx, func(f Finding) { found[i] <- f })
		}()
	}
	for _, findings := range found {
		for f := range findings {
			if f.Verdict == Problem {
				problems++
			}
			show(f)
		}
	}
	return problems
}

func (g Group) run(ctx context.Context, tell func(Finding)) {
	closed := "" // the name of the gate
	for _, check := range g {
		findings := []Finding{Skip("not looked at, because of " + closed)}
		if closed == "" {
			findings = check.look(ctx)
		}
		for _, f := range findings {
			f.Check = cmp.Or(f.Check, check.Name)
			if f.Verdict == Problem && check.Gate && closed == "" {
				closed = check.Name
			}
			tell(f)
		}
	}
}

// look does not wait for what does not heed its context.
func (c Check) look(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, c.Limit)
	defer cancel()
	done := make(chan []Finding, 1)
	go func() { done <- c.Look(ctx) }()
	select {
	case findings := <-done:
		return findings
	case <-ctx.Done():
		return []Finding{Bad(fmt.Sprintf("no answer within %s", c.Limit), "See whether the server hangs, or is cut off by the network.")}
	}
}
