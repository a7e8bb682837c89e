// Package metrics counts what operators watch, and shows it to Prometheus. It
// alone knows its client library.
//
// Each label has a fixed set of values: kinds, queues, channels and statuses are
// the program's own lists, routes are patterns, and what is none of those is
// "other". Nothing that a user made is in any of them.
package metrics

import (
	"net/http"
	"runtime"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"fanfare"
)

// other is the label of what is in no list.
const other = "other"

// Lists are the values that labels may have; each series of them is there from
// the start, at 0, so that its first increase is seen as one.
type Lists struct {
	Kinds, Queues, Limits, ModelOutcomes []string
}

// Metrics are those of one process. It implements the Meter interfaces of
// packages api, worker, scheduler and ai.
type Metrics struct {
	lists    Lists
	registry *prometheus.Registry
	database *database
	jobs     jobMetrics
	model    modelMetrics
	web      webMetrics
}

// New returns metrics of a process, such as api, with a registry of their own.
func New(process, version string, lists Lists) *Metrics {
	m := &Metrics{
		lists: lists, registry: prometheus.NewRegistry(), database: &database{queues: lists.Queues},
		jobs: newJobMetrics(), model: newModelMetrics(), web: newWebMetrics(),
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "fanfare_build_info", Help: "Always 1; its labels say what runs.",
		ConstLabels: prometheus.Labels{"process": process, "version": version, "goversion": runtime.Version()},
	})
	build.Set(1)
	m.registry.MustRegister(build, m.database,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(m.jobs.all()...)
	m.registry.MustRegister(m.model.all()...)
	m.registry.MustRegister(m.web.all()...)
	m.startAtZero()
	return m
}

func (m *Metrics) startAtZero() {
	for _, kind := range m.lists.Kinds {
		for _, status := range fanfare.JobStatuses() {
			if status.Done() {
				m.jobs.done.WithLabelValues(kind, string(status))
			}
		}
		m.jobs.seconds.WithLabelValues(kind)
		m.jobs.queued.WithLabelValues(kind)
		m.jobs.lost.WithLabelValues(kind)
		m.jobs.fenced.WithLabelValues(kind)
	}
	for _, queue := range m.lists.Queues {
		m.jobs.restored.WithLabelValues(queue)
	}
	for _, channel := range fanfare.Channels() {
		for _, status := range settledStatuses() {
			m.jobs.deliveries.WithLabelValues(string(channel), string(status))
		}
	}
	for _, limit := range m.lists.Limits {
		m.web.limited.WithLabelValues(limit)
	}
}

// Handler answers GET /metrics. What can't be collected is left out, and the
// rest is shown.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	return mux
}

// listed is value if it is in list.
func listed(list []string, value string) string {
	if slices.Contains(list, value) {
		return value
	}
	return other
}

func counter(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
}

func histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
}
