package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/gofrs/uuid/v5"

	"fanfare"
)

// request is what belongs to one request and travels in its context.
type request struct {
	id         string
	route      string // the pattern, such as /api/jobs/:id
	method     string
	path       string
	origin     fanfare.Origin
	identity   *fanfare.Identity // nil while nobody is known
	key        string            // Idempotency-Key
	bodyDigest []byte
	header     http.Header // of the answer
	waited     time.Duration
}

type requestKey struct{}

// requestFrom returns an empty request where there is none.
func requestFrom(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{header: http.Header{}}
}

// user is who makes the request; only for routes that somebody must be known on.
func user(ctx context.Context) fanfare.User { return requestFrom(ctx).identity.User }

func humaginContext(ctx huma.Context) *gin.Context { return humagin.Unwrap(ctx) }

// A client's own request id is kept if it can do no harm in a log.
var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)

// userAgentMax bounds what of a client's name goes into audit records.
const userAgentMax = 300

// answerTime is how long an answer may take, and take to be read: whoever reads
// nothing of it holds a connection no longer. Streams and uploads, which last,
// set times of their own.
const answerTime = time.Minute

func (s *Server) begin(c *gin.Context) {
	// Not every writer can set a deadline (in tests, for one); then there is none.
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(answerTime))
	if c.Request.Body != nil && c.Request.Body != http.NoBody {
		// An answer waits for the rest of a body that nobody reads. Whoever reads
		// one sets a time of its own.
		_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(bodyTimeout))
	}
	body := c.Request.Body
	id := c.GetHeader("X-Request-Id")
	if !saneRequestID.MatchString(id) {
		id = uuid.Must(uuid.NewV7()).String()
	}
	c.Header("X-Request-Id", id)
	if s.unready.Load() {
		c.Header("Connection", "close")
	}
	secure(c.Writer.Header())
	agent := []rune(printable(c.Request.UserAgent()))
	r := &request{
		id: id, route: c.FullPath(), method: c.Request.Method, path: c.Request.URL.Path,
		origin: fanfare.Origin{IPAddress: c.ClientIP(), UserAgent: string(agent[:min(len(agent), userAgentMax)])},
		header: c.Writer.Header(),
	}
	ctx := fanfare.WithRequestID(context.WithValue(c.Request.Context(), requestKey{}, r), id)
	ctx, ended := s.trace(ctx, c, r)
	defer func() { ended(c.Writer.Status()) }()
	c.Request = c.Request.WithContext(ctx)
	started := time.Now()
	c.Next()
	took := time.Since(started)
	s.Meter.Request(r.route, r.method, c.Writer.Status(), took-r.waited)
	s.logRequest(c, r, took)
	linger(c.Request, body, r.identity != nil)
}

// linger reads the rest of a body before its answer goes out. A connection that
// is closed on unread data is reset, and a client that is still writing then
// never sees the refusal (RFC 9112, section 9.6). The body's deadline holds. Who
// announces more than users may send, and strangers than a large body, or who
// asks first, is answered at once.
func linger(r *http.Request, body io.Reader, known bool) {
	var most int64 = 2 * maxBody
	if known {
		most = uploadMax
	}
	if body == nil || r.ContentLength > most || r.Header.Get("Expect") != "" {
		return
	}
	_, _ = io.CopyN(io.Discard, body, most)
}

// secure sets what every answer needs: what it holds is somebody's, is what it
// says it is, and is no page for others to frame.
func secure(header http.Header) {
	header.Set("Cache-Control", "private, no-cache")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
}

// readAddress refuses a path or query that is no text: it names nothing.
func (s *Server) readAddress(c *gin.Context) {
	if !isText(c.Request.URL.Path) {
		s.fail(c, errNoRoute())
		return
	}
	query, err := url.ParseQuery(c.Request.URL.RawQuery)
	if err != nil {
		s.fail(c, fanfare.Invalid("query", "is not encoded as a query must be"))
		return
	}
	for name, values := range query {
		if !isText(name) || slices.ContainsFunc(values, func(v string) bool { return !isText(v) }) {
			s.fail(c, fanfare.Invalid("query", "must be text, without NUL characters"))
			return
		}
	}
}

// isText reports whether PostgreSQL takes a string as text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func (s *Server) logRequest(c *gin.Context, r *request, took time.Duration) {
	level := slog.LevelInfo
	if r.route == "" || isProbe(r.path) {
		level = slog.LevelDebug
	}
	s.Logger.Log(c.Request.Context(), level, "request", "method", r.method, "route", r.route,
		"status", c.Writer.Status(), "ms", took.Milliseconds())
}

// recover turns a handler's panic into a 500.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(v)
		}
		err := panicked(v)
		s.Logger.ErrorContext(c.Request.Context(), "a handler panicked", "error", err, "stack", string(debug.Stack()))
		s.fail(c, err)
	}()
	c.Next()
}

// panicked tells of a panic. Its value may quote what a user sent, and the
// runtime's own never do.
func panicked(v any) error {
	if err, ok := v.(runtime.Error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic: a %T", v)
}

// printable drops what is no text from a header's value, and what would change
// how the text around it is shown.
func printable(s string) string {
	clean := make([]rune, 0, len(s))
	for _, r := range s {
		if unicode.IsPrint(r) && r != '\uFFFD' {
			clean = append(clean, r)
		}
	}
	return string(clean)
}

// audited is a record of what the user of this request did.
func audited(ctx context.Context, action, resource string, metadata map[string]any) fanfare.AuditRecord {
	r := requestFrom(ctx)
	record := fanfare.AuditRecord{Action: action, Resource: resource, Metadata: metadata, Origin: r.origin}
	if r.identity != nil {
		record.UserID = r.identity.User.ID
	}
	return record
}
