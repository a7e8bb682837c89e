package config_test

import (
	"errors"
	"strings"
	"testing"

	"fanfare/config"
)

// FuzzSetting: no value of any setting stops the program but with a list of
// problems, and none is quoted there.
func FuzzSetting(f *testing.F) {
	for i, name := range settings() {
		for _, value := range []string{"", "canary", "1", "10s", "http://u:p@x:1/?#", "5/1m,10.0.0.0/8", "\xff\x00=", "postgres://u:can%ary@db/x?sslmode=y"} {
			f.Add(uint8(i), value)
		}
		_ = name
	}
	f.Fuzz(func(t *testing.T, setting uint8, value string) {
		name := settings()[int(setting)%len(settings())]
		_, err := config.Load(with(name+"="+value), config.Worker)
		if err == nil {
			return
		}
		var refused *config.Error
		if !errors.As(err, &refused) || !strings.HasPrefix(err.Error(), "- ") {
			t.Errorf("%s=%q: %v", name, value, err)
		}
		// A short value may be a word of the sentence that refuses it.
		if len(value) > 12 && strings.Contains(err.Error(), value) {
			t.Errorf("%s=%q is quoted: %v", name, value, err)
		}
	})
}

func settings() []string {
	return []string{
		"APP_ENV", "HTTP_ADDR", "METRICS_ADDR", "PUBLIC_URL", "ALLOWED_ORIGINS", "DATABASE_URL", "REDIS_URL", "AUTH_SECRET", "ENCRYPTION_KEY",
		"ENCRYPTION_KEYS_OLD", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_PRICE_INPUT", "OPENAI_PRICE_OUTPUT", "AI_TIMEOUT", "JOB_TIMEOUT",
		"SENTRY_DSN", "RATE_LIMIT_API", "RATE_LIMIT_AI", "RATE_LIMIT_AUTH", "RATE_LIMIT_POLL", "TRUSTED_PROXIES", "ALLOW_PRIVATE_HOSTS",
		"WORKER_CONCURRENCY", "SHUTDOWN_TIMEOUT", "RETENTION_JOBS", "RETENTION_AUDIT",
	}
}
