package ai

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sashabaranov/go-openai"

	"fanfare"
)

var _ fanfare.Analyst = (*Writer)(nil)

// Analyze implements fanfare.Analyst; ctx is as in ReadBrief.
func (w *Writer) Analyze(ctx context.Context, performance fanfare.Performance) (fanfare.Insights, fanfare.Usage, error) {
	var insights fanfare.Insights
	usage, err := w.ask(ctx, question{
		name:     analyzeName,
		schema:   insightsSchema(),
		messages: figures(w.prompts[analyzeName], performance),
		check: func(answer []byte) (broken []string) {
			insights, broken = readInsights(answer)
			return broken
		},
	})
	if err != nil {
		return fanfare.Insights{}, usage, err
	}
	return insights, usage, nil
}

// SuggestOptimizations implements fanfare.Analyst; ctx is as in ReadBrief.
func (w *Writer) SuggestOptimizations(ctx context.Context, performance fanfare.Performance) ([]string, fanfare.Usage, error) {
	var suggestions []string
	usage, err := w.ask(ctx, question{
		name:     optimizeName,
		schema:   suggestionsSchema(),
		messages: figures(w.prompts[optimizeName], performance),
		check: func(answer []byte) (broken []string) {
			suggestions, broken = readSuggestions(answer)
			return broken
		},
	})
	if err != nil {
		return nil, usage, err
	}
	return suggestions, usage, nil
}

// figures puts what is to be analyzed into a message of its own, as JSON in
// which < stays <, as the user wrote it.
func figures(prompt string, performance fanfare.Performance) []openai.ChatCompletionMessage {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(performance); err != nil {
		panic(err) // strings, and JSON that was decoded from JSON, can always be encoded
	}
	return []openai.ChatCompletionMessage{
		{Role: openai.ChatMessageRoleSystem, Content: prompt},
		userMessage(strings.TrimSpace(text.String())),
	}
}

func readInsights(object []byte) (fanfare.Insights, []string) {
	var insights fanfare.Insights
	if broken := decode(object, &insights); len(broken) > 0 {
		return insights, broken
	}
	broken := plain("summary", insights.Summary, true)
	for i, metric := range insights.KeyMetrics {
		broken = append(broken, plain(fmt.Sprintf("keyMetrics[%d].label", i), metric.Label, false)...)
		broken = append(broken, plain(fmt.Sprintf("keyMetrics[%d].value", i), metric.Value, false)...)
	}
	broken = append(broken, plains("recommendations", insights.Recommendations)...)
	broken = append(broken, plains("optimizations", insights.Optimizations)...)
	return insights, append(broken, insights.Problems()...)
}

func readSuggestions(object []byte) ([]string, []string) {
	var answer struct {
		Suggestions []string `json:"suggestions"`
	}
	if broken := decode(object, &answer); len(broken) > 0 {
		return nil, broken
	}
	broken := plains("suggestions", answer.Suggestions)
	return answer.Suggestions, append(broken, fanfare.SuggestionProblems(answer.Suggestions)...)
}

func plains(name string, values []string) (broken []string) {
	for i, value := range values {
		broken = append(broken, plain(fmt.Sprintf("%s[%d]", name, i), value, true)...)
	}
	return broken
}
