package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type webMetrics struct {
	seconds *prometheus.HistogramVec
	limited *prometheus.CounterVec
	refused prometheus.Counter
	streams prometheus.Gauge
}

func newWebMetrics() webMetrics {
	return webMetrics{
		seconds: histogram("fanfare_http_request_seconds",
			"How long requests took, without the time for which their clients wished to wait for a job (Prefer: wait, streams).",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 5, 10, 30}, "route", "method", "status"),
		limited: counter("fanfare_rate_limited_total", "Requests that were refused, by the limit that they were over.", "limit"),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "fanfare_inputs_refused_total", Help: "Texts that were refused since they try to steer the model.",
		}),
		streams: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "fanfare_open_streams", Help: "Event streams that are open now.",
		}),
	}
}

func (w webMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{w.seconds, w.limited, w.refused, w.streams}
}

// Request counts an answer. A client may ask with any method and for any path:
// the label of a method that no route knows is "other", and that of a path
// without a route "none".
func (m *Metrics) Request(route, method string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.web.seconds.WithLabelValues(route, listed(methods(), method), strconv.Itoa(status)).Observe(took.Seconds())
}

func methods() []string {
	return []string{
		http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
	}
}

// RateLimited counts a request that was over a limit.
func (m *Metrics) RateLimited(limit string) {
	m.web.limited.WithLabelValues(listed(m.lists.Limits, limit)).Inc()
}

// InputRefused counts a text that tried to steer the model.
func (m *Metrics) InputRefused() { m.web.refused.Inc() }

// StreamOpened counts a stream until closed is called.
func (m *Metrics) StreamOpened() (closed func()) {
	m.web.streams.Inc()
	return m.web.streams.Dec
}
