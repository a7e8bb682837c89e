package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"fanfare/api"
	"fanfare/auth"
	"fanfare/cache"
	"fanfare/config"
	"fanfare/events"
	"fanfare/queue"
	"fanfare/ratelimit"
	"fanfare/timetable"
)

// noticePause is how long the API still answers after its readiness said no:
// load balancers that ask each second have then asked, and what they sent until
// they did is not refused.
const noticePause = 2 * time.Second

// API serves HTTP until ctx is done, and then what is under way, for at most
// SHUTDOWN_TIMEOUT.
func (p Process) API(ctx context.Context) error {
	stopMetrics, err := p.measure(ctx, "api")
	if err != nil {
		return err
	}
	defer stopMetrics()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.HTTPAddr)
	if err != nil {
		return fmt.Errorf("listening on HTTP_ADDR: %w", err)
	}
	return p.serveAPI(ctx, listener, min(noticePause, p.Config.ShutdownTimeout/2))
}

// serveAPI: see shutDown for the pause.
func (p Process) serveAPI(ctx context.Context, listener net.Listener, pause time.Duration) error {
	defer func() { _ = listener.Close() }()
	parts, err := p.open(ctx, "api")
	if err != nil {
		return err
	}
	defer parts.close()
	handler, err := parts.apiServer()
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	server.RegisterOnShutdown(handler.Drain) // which is once the listener is closed
	hubCtx, stopHub := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHub()
	var g errgroup.Group
	g.Go(func() error { parts.hub.Run(hubCtx); return nil })
	g.Go(func() error { parts.hub.Poll(hubCtx, parts.store.Versions); return nil })
	g.Go(func() error { handler.Run(hubCtx); return nil })
	g.Go(func() error {
		parts.logger.InfoContext(ctx, "the API is ready", "addr", listener.Addr().String())
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			stopHub()
			return fmt.Errorf("serving HTTP: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		select {
		case <-ctx.Done():
			defer stopHub()
			parts.shutDown(ctx, server, handler, pause)
		case <-hubCtx.Done():
		}
		return nil
	})
	return g.Wait()
}

// shutDown says first that no more requests should come, answers for the pause
// those that come nevertheless, and only then closes the listener. Streams end
// after that, so that no client of one comes back to this process.
func (p *parts) shutDown(ctx context.Context, server *http.Server, handler *api.Server, pause time.Duration) {
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Config.ShutdownTimeout)
	defer cancel()
	handler.Unready()
	p.logger.InfoContext(ctx, "draining: requests under way may finish", "within", p.Config.ShutdownTimeout.String())
	time.Sleep(pause)
	if err := server.Shutdown(limit); err != nil {
		p.logger.WarnContext(ctx, "some requests were cut off at shutdown", "error", err)
	}
}

func (p *parts) apiServer() (*api.Server, error) {
	secrets := auth.NewTokens(p.Config.AuthSecret)
	connections, err := p.connections()
	if err != nil {
		return nil, err
	}
	dashboard, err := queue.NewDashboard(p.queue, api.DashboardPath)
	if err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Version:        p.Version,
		PublicURL:      p.Config.PublicURL,
		AllowedOrigins: p.Config.AllowedOrigins,
		TrustedProxies: p.Config.TrustedProxies,
		SecureCookies:  p.Config.Env == config.Production,
		Limits:         api.Limits(p.Config.RateLimits),
		AI:             aiState(p.Config.AI),
	}, api.Deps{
		Store:     p.store,
		Queue:     p.queue,
		Hub:       p.hub,
		Texts:     events.NewTexts(p.redis, p.logger),
		Limiter:   ratelimit.New(p.redis, secrets.Derive("rate limits")),
		Cleaner:   cleaner{},
		Cache:     cache.New(p.redis, p.logger),
		Timetable: timetable.Table{},
		Passwords: auth.NewHasher(),
		Tokens:    secrets,
		Accounts:  auth.Accounts{},
		Providers: connections.registry, Vault: connections.keyring, Connections: connections,
		Links:     links{publicURL: p.Config.PublicURL, tokens: secrets},
		Dashboard: dashboard,
		PingRedis: func(ctx context.Context) error { return p.redis.Ping(ctx).Err() },
		Logger:    p.logger,
		Reporter:  p.reporter,
		Meter:     p.metrics,
	})
}

// aiState is how health calls the model.
func aiState(ai config.AI) string {
	switch {
	case ai.Demo:
		return "demo"
	case ai.APIKey != "":
		return "configured"
	default:
		return "not configured"
	}
}
