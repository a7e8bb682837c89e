// Package api is the HTTP surface. A request becomes a row, and nothing more:
// the work is done elsewhere, and clients watch the job.
//
// Handlers are typed, and the OpenAPI document is made from their types. They
// return errors in the terms of the domain; errors.go alone turns those into
// status codes.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"fanfare"
	"fanfare/jobs"
)

// Store is what the API needs of the database. Each resource names its part.
type Store interface {
	Atomic(ctx context.Context, do func(ctx context.Context) error) error
	auditStore
	identityStore
	idempotencyStore
	userStore
	keyStore
	campaignStore
	conversationStore
	brandStore
	integrationStore
	recipientStore
	deliveryStore
	suppressionStore
	scheduleStore
	jobStore
	launchStore
	eventStore
	credentialStore
	healthStore
}

// Queue carries what was accepted.
type Queue interface {
	Enqueue(ctx context.Context, job fanfare.Job) (added bool, err error)
}

// Hub tells this process's listeners, and every other's, about jobs.
type Hub interface {
	Publish(ctx context.Context, jobs ...fanfare.Job)
	// Listen signals after each change of a job; signals may be lost.
	Listen(jobID string) (signal <-chan struct{}, stop func())
	// Watch is Listen with the job's texts as they are written.
	Watch(jobID string) (signal <-chan struct{}, texts <-chan fanfare.TextDelta, stop func())
	// ListenUser signals after each change of any of a user's jobs.
	ListenUser(userID string) (signal <-chan struct{}, stop func())
}

// Limiter decides on rate limits.
type Limiter interface {
	Allow(ctx context.Context, policy fanfare.RatePolicy, key string, cost int) (fanfare.RateDecision, error)
}

// Cleaner makes what people wrote fit for a model, or refuses it.
type Cleaner interface {
	CleanBrief(text string) (string, error)
	// CleanText cleans a text of 1 to most characters; errors name its field.
	CleanText(field, text string, most int) (string, error)
	CleanHistory(turns []fanfare.Turn) ([]fanfare.Turn, error)
	CleanHTML(body string) string
}

// Config are the API's settings.
type Config struct {
	Version        string
	PublicURL      string
	AllowedOrigins []string
	TrustedProxies []netip.Prefix
	SecureCookies  bool
	Limits         Limits
	// AI is how health calls the model: configured, demo or not configured.
	AI string
}

// Deps are the parts that the API works with.
type Deps struct {
	Store     Store
	Queue     Queue
	Hub       Hub
	Texts     Texts
	Limiter   Limiter
	Cleaner   Cleaner
	Cache     Cache
	Timetable Timetable
	Passwords Passwords
	Tokens    Tokens
	Accounts  Accounts
	Providers Providers
	Vault     Vault
	// Connections opens integrations, to try them.
	Connections fanfare.Connections
	Links       jobs.Links
	Dashboard   Dashboard
	PingRedis   func(ctx context.Context) error
	Logger      *slog.Logger
	Reporter    fanfare.Reporter
	Meter       Meter // nil: nobody counts
}

// Server answers requests. It is an http.Handler.
type Server struct {
	Deps
	config   Config
	engine   *gin.Engine
	api      huma.API
	origins  *http.CrossOriginProtection
	leaving  leavingPage
	started  time.Time
	warden   warden
	unready  atomic.Bool   // the process is about to stop
	draining chan struct{} // closed when it accepts nothing more
	drain    sync.Once
}

// New builds the server with all its routes.
func New(config Config, deps Deps) (*Server, error) {
	s := &Server{Deps: deps, config: config, started: time.Now(), draining: make(chan struct{}), warden: warden{streams: map[*watched]struct{}{}}}
	if s.Meter == nil {
		s.Meter = unmetered{}
	}
	s.origins, s.leaving = trusting(config), newLeavingPage()
	gin.SetMode(gin.ReleaseMode)
	s.engine = gin.New()
	s.engine.HandleMethodNotAllowed = true
	s.engine.RedirectTrailingSlash = false
	// gin would take X-Real-IP too, which a proxy that does not know it hands on
	// as the client wrote it.
	s.engine.RemoteIPHeaders = []string{"X-Forwarded-For"}
	if err := s.engine.SetTrustedProxies(prefixes(config.TrustedProxies)); err != nil {
		return nil, err
	}
	s.engine.Use(s.begin, s.recover, s.cors(), s.sameOrigin, s.readAddress)
	s.engine.NoRoute(s.operators, func(c *gin.Context) { s.fail(c, errNoRoute()) })
	s.engine.NoMethod(func(c *gin.Context) { s.fail(c, errNoMethod(c.Request.Method)) })
	s.api = humagin.New(s.engine, s.humaConfig())
	s.api.UseMiddleware(checked(s.authenticate), checked(s.limit), checked(s.readBody))
	s.routes()
	finish(s.api.OpenAPI().Components.Schemas)
	return s, nil
}

// checked makes a middleware of a check that has answered the request itself
// where it does not pass. The check's own stack is gone while the request goes
// on: an open stream keeps half as much memory so.
func checked(check func(huma.Context) (pass bool)) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if check(ctx) {
			next(ctx)
		}
	}
}

func (s *Server) humaConfig() huma.Config {
	useOurErrors()
	config := huma.DefaultConfig("Fanfare", apiVersion)
	introduce(config.OpenAPI)
	config.OpenAPIPath = "/api/openapi"
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.AllowAdditionalPropertiesByDefault = true
	config.OnAddOperation = append(config.OnAddOperation, document)
	describeTypes(config.Components.Schemas)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"apiKey":  {Type: "http", Scheme: "bearer", Description: "An API key from POST /api/keys"},
		"session": {Type: "apiKey", In: "cookie", Name: s.cookieName(), Description: "Set by POST /api/auth/login. In production its name begins with __Host-"},
	}
	return config
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.engine.ServeHTTP(w, r) }

// Unready makes readiness say no, so that load balancers send requests
// elsewhere. Whatever still comes is answered, and each answer asks its client
// to open another connection next time (RFC 9112, section 9.6).
func (s *Server) Unready() { s.unready.Store(true) }

// Drain is Unready, answers those who wait for a job, and ends the streams.
// Their clients come back, some at once: call it when nobody can reach this
// process any more, so that they go on at another.
func (s *Server) Drain() {
	s.Unready()
	s.drain.Do(func() { close(s.draining) })
}

func prefixes(list []netip.Prefix) []string {
	texts := make([]string, len(list))
	for i, p := range list {
		texts[i] = p.String()
	}
	return texts
}
