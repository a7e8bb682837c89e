package config

import (
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	minAuthSecret     = 32 // characters
	encryptionKeySize = 32 // bytes: AES-256
	maxConcurrency    = 10_000
)

// check adds a problem for each setting that is set and can't be used.
func (c *Config) check(found *problems) {
	if !slices.Contains([]Env{Development, Test, Production}, c.Env) {
		found.add("APP_ENV", "must be development, test or production")
	}
	c.checkAddresses(found)
	c.checkSecrets(found)
	c.checkAI(found)
	if c.JobTimeout < c.AI.Timeout {
		found.add("JOB_TIMEOUT", "must be at least AI_TIMEOUT (%s)", c.AI.Timeout)
	}
	if c.AllowPrivateHosts && c.Env == Production {
		found.add("ALLOW_PRIVATE_HOSTS", "must not be true in production")
	}
	if c.WorkerConcurrency < 1 || c.WorkerConcurrency > maxConcurrency {
		found.add("WORKER_CONCURRENCY", "must be between 1 and %d", maxConcurrency)
	}
}

func (c *Config) checkAddresses(found *problems) {
	for name, addr := range map[string]string{"HTTP_ADDR": c.HTTPAddr, "METRICS_ADDR": c.MetricsAddr} {
		if addr != "" && !isListenAddr(addr) {
			found.add(name, "must be host:port or :port, such as 127.0.0.1:8080")
		}
	}
	if c.PublicURL != "" && !isPlainURL(c.PublicURL) {
		found.add("PUBLIC_URL", "must be an http or https URL such as https://fanfare.example.com")
	}
	if slices.ContainsFunc(c.AllowedOrigins, isNoOrigin) {
		found.add("ALLOWED_ORIGINS", "must be origins such as https://app.example.com, without a path, separated by commas")
	}
	if c.DatabaseURL != "" && parseURL(c.DatabaseURL, "postgres", "postgresql") == nil {
		found.add("DATABASE_URL", "must be a URL that begins with postgres:// or postgresql://")
	}
	if u := parseURL(c.RedisURL, "redis", "rediss"); c.RedisURL != "" && (u == nil || u.Host == "") {
		found.add("REDIS_URL", "must be a URL that begins with redis:// or rediss:// and names a host")
	}
	if c.TracesURL != "" && !isPlainURL(c.TracesURL) {
		found.add("OTEL_EXPORTER_OTLP_ENDPOINT", "must be the http or https URL of an OTLP/HTTP collector such as http://127.0.0.1:4318")
	}
	if c.SentryDSN != "" && !isSentryDSN(c.SentryDSN) {
		found.add("SENTRY_DSN", "must be a Sentry DSN such as https://key@sentry.example.com/1")
	}
}

func (c *Config) checkSecrets(found *problems) {
	if c.AuthSecret != "" && utf8.RuneCountInString(c.AuthSecret) < minAuthSecret {
		found.add("AUTH_SECRET", "must have at least %d characters", minAuthSecret)
	}
	if c.EncryptionKey != "" && isNoEncryptionKey(c.EncryptionKey) {
		found.add("ENCRYPTION_KEY", "must have exactly %d characters, all of them ASCII", encryptionKeySize)
	}
	if slices.ContainsFunc(c.EncryptionKeysOld, isNoEncryptionKey) {
		found.add("ENCRYPTION_KEYS_OLD", "must be keys of exactly %d ASCII characters, separated by commas", encryptionKeySize)
	}
}

func (c *Config) checkAI(found *problems) {
	if c.AI.APIKey != "" && c.AI.BaseURL == "" && !strings.HasPrefix(c.AI.APIKey, "sk-") {
		found.add("OPENAI_API_KEY", "must begin with sk- unless OPENAI_BASE_URL is set")
	}
	if c.AI.BaseURL != "" && !isPlainURL(c.AI.BaseURL) {
		found.add("OPENAI_BASE_URL", "must be an http or https URL such as https://api.openai.com/v1")
	}
}

// parseURL returns nil for what is no URL of one of schemes. url.Parse's own
// error is dropped: it quotes the URL, password and all.
func parseURL(s string, schemes ...string) *url.URL {
	u, err := url.Parse(s)
	if err != nil || !slices.Contains(schemes, u.Scheme) || u.Opaque != "" {
		return nil
	}
	return u
}

// isPlainURL takes an http(s) URL that a path can be appended to.
func isPlainURL(s string) bool {
	u := parseURL(s, "http", "https")
	return u != nil && u.Hostname() != "" && u.User == nil && u.RawQuery == "" && !u.ForceQuery &&
		!strings.Contains(s, "#") && isPort(u.Port())
}

func isNoOrigin(s string) bool {
	u := parseURL(s, "http", "https")
	return !isPlainURL(s) || u.Path != "" || strings.Contains(u.Host, "*")
}

func isSentryDSN(s string) bool {
	u := parseURL(s, "http", "https")
	return u != nil && u.Hostname() != "" && u.User.Username() != "" && strings.Trim(u.Path, "/") != ""
}

func isListenAddr(s string) bool {
	_, port, err := net.SplitHostPort(s)
	return err == nil && port != "" && isPort(port)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return s == "" || err == nil
}

func isNoEncryptionKey(s string) bool {
	return len(s) != encryptionKeySize || utf8.RuneCountInString(s) != encryptionKeySize
}
