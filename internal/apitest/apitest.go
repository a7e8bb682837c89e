// Package apitest runs the real API on real servers for tests, and calls it.
package apitest

import (
	"bytes"
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	_ "github.com/lib/pq" // the driver
	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/ai"
	"fanfare/api"
	"fanfare/auth"
	"fanfare/cache"
	"fanfare/events"
	"fanfare/internal/testdb"
	"fanfare/queue"
	"fanfare/ratelimit"
	"fanfare/secrets"
	"fanfare/store"
	"fanfare/telemetry"
	"fanfare/timetable"
)

// Setup is what a test may change before the API starts.
type Setup struct {
	Config api.Config
	// Wrap changes the parts that the API is given.
	Wrap                  func(*api.Deps)
	DatabaseURL, RedisURL string // "" for ones of the test's own
}

// App is an API that serves, with what stands behind it.
type App struct {
	*httptest.Server
	API     *api.Server
	Store   *store.Store
	DB      *sql.DB
	Redis   *redis.Client
	Reports *Reports
	Log     *Log

	Hub   *events.Hub
	Texts *events.Texts

	Providers *Providers
	Keyring   *secrets.Keyring

	tokens auth.Tokens
}

// New starts an API whose limits nobody meets, unless a change says otherwise.
// It ends with the test.
func New(t testing.TB, changes ...func(*Setup)) *App {
	t.Helper()
	plenty := fanfare.Rate{Count: 100_000, Window: time.Minute}
	setup := &Setup{Config: api.Config{
		Version: "test", PublicURL: "http://fanfare.test", AI: "configured",
		Limits: api.Limits{API: plenty, AI: plenty, Auth: plenty, Poll: plenty},
	}}
	for _, change := range changes {
		change(setup)
	}
	if setup.DatabaseURL == "" {
		setup.DatabaseURL = testdb.New(t)
	}
	if setup.RedisURL == "" {
		setup.RedisURL = testdb.Redis(t)
	}
	a := &App{Reports: &Reports{}, Log: &Log{}, tokens: auth.NewTokens("a secret of at least 32 characters")}
	a.open(t, setup)
	a.serve(t, setup)
	return a
}

func (a *App) open(t testing.TB, setup *Setup) {
	t.Helper()
	var err error
	if a.Store, err = store.Open(t.Context(), setup.DatabaseURL, 10); err != nil {
		t.Fatal(err)
	}
	if a.DB, err = sql.Open("postgres", setup.DatabaseURL); err != nil {
		t.Fatal(err)
	}
	if a.Keyring, err = secrets.NewKeyring("the key of the tests, 32 letters", nil); err != nil {
		t.Fatal(err)
	}
	a.Providers = &Providers{store: a.Store, keyring: a.Keyring}
	options, err := redis.ParseURL(setup.RedisURL)
	if err != nil {
		t.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	options.DialerRetries = 1
	a.Redis = redis.NewClient(options)
	t.Cleanup(func() { _, _, _ = a.Store.Close(), a.DB.Close(), a.Redis.Close() })
}

func (a *App) serve(t testing.TB, setup *Setup) {
	t.Helper()
	logger := telemetry.NewLogger(a.Log, nil)
	a.Hub, a.Texts = events.NewHub(a.Redis, logger), events.NewTexts(a.Redis, logger)
	q := queue.New(a.Redis)
	dashboard, err := queue.NewDashboard(q, api.DashboardPath)
	if err != nil {
		t.Fatal(err)
	}
	deps := api.Deps{
		Store: a.Store, Queue: q, Dashboard: dashboard, Hub: a.Hub, Texts: a.Texts,
		Limiter: ratelimit.New(a.Redis, a.tokens.Derive("rate limits")),
		Cleaner: cleaner{}, Cache: cache.New(a.Redis, logger), Passwords: auth.NewHasher(), Tokens: a.tokens, Accounts: auth.Accounts{},
		Timetable: timetable.Table{}, Providers: a.Providers, Vault: a.Keyring, Connections: a.Providers, Links: a.Providers,
		PingRedis: func(ctx context.Context) error { return a.Redis.Ping(ctx).Err() },
		Logger:    logger, Reporter: a.Reports,
	}
	if setup.Wrap != nil {
		setup.Wrap(&deps)
	}
	if a.API, err = api.New(setup.Config, deps); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { a.Hub.Run(ctx) })
	running.Go(func() { a.Hub.Poll(ctx, a.Store.Versions) })
	running.Go(func() { a.API.Run(ctx) })
	a.Server = httptest.NewServer(a.API)
	t.Cleanup(func() { a.Close(); stop(); running.Wait() })
}

type cleaner struct{}

func (cleaner) CleanBrief(text string) (string, error) { return ai.CleanBrief(text) }
func (cleaner) CleanText(field, text string, most int) (string, error) {
	return ai.CleanText(field, text, most)
}
func (cleaner) CleanHTML(body string) string { return ai.CleanHTML(body) }
func (cleaner) CleanHistory(turns []fanfare.Turn) ([]fanfare.Turn, error) {
	return ai.CleanHistory(turns)
}

// Reports keeps what went to the error tracker. It is a fanfare.Reporter.
type Reports struct {
	mu   sync.Mutex
	errs []error
}

// Report implements fanfare.Reporter.
func (r *Reports) Report(_ context.Context, err error, _ map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

// Trace implements fanfare.Reporter.
func (r *Reports) Trace(ctx context.Context, op fanfare.Op, name string, _ ...slog.Attr) (context.Context, fanfare.EndTrace) {
	return fanfare.Trace(ctx, op, name) // measures nothing
}

// Take returns the errors since the last call.
func (r *Reports) Take() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	errs := r.errs
	r.errs = nil
	return errs
}

// Log keeps what was logged.
type Log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

var _ io.Writer = (*Log)(nil)

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
