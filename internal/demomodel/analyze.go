package demomodel

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// performance is what Fanfare asks to be analyzed.
type performance struct {
	Goal     string   `json:"goal"`
	Channels []string `json:"channels"`
	Metrics  any      `json:"metrics"`
	Targets  any      `json:"targets"`
}

// figure is a number that stands in metrics.
type figure struct {
	label string
	value string
	trend string
}

type keyMetric struct {
	Label string `json:"label"`
	Value string `json:"value"`
	Trend string `json:"trend"`
}

func readPerformance(message string) (p performance) {
	decoder := json.NewDecoder(strings.NewReader(message))
	decoder.UseNumber()
	if err := decoder.Decode(&p); err != nil {
		return performance{}
	}
	p.Goal = clip(harmless(p.Goal), 150)
	return p
}

// figures lists the numbers in metrics in the order of their names. A list of
// numbers is one figure over time: its last, heading from its first.
func figures(name string, value any) (found []figure) {
	switch v := value.(type) {
	case json.Number:
		found = append(found, figure{label: name, value: clip(v.String(), 40), trend: "stable"})
	case []any:
		if numbers := numbersIn(v); len(numbers) > 1 && len(numbers) == len(v) {
			return []figure{{name, clip(numbers[len(numbers)-1].String(), 40), heading(numbers)}}
		}
		for i, entry := range v {
			found = append(found, figures(fmt.Sprintf("%s %d", name, i+1), entry)...)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			found = append(found, figures(strings.TrimSpace(name+" "+clip(harmless(key), 60)), v[key])...)
		}
	}
	return found
}

func numbersIn(values []any) (numbers []json.Number) {
	for _, value := range values {
		if number, ok := value.(json.Number); ok {
			numbers = append(numbers, number)
		}
	}
	return numbers
}

func heading(numbers []json.Number) string {
	from, _ := numbers[0].Float64() // 0 for what fits no float: no trend then
	to, _ := numbers[len(numbers)-1].Float64()
	switch {
	case to > from:
		return "up"
	case to < from:
		return "down"
	default:
		return "stable"
	}
}

func (f figure) String() string { return clip(first(f.label, "figure"), 120) + ": " + f.value }

// insights name the figures that were given. The stand-in knows no more than
// these, and says so.
func (p performance) insights() map[string]any {
	found := figures("", p.Metrics)
	summary := fmt.Sprintf("For the goal “%s” %d figures were given. ", p.Goal, len(found))
	if len(found) > 0 {
		summary += "The first is " + found[0].String() + ". "
	}
	metrics := []keyMetric{}
	for _, f := range append(slices.Clone(found[:min(len(found), 5)]), p.counts(len(found))...) {
		if len(metrics) < max(3, min(len(found), 5)) {
			metrics = append(metrics, keyMetric{clip(first(f.label, "figure"), 120), f.value, f.trend})
		}
	}
	return map[string]any{
		"summary":         summary + "This is the demo model: it reads the numbers, and shows a trend only where a list of numbers tells one.",
		"keyMetrics":      metrics,
		"recommendations": p.recommendations(found),
		"optimizations": []string{
			"Change one thing at a time on " + p.channel() + ", and compare" + about(found, 0) + " before and after.",
			"Move effort to the channel whose figures serve the goal best, once each channel's are known.",
		},
	}
}

// counts are figures that every request has, for those that have few others.
func (p performance) counts(given int) []figure {
	return []figure{
		{"Figures given", strconv.Itoa(given), "stable"},
		{"Channels named", strconv.Itoa(len(p.Channels)), "stable"},
		{"Targets given", strconv.Itoa(len(figures("", p.Targets))), "stable"},
	}
}

func (p performance) recommendations(found []figure) []string {
	return []string{
		"Measure" + about(found, 0) + " again in a week, and compare it with today's.",
		"Set a target for" + about(found, 1) + ", so that a change can be judged.",
		"Report figures for each of the channels by itself, beginning with " + p.channel() + ".",
	}
}

// suggestions say how far the metrics are from their targets.
func (p performance) suggestions() map[string]any {
	found := figures("", p.Metrics)
	now := map[string]figure{}
	for _, f := range found {
		now[f.label] = f
	}
	suggestions := []string{}
	for _, target := range figures("", p.Targets) {
		if f, known := now[target.label]; known && f.value != target.value && len(suggestions) < 3 {
			suggestions = append(suggestions, fmt.Sprintf("Work on %s: it is %s, and the target is %s.", clip(f.label, 120), f.value, target.value))
		}
	}
	return map[string]any{"suggestions": append(suggestions,
		"Change one thing at a time on "+p.channel()+", and compare"+about(found, 0)+" before and after.",
		"Watch"+about(found, 1)+" for a week before the next change.",
	)}
}

// about names the figure of a number, or the last one there is.
func about(found []figure, n int) string {
	if len(found) == 0 {
		return " the figures that matter to the goal"
	}
	return " " + found[min(n, len(found)-1)].String()
}

func (p performance) channel() string {
	if len(p.Channels) == 0 {
		return "the first channel"
	}
	return clip(first(harmless(p.Channels[0]), "the first channel"), 60)
}
