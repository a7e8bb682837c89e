package api

import (
	"context"
	"net/netip"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

// Limits are the rates that requests are held to.
type Limits struct {
	API, AI, Auth, Poll fanfare.Rate
}

// limitClass says which limits a route counts against.
type limitClass int

const (
	limitAPI  limitClass = iota // per user, or per address
	limitPoll                   // reading jobs
	limitAI                     // starts AI work: against limitAPI too
	limitAuth                   // register and login: per address here, per e-mail in the handler
	unlimited                   // health and docs
)

// addressFactor is how many times an e-mail's attempts an address may make:
// many people can stand behind one.
const addressFactor = 10

// limit counts a request against its route's limits.
func (s *Server) limit(ctx huma.Context) (pass bool) {
	counts := requestFrom(ctx.Context()).identity != nil || specOf(ctx).access == public
	return !counts || !s.limited(ctx)
}

// limited refuses a request that is over one of its limits.
func (s *Server) limited(ctx huma.Context) bool {
	r := requestFrom(ctx.Context())
	who := "address:" + network(r.origin.IPAddress)
	if r.identity != nil {
		who = "user:" + r.identity.User.ID
	}
	for _, policy := range s.policies(specOf(ctx).limit) {
		if err := s.count(ctx.Context(), policy, who); err != nil {
			s.stop(ctx, err)
			return true
		}
	}
	return false
}

func (s *Server) policies(class limitClass) []fanfare.RatePolicy {
	limits := s.config.Limits
	switch class {
	case limitAPI:
		return []fanfare.RatePolicy{{Name: "api", Rate: limits.API}}
	case limitPoll:
		return []fanfare.RatePolicy{{Name: "poll", Rate: limits.Poll}}
	case limitAI:
		return []fanfare.RatePolicy{{Name: "api", Rate: limits.API}, {Name: "ai", Rate: limits.AI}}
	case limitAuth:
		rate := fanfare.Rate{Count: limits.Auth.Count * addressFactor, Window: limits.Auth.Window}
		return []fanfare.RatePolicy{{Name: "auth-address", Rate: rate, FailClosedInMemory: true}}
	default:
		return nil
	}
}

// countEmail counts an attempt to register or sign in with an e-mail address.
func (s *Server) countEmail(ctx context.Context, email string) error {
	policy := fanfare.RatePolicy{Name: "auth-email", Rate: s.config.Limits.Auth, FailClosedInMemory: true}
	return s.count(ctx, policy, s.Accounts.RateLimitKey(email))
}

func (s *Server) count(ctx context.Context, policy fanfare.RatePolicy, who string) error {
	decision, err := s.Limiter.Allow(ctx, policy, who, 1)
	if err != nil {
		return err
	}
	if decision.Outage != nil {
		s.Logger.WarnContext(ctx, "a rate limit was decided without Redis", "limit", policy.Name, "error", decision.Outage)
	}
	if decision.Unlimited {
		return nil
	}
	header := requestFrom(ctx).header
	listLimit(header, policy, decision)
	if !decision.Allowed {
		s.Meter.RateLimited(policy.Name)
		return rateLimited(header, decision)
	}
	showLimit(header, decision)
	return nil
}

// network is what of a client's address is counted. Whoever has an IPv6 address
// has a /64 of them at least (RFC 6177), so those count as one.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if ip = ip.Unmap().WithZone(""); ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
