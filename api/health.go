package api

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"fanfare"
)

type healthStore interface {
	Ping(ctx context.Context) error
	WorkersUp(ctx context.Context, within time.Duration) (bool, error)
}

const (
	// redisLimit is for a Redis that hangs; the database has its own limit.
	redisLimit = 500 * time.Millisecond
	// lookLimit is for the database's connections: many may ask at once.
	lookLimit = 900 * time.Millisecond
	// workerSilence is how long no worker may be heard of: a few heartbeats.
	workerSilence = 10 * time.Second
)

const uncached = "no-cache, no-store, must-revalidate"

// Health is how the service is.
type Health struct {
	Status    string    `json:"status" enum:"healthy,degraded,unhealthy" doc:"degraded: it accepts jobs, but something that they need is missing. unhealthy: the database is down"`
	Timestamp time.Time `json:"timestamp"`
	Uptime    float64   `json:"uptime" doc:"Seconds"`
	Services  Services  `json:"services"`
	Version   string    `json:"version"`
}

// Services is how each part is.
type Services struct {
	Database string `json:"database" enum:"up,down"`
	Redis    string `json:"redis" enum:"up,down"`
	Worker   string `json:"worker" enum:"up,down" doc:"Whether any worker was heard of in the last seconds"`
	OpenAI   string `json:"openai" enum:"configured,demo,not configured"`
}

type healthOutput struct {
	Status       int
	CacheControl string `header:"Cache-Control"`
	ResponseTime string `header:"X-Response-Time" doc:"Such as 3ms"`
	RetryAfter   string `header:"Retry-After" doc:"Seconds; only with 503"`
	Body         Health
}

func (s *Server) health(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	started := time.Now()
	services := s.look(ctx)
	services.OpenAI = s.config.AI
	out := &healthOutput{Status: http.StatusOK, CacheControl: uncached}
	out.Body = Health{
		Status: "healthy", Timestamp: time.Now().UTC(), Uptime: time.Since(s.started).Seconds(),
		Services: services, Version: s.config.Version,
	}
	switch {
	case services.Database == "down":
		out.Status, out.Body.Status, out.RetryAfter = http.StatusServiceUnavailable, "unhealthy", unreadyRetry
	case services.Redis == "down", services.Worker == "down", services.OpenAI == "not configured":
		out.Body.Status = "degraded"
	}
	out.ResponseTime = fmt.Sprintf("%dms", time.Since(started).Milliseconds())
	return out, nil
}

// look asks all services at once, so that one which hangs takes no longer than
// its own limit.
func (s *Server) look(ctx context.Context) Services {
	ctx, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	services := Services{Database: "down", Redis: "down", Worker: "down"}
	var wg sync.WaitGroup
	wg.Go(func() {
		if s.Store.Ping(ctx) == nil {
			services.Database = "up"
		}
	})
	wg.Go(func() {
		if up, err := s.Store.WorkersUp(ctx, workerSilence); err == nil && up {
			services.Worker = "up"
		}
	})
	wg.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, redisLimit)
		defer cancel()
		if s.PingRedis(ctx) == nil {
			services.Redis = "up"
		}
	})
	wg.Wait()
	return services
}

// Readiness says whether to send requests here.
type Readiness struct {
	Ready     bool   `json:"ready"`
	Error     string `json:"error,omitempty" doc:"Why not"`
	Code      string `json:"code,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

type readyOutput struct {
	Status       int
	CacheControl string `header:"Cache-Control"`
	RetryAfter   string `header:"Retry-After" doc:"Seconds; only with 503"`
	Body         Readiness
}

// unreadyRetry is when to ask again, in seconds.
const unreadyRetry = "2"

func (s *Server) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	limited, cancel := context.WithTimeout(ctx, lookLimit)
	defer cancel()
	out := &readyOutput{Status: http.StatusOK, CacheControl: uncached, Body: Readiness{Ready: true}}
	switch {
	case s.unready.Load():
		out.Body = Readiness{Error: "Shutting down"}
	case s.Store.Ping(limited) != nil:
		out.Body = Readiness{Error: "Database not ready"}
	default:
		return out, nil
	}
	out.Status, out.RetryAfter = http.StatusServiceUnavailable, unreadyRetry
	out.Body.Code, out.Body.RequestID = fanfare.CodeUnavailable, requestFrom(ctx).id
	return out, nil
}

type liveOutput struct {
	CacheControl string `header:"Cache-Control"`
	Body         struct {
		Alive bool `json:"alive"`
	}
}

func (s *Server) live(context.Context, *struct{}) (*liveOutput, error) {
	out := &liveOutput{CacheControl: uncached}
	out.Body.Alive = true
	return out, nil
}

// isProbe reports whether a path is only asked for by machines, all the time.
func isProbe(path string) bool {
	switch path {
	case "/api/health", "/api/health/ready", "/api/health/live", "/health/ready", "/health/live":
		return true
	default:
		return false
	}
}
