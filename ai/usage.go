package ai

import (
	"math"
	"math/big"

	"github.com/sashabaranov/go-openai"

	"fanfare"
)

const tokensPerPrice = 1_000_000

// maxTokensPerCall bounds what a server may claim, so that sums cannot overflow.
const maxTokensPerCall = math.MaxInt32

// tokens counts what calls took.
type tokens struct{ input, output int }

func (t *tokens) add(u openai.Usage) {
	t.input += min(max(u.PromptTokens, 0), maxTokensPerCall)
	t.output += min(max(u.CompletionTokens, 0), maxTokensPerCall)
}

// usage prices what was spent.
func (w *Writer) usage(spent tokens) fanfare.Usage {
	return fanfare.Usage{
		InputTokens:  spent.input,
		OutputTokens: spent.output,
		CostUSD:      cost(spent, w.config.PriceInput, w.config.PriceOutput),
		Model:        w.Model(),
	}
}

// Model is the name under which work is counted.
func (w *Writer) Model() string {
	if w.config.Demo {
		return DemoModel
	}
	return w.config.Model
}

// cost is exact and then rounded up to a billionth, nil where a price is unset.
func cost(spent tokens, input, output *fanfare.Money) *fanfare.Money {
	if input == nil || output == nil {
		return nil
	}
	sum := new(big.Int).Mul(big.NewInt(int64(spent.input)), big.NewInt(int64(*input)))
	sum.Add(sum, new(big.Int).Mul(big.NewInt(int64(spent.output)), big.NewInt(int64(*output))))
	sum.Add(sum, big.NewInt(tokensPerPrice-1))
	sum.Div(sum, big.NewInt(tokensPerPrice))
	amount := fanfare.Money(math.MaxInt64)
	if sum.IsInt64() {
		amount = fanfare.Money(sum.Int64())
	}
	return &amount
}
