package ai

import (
	"context"
	"time"

	"fanfare"
)

// What answers have in tokens, by their rules at four characters a token: an
// e-mail of 400 words, the longest allowed, is about 2,700 characters with its
// markup; the reading of a brief about 500.
const (
	EmailTokens  = 700
	IntentTokens = 130
)

const charactersPerToken = 4

// Speed is how fast a model wrote one small answer.
type Speed struct {
	FirstWord time.Duration // from the request to its first text
	Total     time.Duration
	Tokens    int // of the answer's text, reckoned from its length
	Usage     fanfare.Usage
}

// Rate is how many tokens a second it writes. A text that came at once was
// written before its first word.
func (s Speed) Rate() float64 {
	writing := s.Total - s.FirstWord
	if writing < s.Total/10 {
		writing = s.Total
	}
	return float64(s.Tokens) / max(writing, time.Microsecond).Seconds()
}

// For is how long an answer of so many tokens would take.
func (s Speed) For(tokens int) time.Duration {
	first := s.FirstWord
	if s.Total-first < s.Total/10 {
		first = 0
	}
	return first + time.Duration(float64(tokens)/s.Rate()*float64(time.Second))
}

// Measure has the model write one small text, asked for as any other. It costs
// some hundred tokens. Whether the text is any good is not looked at.
func (w *Writer) Measure(ctx context.Context) (Speed, error) {
	watch := &stopwatch{}
	schema, _ := contentSchema(fanfare.Social)
	brief := fanfare.Brief{Text: "Tell our customers about the first tea of the year"}
	intent := fanfare.Intent{Goal: "Sell the first tea of the year", Channels: []fanfare.Channel{fanfare.Social}}
	a, err := w.call(ctx, question{
		name: string(fanfare.Social), schema: schema,
		messages: conversation(w.prompts[string(fanfare.Social)], brief, &intent),
		texts:    newTexts(watch, fanfare.Social),
	})
	total := time.Since(watch.started)
	if err != nil {
		return Speed{}, err
	}
	var spent tokens
	spent.add(a.usage)
	if watch.first == 0 {
		watch.first = total
	}
	return Speed{FirstWord: watch.first, Total: total, Tokens: max(len(a.text)/charactersPerToken, 1), Usage: w.usage(spent)}, nil
}

// stopwatch is a sink that only looks at the time. Each request starts it anew.
type stopwatch struct {
	started time.Time
	first   time.Duration
}

func (s *stopwatch) Restart(fanfare.Channel) { s.started, s.first = time.Now(), 0 }

func (s *stopwatch) Append(fanfare.Channel, string, string) {
	if s.first == 0 {
		s.first = time.Since(s.started)
	}
}
