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
	"fanfare/ratelimit"
	"fanfare/timetable"
)

// API serves HTTP until ctx is done, and then what is under way, for at most
// SHUTDOWN_TIMEOUT.
func (p Process) API(ctx context.Context) error {
	stopMetrics, err := p.measure(ctx)
	if err != nil {
		return err
	}
	defer stopMetrics()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", p.Config.HTTPAddr)
	if err != nil {
		return fmt.Errorf("listening on HTTP_ADDR: %w", err)
	}
	return p.serveAPI(ctx, listener)
}

func (p Process) serveAPI(ctx context.Context, listener net.Listener) error {
	defer func() { _ = listener.Close() }()
	parts, err := p.open(ctx)
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
		case <-hubCtx.Done():
			return nil
		}
		defer stopHub()
		handler.Drain()
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Config.ShutdownTimeout)
		defer cancel()
		if err := server.Shutdown(limit); err != nil {
			parts.logger.WarnContext(ctx, "some requests were cut off at shutdown", "error", err)
		}
		return nil
	})
	return g.Wait()
}

func (p *parts) apiServer() (*api.Server, error) {
	secrets := auth.NewTokens(p.Config.AuthSecret)
	connections, err := p.connections()
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
