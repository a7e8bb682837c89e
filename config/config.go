// Package config reads the settings of a process from its environment, once,
// checks them all, and says everything that is wrong with them at once.
package config

import (
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"fanfare"
)

// DefaultModel is OpenAI's small model of the newest generation that has one
// (https://platform.openai.com/docs/models); go-openai calls it GPT5Dot4Mini.
const DefaultModel = "gpt-5.4-mini"

// DefaultHTTPAddr is where the API listens outside production.
const DefaultHTTPAddr = "127.0.0.1:8080"

// Env is where the program runs.
type Env string

// The environments.
const (
	Development Env = "development"
	Test        Env = "test"
	Production  Env = "production"
)

// Config is every setting, checked. A field without a comment is named in the
// README as its variable is.
type Config struct {
	Env               Env      `env:"APP_ENV" envDefault:"development"`
	HTTPAddr          string   `env:"HTTP_ADDR"`
	PublicURL         string   `env:"PUBLIC_URL"` // without a slash at its end
	AllowedOrigins    []string `env:"ALLOWED_ORIGINS"`
	DatabaseURL       string   `env:"DATABASE_URL"`
	RedisURL          string   `env:"REDIS_URL"`
	AuthSecret        string   `env:"AUTH_SECRET"`
	EncryptionKey     string   `env:"ENCRYPTION_KEY"`
	EncryptionKeysOld []string `env:"ENCRYPTION_KEYS_OLD"`
	AI                AI
	JobTimeout        time.Duration `env:"JOB_TIMEOUT" envDefault:"25s"`
	SentryDSN         string        `env:"SENTRY_DSN"` // "" for off
	// TracesURL is an OTLP/HTTP collector's base URL; "" for off. What else the
	// SDK of OpenTelemetry reads from the environment (OTEL_EXPORTER_OTLP_HEADERS,
	// OTEL_SERVICE_NAME, OTEL_TRACES_SAMPLER and so on) is its own.
	TracesURL         string `env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	RateLimits        RateLimits
	TrustedProxies    []netip.Prefix `env:"TRUSTED_PROXIES"`
	AllowPrivateHosts bool           `env:"ALLOW_PRIVATE_HOSTS"`
	WorkerConcurrency int            `env:"WORKER_CONCURRENCY" envDefault:"128"`
	ShutdownTimeout   time.Duration  `env:"SHUTDOWN_TIMEOUT" envDefault:"30s"`
	Retention         Retention
	MetricsAddr       string `env:"METRICS_ADDR"` // "" for off
}

// AI says which model to ask, and how.
type AI struct {
	APIKey      string         `env:"OPENAI_API_KEY"`
	BaseURL     string         `env:"OPENAI_BASE_URL"` // "" for OpenAI's own
	Model       string         `env:"OPENAI_MODEL"`
	PriceInput  *fanfare.Money `env:"OPENAI_PRICE_INPUT"`  // USD per million tokens; nil if unknown
	PriceOutput *fanfare.Money `env:"OPENAI_PRICE_OUTPUT"` // likewise
	Timeout     time.Duration  `env:"AI_TIMEOUT" envDefault:"20s"`
	// Demo marks the stand-in for a model. Only dev and demo set it; no
	// variable does.
	Demo bool
}

// RateLimits are how often one may ask, by sort of request.
type RateLimits struct {
	API  fanfare.Rate `env:"RATE_LIMIT_API" envDefault:"100/15m"`
	AI   fanfare.Rate `env:"RATE_LIMIT_AI" envDefault:"20/1h"`
	Auth fanfare.Rate `env:"RATE_LIMIT_AUTH" envDefault:"5/15m"`
	Poll fanfare.Rate `env:"RATE_LIMIT_POLL" envDefault:"120/1m"`
}

// Retention says how long finished jobs and audit records are kept.
type Retention struct {
	Jobs  time.Duration `env:"RETENTION_JOBS" envDefault:"30d"`
	Audit time.Duration `env:"RETENTION_AUDIT" envDefault:"365d"`
}

// Load reads and checks what process p needs from environ, which has the form
// of os.Environ. A setting that is empty is unset. The error is an *Error.
func Load(environ []string, p Process) (Config, error) {
	c, found := Examine(environ, p)
	if len(found) > 0 {
		return Config{}, &Error{Problems: found}
	}
	return c, nil
}

// Examine is Load for who looks for what is wrong: beside the problems, it
// returns all that could be read.
func Examine(environ []string, p Process) (Config, []Problem) {
	var c Config
	var found problems
	found.addParsing(env.ParseWithOptions(&c, env.Options{
		Environment: env.ToMap(environ),
		FuncMap:     parsers(),
	}))
	c.setDefaults()
	c.check(&found)
	c.require(p, &found)
	return c, found.sorted()
}

// setDefaults fills in what follows from other settings, and brings what can
// be written in several ways into one.
func (c *Config) setDefaults() {
	production := c.Env == Production
	if c.HTTPAddr == "" && production {
		c.HTTPAddr = ":8080"
	}
	if c.HTTPAddr == "" {
		c.HTTPAddr = DefaultHTTPAddr
	}
	if c.PublicURL == "" && !production && isListenAddr(c.HTTPAddr) {
		c.PublicURL = LocalURL(c.HTTPAddr)
	}
	if c.AI.Model == "" {
		c.AI.Model = DefaultModel
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	for i, origin := range c.AllowedOrigins {
		c.AllowedOrigins[i] = strings.ToLower(origin) // as browsers send it: RFC 6454, section 6.2
	}
}

// LocalURL returns where a browser on this machine reaches an API that listens
// at addr, a valid one.
func LocalURL(addr string) string {
	host, port, _ := net.SplitHostPort(addr)
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}
