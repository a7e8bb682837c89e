package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"fanfare/ai"
	"fanfare/api"
	"fanfare/jobs"
	"fanfare/scheduler"
	"fanfare/telemetry/metrics"
	"fanfare/worker"
)

var (
	_ api.Meter       = (*metrics.Metrics)(nil)
	_ worker.Meter    = (*metrics.Metrics)(nil)
	_ scheduler.Meter = (*metrics.Metrics)(nil)
	_ ai.Meter        = (*metrics.Metrics)(nil)
)

// measure begins to count, and to serve METRICS_ADDR where there is one, until
// stop is called, as the process api, worker, scheduler or dev: before all work, and after it. In a process that does so
// already it does nothing.
func (p *Process) measure(ctx context.Context, process string) (stop func(), err error) {
	if p.metrics != nil {
		return func() {}, nil
	}
	p.metrics = metrics.New(process, p.Version, metrics.Lists{
		Kinds: jobs.Names(), Queues: jobs.Queues(), Limits: api.LimitNames(), ModelOutcomes: ai.Outcomes(),
	})
	if p.Config.MetricsAddr == "" {
		return func() {}, nil
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.MetricsAddr)
	if err != nil {
		return nil, fmt.Errorf("listening on METRICS_ADDR: %w", err)
	}
	server := &http.Server{
		Handler: p.metrics.Handler(), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
	}
	logger := p.logger()
	logger.InfoContext(ctx, "metrics are served", "addr", listener.Addr().String())
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("metrics are served no more", "error", err)
		}
	}()
	return func() { _ = server.Close() }, nil
}
