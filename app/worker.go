package app

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/gofrs/uuid/v5"

	"fanfare/ai"
	"fanfare/auth"
	"fanfare/events"
	"fanfare/jobs"
	"fanfare/queue"
	"fanfare/worker"
)

// Worker claims and runs jobs until ctx is done. Jobs that run then may finish
// within SHUTDOWN_TIMEOUT; what is left is given back for another worker.
func (p Process) Worker(ctx context.Context) error {
	stopMetrics, err := p.measure(ctx, "worker")
	if err != nil {
		return err
	}
	defer stopMetrics()
	parts, err := p.open(ctx, "worker")
	if err != nil {
		return err
	}
	defer parts.close()
	w, err := parts.newWorker()
	if err != nil {
		return err
	}
	servers := make([]*queue.Server, 0, len(jobs.Queues()))
	for _, name := range jobs.Queues() {
		servers = append(servers, queue.NewServer(parts.redis.Options(), name, p.Config.WorkerConcurrency, w.Handle, parts.logger))
	}

	beatCtx, stopBeat := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBeat() // and not wait: a beat may wait for a database that hangs
	go w.Run(beatCtx)

	for _, server := range servers {
		if err := server.Start(); err != nil {
			return err
		}
	}
	parts.logger.InfoContext(ctx, "the worker is ready", "queues", jobs.Queues(), "concurrency", p.Config.WorkerConcurrency)
	<-ctx.Done()
	parts.logger.InfoContext(ctx, "draining: running jobs may finish", "within", p.Config.ShutdownTimeout.String())
	parts.drain(ctx, w, servers)
	return nil
}

// drain stops claiming, lets jobs finish or give their attempt back, and only
// then lets asynq go: its own shutdown would requeue tasks whose job still runs.
func (p *parts) drain(ctx context.Context, w *worker.Worker, servers []*queue.Server) {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Config.ShutdownTimeout)
	defer cancel()
	for _, server := range servers {
		server.Stop()
	}
	w.Drain(limit)
	var ending sync.WaitGroup // side by side: each waits for a Redis that hangs
	for _, server := range servers {
		ending.Go(func() {
			if err := server.Shutdown(); err != nil {
				p.logger.WarnContext(ctx, "ending a queue's server", "error", err)
			}
		})
	}
	ending.Wait()
}

func (p *parts) newWorker() (*worker.Worker, error) {
	connections, err := p.connections()
	if err != nil {
		return nil, err
	}
	writer := ai.New(ai.Config{
		APIKey: p.Config.AI.APIKey, BaseURL: p.Config.AI.BaseURL, Model: p.Config.AI.Model,
		Timeout: p.Config.AI.Timeout, Demo: p.Config.AI.Demo, Logger: p.logger,
		PriceInput: p.Config.AI.PriceInput, PriceOutput: p.Config.AI.PriceOutput,
		Meter: p.metrics,
	})
	p.metrics.WatchModel(writer.Model())
	deps := jobs.Deps{
		Writer:    writer,
		Analyst:   writer,
		Campaigns: p.store,
		Texts:     events.NewTexts(p.redis, p.logger),

		Ledger:       p.store,
		Integrations: p.store,
		Connections:  connections,
		Links:        links{publicURL: p.Config.PublicURL, tokens: auth.NewTokens(p.Config.AuthSecret)},
		Logger:       p.logger,
	}
	return worker.New(worker.Config{
		ID:        processID(),
		Settings:  jobs.Settings{JobTimeout: p.Config.JobTimeout},
		Lease:     worker.DefaultLease,
		Heartbeat: worker.DefaultHeartbeat,
		Meter:     p.metrics,
	}, p.store, p.queue, p.hub, deps, p.logger, p.reporter), nil
}

// processID tells an operator which machine and process it was.
func processID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d:%s", host, os.Getpid(), uuid.Must(uuid.NewV4()).String()[:8])
}
