package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"fanfare"
)

// trace lets a request belong to a trace: the one that its traceparent names,
// where a trusted proxy sends it, or else a new one. A stranger's is left aside:
// it would decide what is recorded, and mix its requests into others' traces.
// The request id, which anybody may choose, is with both.
//
// What is asked all the time, no route, or a stream that stays open for hours
// gets an id for its log lines, and is not measured.
func (s *Server) trace(ctx context.Context, c *gin.Context, r *request) (context.Context, func(status int)) {
	if s.isTrusted(c.RemoteIP()) {
		ctx = fanfare.WithTrace(ctx, c.GetHeader("traceparent"), nil)
	}
	if r.route == "" || isProbe(r.path) || isStream(r.route) {
		if fanfare.Traceparent(ctx) == "" {
			ctx = fanfare.WithTrace(ctx, fanfare.NewTraceparent(), nil)
		}
		return ctx, func(int) {}
	}
	ctx, end := s.Reporter.Trace(ctx, fanfare.OpRequest, r.method+" "+r.route,
		slog.String("http.request.method", r.method), slog.String("http.route", r.route))
	return ctx, func(status int) {
		end(faultOf(status), slog.Int("http.response.status_code", status))
	}
}

func (s *Server) isTrusted(address string) bool {
	peer, err := netip.ParseAddr(address)
	return err == nil && slices.ContainsFunc(s.config.TrustedProxies, func(p netip.Prefix) bool {
		return p.Contains(peer.Unmap())
	})
}

func isStream(route string) bool { return strings.HasSuffix(route, "/events") }

// faultOf is nil for what is no fault of ours.
func faultOf(status int) error {
	switch {
	case status < http.StatusInternalServerError:
		return nil
	case status == http.StatusServiceUnavailable:
		return fanfare.Errorf(fanfare.CodeUnavailable, "The request was answered with %d.", status)
	default:
		return fanfare.Errorf(fanfare.CodeInternal, "The request was answered with %d.", status)
	}
}
