package ai

import (
	"bytes"
	"embed"
	"encoding/json"
	"strings"
	"text/template"

	"github.com/sashabaranov/go-openai"

	"fanfare"
)

//go:embed prompts/*.md
var promptFiles embed.FS

// What a model is told to aim at, a little inside of what is allowed: models
// count badly.
const (
	bodyAimWords = 280
	postAim      = 500
)

// limits are the only values that go through the templates: ours, never a
// user's.
type limits struct {
	SubjectMax, PreviewMax                   int
	BodyMinWords, BodyMaxWords, BodyAimWords int
	PostAim                                  int
	HeadlineMax, DescriptionMax              int
	TextMax                                  int
	KeyMetricsMin, KeyMetricsMax             int
	RecommendationsMin, RecommendationsMax   int
	OptimizationsMin, OptimizationsMax       int
	SuggestionsMin, SuggestionsMax           int
}

// renderPrompts returns the instructions for each answer. It panics if a
// prompt file is broken, which any test and any start of the program shows.
func renderPrompts() map[string]string {
	files := template.Must(template.ParseFS(promptFiles, "prompts/*.md"))
	values := limits{
		SubjectMax: fanfare.EmailSubjectMax, PreviewMax: fanfare.EmailPreviewMax,
		BodyMinWords: fanfare.EmailBodyMinWords, BodyMaxWords: fanfare.EmailBodyMaxWords, BodyAimWords: bodyAimWords,
		PostAim:     postAim,
		HeadlineMax: fanfare.PPCHeadlineMax, DescriptionMax: fanfare.PPCDescriptionMax,
		TextMax:       fanfare.SMSTextMax,
		KeyMetricsMin: fanfare.KeyMetricsMin, KeyMetricsMax: fanfare.KeyMetricsMax,
		RecommendationsMin: fanfare.RecommendationsMin, RecommendationsMax: fanfare.RecommendationsMax,
		OptimizationsMin: fanfare.OptimizationsMin, OptimizationsMax: fanfare.OptimizationsMax,
		SuggestionsMin: fanfare.SuggestionsMin, SuggestionsMax: fanfare.SuggestionsMax,
	}
	prompts := map[string]string{}
	for _, name := range answerNames() {
		var text strings.Builder
		if err := files.ExecuteTemplate(&text, name+".md", values); err != nil {
			panic(err)
		}
		prompts[name] = text.String()
	}
	return prompts
}

// answerNames lists what a model can be asked for.
func answerNames() []string {
	names := []string{intentName, analyzeName, optimizeName}
	for _, channel := range fanfare.Channels() {
		names = append(names, string(channel))
	}
	return names
}

// conversation puts the instructions into the system message and everything
// that users wrote into messages of their own; the brief, verbatim, is the last.
func conversation(prompt string, brief fanfare.Brief, intent *fanfare.Intent) []openai.ChatCompletionMessage {
	messages := []openai.ChatCompletionMessage{{Role: openai.ChatMessageRoleSystem, Content: prompt}}
	for _, turn := range brief.History {
		messages = append(messages, turnMessage(turn))
	}
	if brief.Voice != nil || intent != nil {
		messages = append(messages, userMessage(background(brief.Voice, intent)))
	}
	return append(messages, userMessage(brief.Text))
}

func userMessage(text string) openai.ChatCompletionMessage {
	return openai.ChatCompletionMessage{Role: openai.ChatMessageRoleUser, Content: text}
}

// turnMessage lets only our own model's words pass as the model's.
func turnMessage(turn fanfare.Turn) openai.ChatCompletionMessage {
	switch {
	case turn.Role != fanfare.MessageAssistant:
		return userMessage(turn.Content)
	case turn.Quoted:
		return userMessage("Quoted by the client, not your own words: " + turn.Content)
	default:
		return openai.ChatCompletionMessage{Role: openai.ChatMessageRoleAssistant, Content: turn.Content}
	}
}

// background is what the model needs to know beside the brief, as JSON in
// which < stays <, as the user wrote it.
func background(voice *fanfare.Voice, intent *fanfare.Intent) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(struct {
		BrandVoice *fanfare.Voice  `json:"brandVoice,omitempty"`
		Intent     *fanfare.Intent `json:"intent,omitempty"`
	}{voice, intent})
	if err != nil {
		panic(err) // strings, lists and amounts can always be encoded
	}
	return strings.TrimSpace(text.String())
}
