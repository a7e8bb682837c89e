package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fanfare"
)

type jobMetrics struct {
	done, lost, fenced, restored, deliveries *prometheus.CounterVec
	seconds, queued                          *prometheus.HistogramVec
}

func newJobMetrics() jobMetrics {
	return jobMetrics{
		done: counter("fanfare_jobs_total",
			"Jobs that have ended, by the status they ended in. Counted once, by the process that ended them.", "kind", "status"),
		seconds: histogram("fanfare_job_seconds",
			"How long attempts ran, from the claim until the outcome was written; a job that is retried has several.",
			[]float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800}, "kind"),
		queued: histogram("fanfare_job_queued_seconds",
			"How long jobs waited from their acceptance to the start of their first attempt.",
			[]float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 900, 1800}, "kind"),
		lost: counter("fanfare_lease_losses_total",
			"Attempts that were taken from a worker which did not renew its lease. Counted by the scheduler that took them.", "kind"),
		fenced: counter("fanfare_attempts_fenced_total",
			"Attempts whose worker found their lease gone, so that nothing more of them was written. Counted by that worker, if it lives.", "kind"),
		restored: counter("fanfare_relay_enqueued_total",
			"Tasks that were not on their way and that the relay has enqueued again: Redis was away, or has lost them.", "queue"),
		deliveries: counter("fanfare_deliveries_total",
			"Deliveries of launches as they were settled. One that a retry tries again counts again.", "channel", "status"),
	}
}

func (j jobMetrics) all() []prometheus.Collector {
	return []prometheus.Collector{j.done, j.seconds, j.queued, j.lost, j.fenced, j.restored, j.deliveries}
}

// JobClaimed counts how long the job has waited for its first attempt. Both
// times are the database's.
func (m *Metrics) JobClaimed(job fanfare.Job) {
	if job.StartedAt != nil && job.StartedAt.Equal(job.UpdatedAt) {
		m.jobs.queued.WithLabelValues(m.kind(job.Kind)).Observe(job.StartedAt.Sub(job.CreatedAt).Seconds())
	}
}

// AttemptEnded counts an attempt whose outcome was written.
func (m *Metrics) AttemptEnded(kind string, took time.Duration) {
	m.jobs.seconds.WithLabelValues(m.kind(kind)).Observe(took.Seconds())
}

// AttemptFenced counts an attempt that found its lease gone.
func (m *Metrics) AttemptFenced(kind string) { m.jobs.fenced.WithLabelValues(m.kind(kind)).Inc() }

// JobDone counts a job that has ended.
func (m *Metrics) JobDone(job fanfare.Job) {
	m.jobs.done.WithLabelValues(m.kind(job.Kind), string(job.Status)).Inc()
}

// LeaseLost counts an attempt that was taken from its worker.
func (m *Metrics) LeaseLost(kind string) { m.jobs.lost.WithLabelValues(m.kind(kind)).Inc() }

// TaskRestored counts a task that was enqueued again.
func (m *Metrics) TaskRestored(queue string) {
	m.jobs.restored.WithLabelValues(listed(m.lists.Queues, queue)).Inc()
}

// DeliveriesSettled counts deliveries that have got a status.
func (m *Metrics) DeliveriesSettled(counts []fanfare.DeliveryCount) {
	for _, c := range counts {
		m.jobs.deliveries.WithLabelValues(string(c.Channel), string(c.Status)).Add(float64(c.Count))
	}
}

func (m *Metrics) kind(kind string) string { return listed(m.lists.Kinds, kind) }

func settledStatuses() []fanfare.DeliveryStatus {
	return []fanfare.DeliveryStatus{fanfare.DeliverySent, fanfare.DeliveryFailed, fanfare.DeliveryUnknown, fanfare.DeliverySkipped}
}
