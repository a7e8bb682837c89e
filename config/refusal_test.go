package config_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare/config"
)

func TestRefused(t *testing.T) {
	for name, values := range map[string][]string{
		"APP_ENV":                     {"staging", "Production"},
		"HTTP_ADDR":                   {"8080", "host", "host:", "host:99999", "host:http"},
		"METRICS_ADDR":                {"9090", ":65536"},
		"OTEL_EXPORTER_OTLP_ENDPOINT": {"collector:4318", "grpc://collector:4317", "https://u:canary@collector", "http://collector?key=canary"},
		"PUBLIC_URL":                  {"fanfare.example.com", "ftp://x", "https://", "https://u:canary@x", "https://x?a=b", "https://x#", "http:x", "http://x:99999"},
		"ALLOWED_ORIGINS":             {"*", "https://*.example.com", "https://x/", "https://x/path", "x.example.com", "null", "https://ok,https://x?y"},
		"DATABASE_URL":                {"mysql://u:canary@db/x", "postgres:canary", "host=db password=canary", "postgres://u:canary@db:port/x", "postgres://u:can%ary@db"},
		"REDIS_URL":                   {"http://:canary@redis", "redis://", "redis:canary", "redis://:can%zary@redis:6379"},
		"AUTH_SECRET":                 {"canary", strings.Repeat("x", 31)},
		"ENCRYPTION_KEY":              {"canary", strings.Repeat("x", 33), strings.Repeat("ä", 32), strings.Repeat("ä", 16)},
		"ENCRYPTION_KEYS_OLD":         {"canary", key + ",canary"},
		"OPENAI_API_KEY":              {"pk-canary"},
		"OPENAI_BASE_URL":             {"llm:8000", "https://u:canary@llm"},
		"OPENAI_PRICE_INPUT":          {"canary", "-1", "1e3"},
		"OPENAI_PRICE_OUTPUT":         {"$1", "99999999999"},
		"AI_TIMEOUT":                  {"0s", "-1s", "20", "canary", "200000d", "-3d"},
		"JOB_TIMEOUT":                 {"19s", "canary"},
		"SENTRY_DSN":                  {"canary", "https://sentry.example.com/1", "https://canary@sentry.example.com/", "https://canary@sentry.example.com:x/1"},
		"RATE_LIMIT_API":              {"100", "0/1m", "1/0s", "canary/1m"},
		"RATE_LIMIT_AI":               {"1/canary"},
		"RATE_LIMIT_AUTH":             {"-5/15m"},
		"RATE_LIMIT_POLL":             {"/"},
		"TRUSTED_PROXIES":             {"10.0.0.1", "canary", "10.0.0.0/33"},
		"ALLOW_PRIVATE_HOSTS":         {"canary", "yes"},
		"WORKER_CONCURRENCY":          {"0", "10001", "-1", "canary", "1.5"},
		"SHUTDOWN_TIMEOUT":            {"0", "canary"},
		"RETENTION_JOBS":              {"1.5d", "canaryd", "d"},
		"RETENTION_AUDIT":             {"365"},
	} {
		for _, value := range values {
			t.Run(name+"="+value, func(t *testing.T) {
				_, err := config.Load(with(name+"="+value), config.Worker)
				if diff := cmp.Diff([]string{name}, names(t, err)); diff != "" {
					t.Fatalf("problems (-want +got):\n%s", diff)
				}
				if strings.Contains(err.Error(), "canary") {
					t.Errorf("the error quotes the value: %v", err)
				}
			})
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := config.Load([]string{
		"METRICS_ADDR=canary", "RETENTION_JOBS=canary", "REDIS_URL=http://canary", "AUTH_SECRET=canary",
		"ENCRYPTION_KEY=canary", "OPENAI_API_KEY=canary", "AI_TIMEOUT=30s", "RATE_LIMIT_AI=canary",
		"WORKER_CONCURRENCY=canary",
	}, config.Worker)
	want := []string{
		"DATABASE_URL", "REDIS_URL", "AUTH_SECRET", "ENCRYPTION_KEY", "OPENAI_API_KEY", "JOB_TIMEOUT",
		"RATE_LIMIT_AI", "WORKER_CONCURRENCY", "RETENTION_JOBS", "METRICS_ADDR",
	}
	if diff := cmp.Diff(want, names(t, err)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	lines := strings.Split(err.Error(), "\n")
	line := regexp.MustCompile(`^- [A-Z_]+: \S.*$`)
	if len(lines) != len(want) || !slices.ContainsFunc(lines, func(s string) bool { return s == "- DATABASE_URL: is required" }) {
		t.Errorf("want %d lines:\n%v", len(want), err)
	}
	for _, s := range lines {
		if !line.MatchString(s) || strings.Contains(s, "canary") {
			t.Errorf("bad line %q", s)
		}
	}
}
