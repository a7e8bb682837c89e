package ai

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"github.com/sashabaranov/go-openai"

	"fanfare"
)

const (
	maxAsks       = 3
	maxEcho       = 64 << 10 // bytes of a broken answer that are shown to the model again
	maxReasons    = 3
	maxReasonSize = 300 // characters of reasons that a person is told
)

// question is what a model is asked, and how its answer is judged.
type question struct {
	name     string
	schema   json.RawMessage
	messages []openai.ChatCompletionMessage
	// check reads the answer, a JSON object, and says which rules it breaks.
	check func(answer []byte) (broken []string)
	texts *texts // hears the answer while it is written; may be nil
}

// ask asks until the answer breaks no rule, at most maxAsks times. The usage
// counts every ask, also when it fails.
func (w *Writer) ask(ctx context.Context, q question) (fanfare.Usage, error) {
	var spent tokens
	var broken []string
	for n := 1; n <= maxAsks; n++ {
		began := time.Now()
		answer, err := w.call(ctx, q)
		if broken = nil; err == nil && !answer.refused {
			broken = answer.judge(q)
		}
		w.count(outcome(ctx, answer.refused, broken, err), time.Since(began), answer.usage)
		spent.add(answer.usage)
		switch {
		case err != nil:
			return w.usage(spent), err
		case answer.refused:
			return w.usage(spent), errRefused()
		case len(broken) == 0:
			return w.usage(spent), nil
		}
		w.log.InfoContext(ctx, "the model's answer broke rules",
			slog.String("answer", q.name), slog.Int("ask", n), slog.Int("rules", len(broken)))
		q.messages = askAgain(q.messages, string(answer.text), broken)
	}
	return w.usage(spent), errBroken(broken)
}

// count tells of one call.
func (w *Writer) count(outcome string, took time.Duration, used openai.Usage) {
	if w.config.Meter == nil {
		return
	}
	var one tokens
	one.add(used)
	w.config.Meter.ModelCalled(outcome, took, w.usage(one))
}

// askAgain adds the refused answer and the reasons. An answer too long to be
// worth its tokens, or an empty one, is not shown again.
func askAgain(messages []openai.ChatCompletionMessage, answer string, broken []string) []openai.ChatCompletionMessage {
	if answer != "" && len(answer) <= maxEcho {
		messages = append(messages, openai.ChatCompletionMessage{Role: openai.ChatMessageRoleAssistant, Content: answer})
	}
	return append(messages, userMessage("Your answer was refused:\n- "+strings.Join(broken, "\n- ")+
		"\nAnswer again with the whole JSON object, and nothing else."))
}

// judge says what is wrong with an answer, from its outside to its inside.
func (a answer) judge(q question) []string {
	if a.truncated {
		return []string{"it was cut off because it was too long; write less"}
	}
	object, found := firstObject(string(a.text))
	if !found {
		return []string{"it holds no valid JSON object"}
	}
	if tells(string(object), q.messages[0].Content) {
		return []string{"it repeats the instructions; write for the campaign alone"}
	}
	return q.check(object)
}

// leastLine is how long a line of our instructions is that nobody writes by chance.
const leastLine = 40

// tells reports whether an answer holds a line of its instructions. They are no
// secret, but nobody wants them in an e-mail.
func tells(object, instructions string) bool {
	text := strings.ReplaceAll(object, `\"`, `"`)
	for line := range strings.Lines(instructions) {
		if line = strings.Trim(line, "- \n"); len(line) >= leastLine && strings.Contains(text, line) {
			return true
		}
	}
	return false
}

// errBroken tells a person in short why no answer was good enough.
func errBroken(broken []string) error {
	reasons := []rune(strings.Join(broken[:min(len(broken), maxReasons)], "; "))
	if len(reasons) > maxReasonSize {
		reasons = append(reasons[:maxReasonSize], '…')
	}
	return final(fanfare.Errorf(fanfare.CodeAIInvalidOutput,
		"The model's answer broke the rules %d times, at last: %s. Try again, or word your request differently.", maxAsks, string(reasons)))
}
