package app

import (
	"context"
	"math"
	"net"
	"net/netip"
	"strings"

	"fanfare/config"
	"fanfare/doctor"
)

// settings looks at the settings: first those that can't be used, then what is
// allowed and hardly meant.
func (d Doctor) settings() doctor.Group {
	return doctor.Group{{Name: "settings", Limit: checkLimit, Look: func(context.Context) []doctor.Finding {
		var found []doctor.Finding
		for _, p := range d.Problems {
			found = append(found, doctor.Bad(p.Name+" can't be used", "It "+p.Reason+"."))
		}
		found = append(found, d.weakSettings()...)
		if len(found) == 0 {
			found = one(doctor.Fine("all settings for %s can be used", d.Config.Env))
		}
		return found
	}}}
}

// weakSettings warns of settings; those that can't be used have been named.
func (d Doctor) weakSettings() (found []doctor.Finding) {
	c := d.Config
	production := c.Env == config.Production
	for _, w := range []struct {
		weak          bool
		name          string
		found, advice string
	}{
		{c.AuthSecret != "" && guessable(c.AuthSecret), "AUTH_SECRET", "looks like an example, or can be guessed", "Make one with `openssl rand -base64 48`; all sessions and API keys end with the change."},
		{c.EncryptionKey != "" && guessable(c.EncryptionKey), "ENCRYPTION_KEY", "looks like an example, or can be guessed", "Make one with `openssl rand -hex 16`, put the old one into ENCRYPTION_KEYS_OLD, and run `fanfare keys rotate`."},
		{c.AuthSecret != "" && strings.Contains(c.AuthSecret, c.EncryptionKey) && c.EncryptionKey != "", "AUTH_SECRET", "holds ENCRYPTION_KEY", "Make each by itself, so that one that gets known does not open the other."},
		{production && strings.HasPrefix(c.PublicURL, "http://"), "PUBLIC_URL", "is http in production", "Serve over https: browsers keep no session otherwise, and links in messages would go over the open network."},
		{production && len(c.TrustedProxies) == 0, "TRUSTED_PROXIES", "is not set in production", "Set the networks of your proxies, or all clients share the proxy's address and its limits."},
		{production && c.SentryDSN == "", "SENTRY_DSN", "is not set in production", "Set it, or see to it that somebody reads the log's errors."},
		{production && c.MetricsAddr == "", "METRICS_ADDR", "is not set in production", "Set it, such as 127.0.0.1:9090, so that somebody can be told when jobs stop."},
		{c.MetricsAddr != "" && public(c.MetricsAddr), "METRICS_ADDR", "listens to everybody", "Set a private address, such as 127.0.0.1:9090, or keep others out by a firewall."},
		{c.AllowPrivateHosts, "ALLOW_PRIVATE_HOSTS", "lets users' integrations reach this network", "Set it to false unless all users may do that."},
	} {
		if w.weak && d.usable(w.name, "set") {
			found = append(found, doctor.Warn(w.name+" "+w.found, w.advice))
		}
	}
	return found
}

// leastEntropy is in bits, reckoned from how often each character comes: 32
// random hexadecimal digits have about 110.
const leastEntropy = 80

// guessable tells keys that were typed or copied from those that were drawn.
func guessable(secret string) bool {
	plain := strings.ToLower(secret)
	for _, word := range []string{"change", "example", "placeholder", "secret", "password", "replace", "your-", "your_", "xxxx", "12345", "abcdef", "qwert"} {
		if strings.Contains(plain, word) {
			return true
		}
	}
	counts := map[rune]float64{}
	total := 0.0
	for _, r := range secret {
		counts[r]++
		total++
	}
	bits := 0.0
	for _, n := range counts {
		bits -= n * math.Log2(n/total)
	}
	return bits < leastEntropy
}

// public reports whether others than this network reach an address to listen on.
func public(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil || host == "localhost" {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "" || err == nil && !ip.IsLoopback() && !ip.IsPrivate()
}
