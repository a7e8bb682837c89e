package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/rs/cors"

	"fanfare"
)

type identityStore interface {
	IdentityBySession(ctx context.Context, digest []byte) (fanfare.Identity, error)
	IdentityByAPIKey(ctx context.Context, digest []byte) (fanfare.Identity, error)
}

// access says who may use a route.
type access int

const (
	users  access = iota // whoever is signed in or has a key
	public               // everyone
	probes               // everyone, and nobody is looked up: it answers whether or not the database does
)

// cookieName: __Host- makes browsers hold the cookie to this very host and to
// TLS (RFC 6265bis), which needs Secure.
func (s *Server) cookieName() string {
	if s.config.SecureCookies {
		return "__Host-fanfare_session"
	}
	return "fanfare_session"
}

// authenticate finds out who makes a request, and refuses nobody where
// somebody is needed.
func (s *Server) authenticate(ctx huma.Context) (pass bool) {
	if specOf(ctx).access == probes {
		return true
	}
	identity, err := s.identify(humaginContext(ctx).Request)
	if err != nil && fanfare.ErrorCode(err) != fanfare.CodeNotFound {
		s.stop(ctx, err)
		return false
	}
	r := requestFrom(ctx.Context())
	r.identity = identity
	r.key = ctx.Header("Idempotency-Key")
	if identity == nil && specOf(ctx).access == users {
		if s.limited(ctx) {
			return false
		}
		r.header.Set("WWW-Authenticate", "Bearer") // RFC 9110, 11.6.1
		s.stop(ctx, fanfare.Errorf(fanfare.CodeUnauthorized, "Sign in, or send an API key as Authorization: Bearer."))
		return false
	}
	return true
}

// identify returns nil where nobody, or nobody any more, is behind the
// credentials. A key counts before a cookie.
func (s *Server) identify(r *http.Request) (*fanfare.Identity, error) {
	var identity fanfare.Identity
	var err error
	if key, ok := bearer(r.Header.Get("Authorization")); ok {
		identity, err = s.Store.IdentityByAPIKey(r.Context(), s.Tokens.KeyDigest(key))
	} else if cookie, cookieErr := r.Cookie(s.cookieName()); cookieErr == nil {
		identity, err = s.Store.IdentityBySession(r.Context(), s.Tokens.SessionDigest(cookie.Value))
	} else {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &identity, nil
}

func bearer(header string) (string, bool) {
	scheme, key, found := strings.Cut(header, " ")
	return strings.TrimSpace(key), found && strings.EqualFold(scheme, "Bearer")
}

// cors lets the pages of allowed origins read our answers, with credentials.
func (s *Server) cors() gin.HandlerFunc {
	handler := cors.New(cors.Options{
		AllowedOrigins:   s.config.AllowedOrigins,
		AllowOriginFunc:  denyUnlisted(s.config.AllowedOrigins),
		AllowCredentials: true,
		AllowedMethods:   []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
		AllowedHeaders:   []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "Prefer", "X-Request-Id"},
		ExposedHeaders: []string{
			"ETag", "Idempotent-Replayed", "Link", "Location", "Preference-Applied", "Retry-After", "X-Cache", "X-Request-Id",
			headerLimit, headerRemaining, headerReset, headerPolicy, headerService,
		},
		MaxAge: 600,
	})
	return func(c *gin.Context) {
		handler.HandlerFunc(c.Writer, c.Request)
		if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
			c.AbortWithStatus(http.StatusNoContent)
		}
	}
}

// denyUnlisted keeps the library's default, every origin, from applying to an
// empty list.
func denyUnlisted(origins []string) func(string) bool {
	if len(origins) > 0 {
		return nil
	}
	return func(string) bool { return false }
}

// trusting knows the origins whose pages may change something.
func trusting(config Config) *http.CrossOriginProtection {
	protection := http.NewCrossOriginProtection()
	for _, origin := range append([]string{originOf(config.PublicURL)}, config.AllowedOrigins...) {
		_ = protection.AddTrustedOrigin(origin) // the settings were checked; a bad one is trusted in nothing
	}
	return protection
}

// sameOrigin refuses a change that a browser asks for on behalf of another
// origin's page, unless that origin is allowed. An API key is no ambient
// authority: no page can make a browser send it.
func (s *Server) sameOrigin(c *gin.Context) {
	if _, ok := bearer(c.GetHeader("Authorization")); ok {
		return
	}
	if err := s.origins.Check(c.Request); err != nil {
		s.fail(c, fanfare.Errorf(fanfare.CodeForbidden,
			"This request comes from another site's page. Add its origin to ALLOWED_ORIGINS if that is intended.").WithCause(err))
	}
}

// originOf is the scheme and host of a URL.
func originOf(url string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}
