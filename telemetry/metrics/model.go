package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fanfare"
)

type modelMetrics struct {
	calls, tokens, cost *prometheus.CounterVec
	seconds             *prometheus.HistogramVec
}

func newModelMetrics() modelMetrics {
	return modelMetrics{
		calls: counter("fanfare_ai_calls_total", "Calls of the model, by how they went.", "model", "outcome"),
		seconds: histogram("fanfare_ai_call_seconds", "How long calls of the model took, until their answer was read.",
			[]float64{.1, .25, .5, 1, 2, 5, 10, 15, 20, 30, 60, 120}, "model"),
		tokens: counter("fanfare_ai_tokens_total", "Tokens that the model's server has counted, by direction: input or output.", "model", "direction"),
		cost: counter("fanfare_ai_cost_usd_total",
			"What the tokens cost in US dollars, where OPENAI_PRICE_INPUT and OPENAI_PRICE_OUTPUT are set.", "model"),
	}
}

func (a modelMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{a.calls, a.seconds, a.tokens, a.cost}
}

// WatchModel shows a model's series from now on, at 0. The name is the
// operator's own; a process has one model.
func (m *Metrics) WatchModel(model string) {
	for _, outcome := range m.lists.ModelOutcomes {
		m.model.calls.WithLabelValues(model, outcome)
	}
	m.model.seconds.WithLabelValues(model)
	m.model.tokens.WithLabelValues(model, "input")
	m.model.tokens.WithLabelValues(model, "output")
	m.model.cost.WithLabelValues(model)
}

// ModelCalled counts a call of the model, with what it used.
func (m *Metrics) ModelCalled(outcome string, took time.Duration, usage fanfare.Usage) {
	m.model.calls.WithLabelValues(usage.Model, listed(m.lists.ModelOutcomes, outcome)).Inc()
	m.model.seconds.WithLabelValues(usage.Model).Observe(took.Seconds())
	m.model.tokens.WithLabelValues(usage.Model, "input").Add(float64(usage.InputTokens))
	m.model.tokens.WithLabelValues(usage.Model, "output").Add(float64(usage.OutputTokens))
	if usage.CostUSD != nil {
		m.model.cost.WithLabelValues(usage.Model).Add(float64(*usage.CostUSD) / float64(fanfare.MoneyUnit))
	}
}
