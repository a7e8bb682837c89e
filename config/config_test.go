package config_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fanfare"
	"fanfare/config"
)

const (
	secret = "0123456789abcdef0123456789abcdef-canary"
	key    = "canary-0123456789abcdef012345678"
)

// with returns the least that a worker needs, and more; later ones win.
func with(more ...string) []string {
	return append([]string{
		"DATABASE_URL=postgres://fanfare:canary@db/fanfare",
		"REDIS_URL=redis://:canary@redis:6379/0",
		"AUTH_SECRET=" + secret,
		"ENCRYPTION_KEY=" + key,
		"OPENAI_API_KEY=sk-canary",
	}, more...)
}

func TestLoadDefaults(t *testing.T) {
	got, err := config.Load(with(), config.Worker)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		Env:           config.Development,
		HTTPAddr:      "127.0.0.1:8080",
		PublicURL:     "http://127.0.0.1:8080",
		DatabaseURL:   "postgres://fanfare:canary@db/fanfare",
		RedisURL:      "redis://:canary@redis:6379/0",
		AuthSecret:    secret,
		EncryptionKey: key,
		AI:            config.AI{APIKey: "sk-canary", Model: config.DefaultModel, Timeout: 20 * time.Second},
		JobTimeout:    25 * time.Second,
		RateLimits: config.RateLimits{
			API:  fanfare.Rate{Count: 100, Window: 15 * time.Minute},
			AI:   fanfare.Rate{Count: 20, Window: time.Hour},
			Auth: fanfare.Rate{Count: 5, Window: 15 * time.Minute},
			Poll: fanfare.Rate{Count: 120, Window: time.Minute},
		},
		WorkerConcurrency: 128,
		ShutdownTimeout:   30 * time.Second,
		Retention:         config.Retention{Jobs: 30 * 24 * time.Hour, Audit: 365 * 24 * time.Hour},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadEverything(t *testing.T) {
	got, err := config.Load(with(
		"APP_ENV=production", "HTTP_ADDR=[::]:80", "PUBLIC_URL=https://fanfare.example.com/app/",
		"ALLOWED_ORIGINS= https://App.example.com ,http://localhost:3000",
		"ENCRYPTION_KEYS_OLD="+key+","+strings.ToUpper(key),
		"OPENAI_BASE_URL=http://llm:8000/v1", "OPENAI_API_KEY=anything", "OPENAI_MODEL=m",
		"OPENAI_PRICE_INPUT=0.40", "OPENAI_PRICE_OUTPUT=1.6", "AI_TIMEOUT=1m", "JOB_TIMEOUT=1m",
		"SENTRY_DSN=https://key@sentry.example.com/1", "RATE_LIMIT_AUTH=7/1h",
		"TRUSTED_PROXIES=10.1.2.3/8, fd00::/8", "WORKER_CONCURRENCY=10000", "SHUTDOWN_TIMEOUT=1s",
		"RETENTION_JOBS=36h", "RETENTION_AUDIT=1000d", "METRICS_ADDR=:9090",
		"OTEL_EXPORTER_OTLP_ENDPOINT=https://collector.example.com:4318/otlp",
	), config.Worker)
	if err != nil {
		t.Fatal(err)
	}
	input, output := 2*fanfare.MoneyUnit/5, 8*fanfare.MoneyUnit/5
	want := config.Config{
		Env: config.Production, HTTPAddr: "[::]:80", PublicURL: "https://fanfare.example.com/app",
		AllowedOrigins: []string{"https://app.example.com", "http://localhost:3000"},
		DatabaseURL:    "postgres://fanfare:canary@db/fanfare", RedisURL: "redis://:canary@redis:6379/0",
		AuthSecret: secret, EncryptionKey: key, EncryptionKeysOld: []string{key, strings.ToUpper(key)},
		AI: config.AI{
			APIKey: "anything", BaseURL: "http://llm:8000/v1", Model: "m",
			PriceInput: &input, PriceOutput: &output, Timeout: time.Minute,
		},
		JobTimeout: time.Minute, SentryDSN: "https://key@sentry.example.com/1",
		RateLimits: config.RateLimits{
			API:  fanfare.Rate{Count: 100, Window: 15 * time.Minute},
			AI:   fanfare.Rate{Count: 20, Window: time.Hour},
			Auth: fanfare.Rate{Count: 7, Window: time.Hour},
			Poll: fanfare.Rate{Count: 120, Window: time.Minute},
		},
		TrustedProxies:    []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")},
		WorkerConcurrency: 10000, ShutdownTimeout: time.Second,
		Retention:   config.Retention{Jobs: 36 * time.Hour, Audit: 1000 * 24 * time.Hour},
		MetricsAddr: ":9090", TracesURL: "https://collector.example.com:4318/otlp",
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

// names returns the settings that err complains of.
func names(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	var found *config.Error
	if !errors.As(err, &found) {
		t.Fatalf("Load returned %T: %v", err, err)
	}
	var all []string
	for _, p := range found.Problems {
		all = append(all, p.Name)
	}
	return all
}

func TestEmptyIsUnset(t *testing.T) {
	var empty []string
	for _, name := range []string{
		"APP_ENV", "HTTP_ADDR", "PUBLIC_URL", "ALLOWED_ORIGINS", "ENCRYPTION_KEYS_OLD", "OPENAI_BASE_URL",
		"OPENAI_MODEL", "OPENAI_PRICE_INPUT", "OPENAI_PRICE_OUTPUT", "AI_TIMEOUT", "JOB_TIMEOUT", "SENTRY_DSN",
		"RATE_LIMIT_API", "RATE_LIMIT_AI", "RATE_LIMIT_AUTH", "RATE_LIMIT_POLL", "TRUSTED_PROXIES",
		"ALLOW_PRIVATE_HOSTS", "WORKER_CONCURRENCY", "SHUTDOWN_TIMEOUT", "RETENTION_JOBS", "RETENTION_AUDIT",
		"METRICS_ADDR", "OTEL_EXPORTER_OTLP_ENDPOINT",
	} {
		empty = append(empty, name+"=")
	}
	unset, err := config.Load(with(), config.Worker)
	if err != nil {
		t.Fatal(err)
	}
	got, err := config.Load(with(empty...), config.Worker)
	if err != nil {
		t.Fatal(err)
	}
	if got.AI.PriceInput != nil || got.AI.PriceOutput != nil {
		t.Error("an empty price is not an unknown one")
	}
	if diff := cmp.Diff(unset, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("empty is not unset (-unset +empty):\n%s", diff)
	}
	_, err = config.Load([]string{
		"DATABASE_URL=", "REDIS_URL=", "AUTH_SECRET=", "ENCRYPTION_KEY=", "OPENAI_API_KEY=",
	}, config.Worker)
	want := []string{"DATABASE_URL", "REDIS_URL", "AUTH_SECRET", "ENCRYPTION_KEY", "OPENAI_API_KEY"}
	if diff := cmp.Diff(want, names(t, err)); diff != "" {
		t.Errorf("required but empty (-want +got):\n%s", diff)
	}
}

func TestWhatEachProcessNeeds(t *testing.T) {
	for name, test := range map[string]struct {
		process config.Process
		want    []string
	}{
		"api":       {config.API, []string{"DATABASE_URL", "REDIS_URL", "AUTH_SECRET", "ENCRYPTION_KEY"}},
		"scheduler": {config.Scheduler, []string{"DATABASE_URL", "REDIS_URL", "AUTH_SECRET", "ENCRYPTION_KEY"}},
		"worker":    {config.Worker, []string{"DATABASE_URL", "REDIS_URL", "AUTH_SECRET", "ENCRYPTION_KEY", "OPENAI_API_KEY"}},
		"migrate":   {config.Migrate, []string{"DATABASE_URL"}},
		"users":     {config.Users, []string{"DATABASE_URL"}},
		"audit":     {config.Audit, []string{"DATABASE_URL"}},
		"jobs":      {config.Jobs, []string{"DATABASE_URL", "REDIS_URL"}},
		"keys":      {config.Keys, []string{"DATABASE_URL", "ENCRYPTION_KEY"}},
		"dev":       {config.Dev, nil},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Load(nil, test.process)
			if diff := cmp.Diff(test.want, names(t, err)); diff != "" {
				t.Errorf("required (-want +got):\n%s", diff)
			}
		})
	}
}

func TestProductionRules(t *testing.T) {
	_, err := config.Load(with("APP_ENV=production", "ALLOW_PRIVATE_HOSTS=true"), config.API)
	if diff := cmp.Diff([]string{"PUBLIC_URL", "ALLOW_PRIVATE_HOSTS"}, names(t, err)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	got, err := config.Load(with("APP_ENV=production", "PUBLIC_URL=https://fanfare.example.com"), config.API)
	if err != nil {
		t.Fatal(err)
	}
	if got.HTTPAddr != ":8080" {
		t.Errorf("HTTPAddr = %q, want :8080", got.HTTPAddr)
	}
	if _, err := config.Load([]string{"APP_ENV=production", "DATABASE_URL=postgres:///fanfare"}, config.Migrate); err != nil {
		t.Errorf("migrate in production: %v", err)
	}
	if got, err := config.Load(with("ALLOW_PRIVATE_HOSTS=true"), config.API); err != nil || !got.AllowPrivateHosts {
		t.Errorf("private hosts outside production: %v, %v", got.AllowPrivateHosts, err)
	}
}

func TestPublicURLFollowsHTTPAddr(t *testing.T) {
	for addr, want := range map[string]string{
		":9000": "http://127.0.0.1:9000", "0.0.0.0:80": "http://127.0.0.1:80",
		"[::]:80": "http://127.0.0.1:80", "[::1]:80": "http://[::1]:80", "myhost:1": "http://myhost:1",
	} {
		got, err := config.Load(with("HTTP_ADDR="+addr), config.API)
		if err != nil || got.PublicURL != want {
			t.Errorf("HTTP_ADDR=%s: PublicURL = %q, %v, want %q", addr, got.PublicURL, err, want)
		}
	}
}
