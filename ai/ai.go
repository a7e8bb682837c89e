// Package ai lets a language model read briefs, write content and analyze metrics.
//
// It speaks Chat Completions with any OpenAI-compatible server, tells the texts
// while they are written to whoever listens, keeps what
// users wrote apart from its own instructions, and holds every answer to the
// rules of its channel: what breaks one is asked for again with the reasons,
// never cut to fit. It also cleans what users write before it gets that far.
package ai

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/sashabaranov/go-openai"

	"fanfare"
)

const defaultTimeout = 20 * time.Second

// DemoModel is the name under which the stand-in's work is counted.
const DemoModel = "demo"

// Config says which model to ask, and where.
type Config struct {
	APIKey  string
	BaseURL string // of an OpenAI-compatible server, such as https://host/v1; "" is OpenAI's own
	Model   string
	// Timeout is for one call, the reading of its answer included; 20 s if zero.
	Timeout time.Duration
	// Prices in USD for a million tokens. Unless both are set, costs are unknown.
	PriceInput  *fanfare.Money
	PriceOutput *fanfare.Money
	// Demo says that the server is the stand-in: usage then names it, not Model.
	Demo   bool
	Logger *slog.Logger // nil logs nothing; neither briefs nor answers are ever logged
	Meter  Meter        // nil: nobody counts
}

// Meter hears of each call of the model, for operators to count: how it went
// (see Outcomes), how long it took, and what it used. It never blocks.
type Meter interface {
	ModelCalled(outcome string, took time.Duration, usage fanfare.Usage)
}

// Writer asks a model. It implements fanfare.Writer and fanfare.Analyst, and may be used by many
// goroutines at once.
type Writer struct {
	config  Config
	server  endpoint
	prompts map[string]string // by the name of the answer
	dialect dialect
	log     *slog.Logger
}

var _ fanfare.Writer = (*Writer)(nil)

// New returns a writer. It does not call the server yet.
func New(config Config) *Writer {
	config.Timeout = cmp.Or(config.Timeout, defaultTimeout)
	config.BaseURL = cmp.Or(config.BaseURL, openai.DefaultConfig("").BaseURL)
	return &Writer{
		config:  config,
		server:  newEndpoint(config.BaseURL, config.APIKey),
		prompts: renderPrompts(),
		log:     cmp.Or(config.Logger, slog.New(slog.DiscardHandler)),
	}
}

// ReadBrief implements fanfare.Writer. When ctx ends, the error wraps its
// cause, so that a caller can tell its own cancellation from a slow model.
func (w *Writer) ReadBrief(ctx context.Context, brief fanfare.Brief) (fanfare.Intent, fanfare.Usage, error) {
	var intent fanfare.Intent
	usage, err := w.ask(ctx, question{
		name:     intentName,
		schema:   intentSchema(),
		messages: conversation(w.prompts[intentName], brief, nil),
		check: func(answer []byte) (broken []string) {
			intent, broken = readIntent(answer)
			return broken
		},
	})
	if err != nil {
		return fanfare.Intent{}, usage, err
	}
	return intent, usage, nil
}

// WriteContent implements fanfare.Writer; ctx is as in ReadBrief. The sink may
// be nil. It hears a restart before every request, and then the content's
// fields by their JSON names: entries of a list on lines of their own, the body
// of an e-mail without its markup.
func (w *Writer) WriteContent(
	ctx context.Context, channel fanfare.Channel, brief fanfare.Brief, intent fanfare.Intent, sink fanfare.TextSink,
) (fanfare.ChannelContent, fanfare.Usage, error) {
	schema, known := contentSchema(channel)
	if !known {
		return nil, fanfare.Usage{}, fmt.Errorf("writing content: there is no channel %q", channel)
	}
	var content fanfare.ChannelContent
	usage, err := w.ask(ctx, question{
		name:     string(channel),
		schema:   schema,
		messages: conversation(w.prompts[string(channel)], brief, &intent),
		check: func(answer []byte) (broken []string) {
			content, broken = readContent(channel, answer)
			return broken
		},
		texts: newTexts(sink, channel),
	})
	if err != nil {
		return nil, usage, err
	}
	return content, usage, nil
}
