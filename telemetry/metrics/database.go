package metrics

import (
	"context"
	"database/sql"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"fanfare"
)

const (
	// keepBacklog is how long an answer is shown again: however many ask, the
	// database is asked once in this time.
	keepBacklog = 3 * time.Second
	// backlogLimit is how long a scrape waits for the database.
	backlogLimit = time.Second
)

// Database tells what waits in it, and how its connections stand.
type Database interface {
	Backlog(ctx context.Context) (fanfare.Backlog, error)
	Pool() sql.DBStats
}

// database reads at each scrape what lies in the database, so every process
// shows the same: take the maximum over processes, never the sum.
type database struct {
	queues []string

	mu      sync.Mutex
	pools   []Database
	asked   time.Time
	backlog fanfare.Backlog
	err     error
}

// WatchDatabase shows a database from now on. Where there are several handles
// in one process, they are of the same database: their connections are summed.
func (m *Metrics) WatchDatabase(db Database) {
	m.database.mu.Lock()
	defer m.database.mu.Unlock()
	m.database.pools = append(m.database.pools, db)
}

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// The descriptions of what is read at a scrape; they never change.
var (
	upDesc       = describe("fanfare_database_up", "Whether the database has told what waits; 0 leaves out all that it would tell.")
	depthDesc    = describe("fanfare_queue_depth", "Jobs that wait, up to 5,000 over all queues. The same in every process: take the maximum.", "queue")
	runningDesc  = describe("fanfare_queue_running", "Jobs that run, up to 5,000 over all queues. The same in every process: take the maximum.", "queue")
	oldestDesc   = describe("fanfare_queue_oldest_seconds", "For how long the first of the waiting jobs could have run; 0 if none could. The same in every process: take the maximum.", "queue")
	lagDesc      = describe("fanfare_relay_lag_seconds", "For how long the relay owes a look to the job that waits longest for it. The same in every process: take the maximum.")
	unsealedDesc = describe("fanfare_audit_unsealed_records", "Audit records that have no seal yet, up to 1,000. The same in every process: take the maximum.")
	sealDesc     = describe("fanfare_audit_unsealed_seconds", "How old the first audit record without a seal is. The same in every process: take the maximum.")
	overdueDesc  = describe("fanfare_schedules_overdue", "Schedules whose time has come and that nothing has launched yet, up to 1,000. The same in every process: take the maximum.")
	lateDesc     = describe("fanfare_schedules_overdue_seconds", "How late the first overdue schedule is. The same in every process: take the maximum.")
	workersDesc  = describe("fanfare_workers", "Workers that were heard of within the last half minute. The same in every process: take the maximum.")

	connsDesc  = describe("fanfare_database_connections", "Connections of this process, by state: in_use or idle.", "state")
	limitDesc  = describe("fanfare_database_connections_max", "How many connections this process may have.")
	waitsDesc  = describe("fanfare_database_connection_waits_total", "How often this process had to wait for a free connection.")
	waitedDesc = describe("fanfare_database_connection_wait_seconds_total", "For how long this process has waited for free connections, all waits added up.")
)

// Describe implements prometheus.Collector.
func (d *database) Describe(out chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		upDesc, depthDesc, runningDesc, oldestDesc, lagDesc, unsealedDesc, sealDesc, overdueDesc, lateDesc, workersDesc,
		connsDesc, limitDesc, waitsDesc, waitedDesc,
	} {
		out <- desc
	}
}

// Collect implements prometheus.Collector.
func (d *database) Collect(out chan<- prometheus.Metric) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.pools) == 0 {
		return // not opened yet
	}
	d.collectPools(out)
	if d.ask(); d.err != nil {
		out <- gauge(upDesc, 0)
		return
	}
	out <- gauge(upDesc, 1)
	d.collectBacklog(out)
}

// ask asks the database, unless it has just been asked.
func (d *database) ask() {
	if time.Since(d.asked) < keepBacklog {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), backlogLimit)
	defer cancel()
	d.backlog, d.err = d.pools[len(d.pools)-1].Backlog(ctx)
	d.asked = time.Now()
}

func (d *database) collectBacklog(out chan<- prometheus.Metric) {
	held := map[string]fanfare.QueueBacklog{}
	for _, queue := range d.backlog.Queues {
		held[queue.Queue] = queue
	}
	for _, name := range d.queues {
		out <- gauge(depthDesc, float64(held[name].Waiting), name)
		out <- gauge(runningDesc, float64(held[name].Running), name)
		out <- gauge(oldestDesc, held[name].Oldest.Seconds(), name)
	}
	out <- gauge(lagDesc, d.backlog.RelayLag.Seconds())
	out <- gauge(unsealedDesc, float64(d.backlog.Unsealed))
	out <- gauge(sealDesc, d.backlog.UnsealedAge.Seconds())
	out <- gauge(overdueDesc, float64(d.backlog.Overdue))
	out <- gauge(lateDesc, d.backlog.OverdueBy.Seconds())
	out <- gauge(workersDesc, float64(d.backlog.Workers))
}

func (d *database) collectPools(out chan<- prometheus.Metric) {
	var sum sql.DBStats
	for _, pool := range d.pools {
		stats := pool.Pool()
		sum.InUse += stats.InUse
		sum.Idle += stats.Idle
		sum.MaxOpenConnections += stats.MaxOpenConnections
		sum.WaitCount += stats.WaitCount
		sum.WaitDuration += stats.WaitDuration
	}
	out <- gauge(connsDesc, float64(sum.InUse), "in_use")
	out <- gauge(connsDesc, float64(sum.Idle), "idle")
	out <- gauge(limitDesc, float64(sum.MaxOpenConnections))
	out <- prometheus.MustNewConstMetric(waitsDesc, prometheus.CounterValue, float64(sum.WaitCount))
	out <- prometheus.MustNewConstMetric(waitedDesc, prometheus.CounterValue, sum.WaitDuration.Seconds())
}

func gauge(desc *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}
