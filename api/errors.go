package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"fanfare"
)

// ErrorBody is how every error looks.
type ErrorBody struct {
	Message   string         `json:"error" doc:"A sentence for a person: what is wrong and what to do" example:"There is nothing here with that id, or it is not yours."`
	Code      string         `json:"code" doc:"The same in every language and version" example:"not_found"`
	Details   map[string]any `json:"details,omitempty" doc:"More for a program, such as fields: [{field, message}]"`
	RequestID string         `json:"requestId" doc:"Quote it when asking for help"`
	Success   *bool          `json:"success,omitempty" doc:"false, from POST /api/integrations/test only"`

	status int
	header http.Header
}

func (e *ErrorBody) Error() string { return e.Code + ": " + e.Message }

// GetStatus implements huma.StatusError.
func (e *ErrorBody) GetStatus() int { return e.status }

// GetHeaders implements huma.HeadersError.
func (e *ErrorBody) GetHeaders() http.Header { return e.header }

// statusOf is the one place that knows which code is which status.
func statusOf(code string) int {
	switch code {
	case fanfare.CodeInvalidRequest, fanfare.CodeSuspiciousInput, fanfare.CodeUserExists:
		return http.StatusBadRequest
	case fanfare.CodeUnauthorized:
		return http.StatusUnauthorized
	case fanfare.CodeForbidden:
		return http.StatusForbidden
	case fanfare.CodeNotFound:
		return http.StatusNotFound
	case fanfare.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case fanfare.CodeCampaignBusy, fanfare.CodeNotReady, fanfare.CodeLaunchInProgress, fanfare.CodeIntegrationExists,
		fanfare.CodeNotRetryable, fanfare.CodeNotPossible, fanfare.CodeIdempotencyInFlight:
		return http.StatusConflict
	case fanfare.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case fanfare.CodeUnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case fanfare.CodeIdempotencyMismatch:
		return http.StatusUnprocessableEntity
	case fanfare.CodeRateLimited:
		return http.StatusTooManyRequests
	case fanfare.CodeUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// failure turns any error into what a client sees of it. What is inside goes
// to the log, what is our fault to the error tracker, and attempts to steer the
// model are recorded.
func (s *Server) failure(ctx context.Context, err error) *ErrorBody {
	e, ours := errors.AsType[*fanfare.Error](err)
	if !ours {
		e = fanfare.Errorf(fanfare.CodeInternal, "Something went wrong on our side. It has been logged; try again, and quote the request id when you ask for help.")
	}
	if statusOf(e.Code) >= http.StatusInternalServerError && ctx.Err() != nil {
		e = errGone()
	}
	body := bodyOf(ctx, e)
	if e.Code == fanfare.CodeSuspiciousInput {
		s.recordAttempt(ctx, e)
	}
	if body.status >= http.StatusInternalServerError {
		s.Logger.ErrorContext(ctx, "a request failed", "status", body.status, "error", err)
		s.Reporter.Report(ctx, err, map[string]string{"route": requestFrom(ctx).route})
	}
	return body
}

// recordAttempt lets operators see attempts to steer the model, and who makes
// them, but nothing of the text. The refused request has left no transaction
// behind, and may be gone itself.
func (s *Server) recordAttempt(ctx context.Context, e *fanfare.Error) {
	s.Meter.InputRefused()
	field, _ := errors.AsType[fanfare.InField](e)
	s.Logger.WarnContext(ctx, "a text that tries to steer the model was refused", "field", string(field))
	record := audited(ctx, fanfare.ActionInputRefused, "", map[string]any{"field": string(field)})
	record.Status = fanfare.AuditFailure
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), auditLimit)
	defer cancel()
	if err := s.Store.Audit(ctx, record); err != nil {
		s.Logger.ErrorContext(ctx, "a refused text could not be audited", "error", err)
	}
}

// auditLimit is how long a refusal waits for a database that hangs.
const auditLimit = 2 * time.Second

func bodyOf(ctx context.Context, e *fanfare.Error) *ErrorBody {
	body := &ErrorBody{
		Message: e.Message, Code: e.Code, Details: e.Details, RequestID: requestFrom(ctx).id,
		status: statusOf(e.Code), header: http.Header{},
	}
	if requestFrom(ctx).route == connectionTestPath {
		body.Success = new(false)
	}
	if len(e.Fields) > 0 {
		body.Details = map[string]any{"fields": e.Fields}
	}
	switch {
	case e.RetryAfter > 0:
		body.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	case body.status == http.StatusServiceUnavailable:
		body.header.Set("Retry-After", unreadyRetry)
	}
	return body
}

// fail ends a request outside of a typed handler.
func (s *Server) fail(c *gin.Context, err error) {
	body := s.failure(c.Request.Context(), err)
	for name, values := range body.header {
		c.Writer.Header()[name] = values
	}
	c.AbortWithStatusJSON(body.status, body)
}

// stop ends a request in a middleware of a typed route.
func (s *Server) stop(ctx huma.Context, err error) { s.fail(humaginContext(ctx), err) }

// errGone is for a client that closed its connection, or its half of it, and
// so ended the work: that is no fault of ours, in the log and in metrics either.
func errGone() *fanfare.Error {
	return fanfare.Errorf(fanfare.CodeInvalidRequest, "The connection was closed before the answer was ready. Keep it open until then.")
}

func errNoRoute() error {
	return fanfare.Errorf(fanfare.CodeNotFound, "There is no such page. See /api/docs for what there is.")
}

func errNoMethod(method string) error {
	return fanfare.Errorf(fanfare.CodeMethodNotAllowed, "%s is not possible here. See /api/docs for what is.", method)
}

// useOurErrors gives huma's own refusals our shape. Its constructors are
// globals of its package, the same for every server in a process.
var useOurErrors = sync.OnceFunc(func() {
	huma.NewErrorWithContext = func(ctx huma.Context, status int, message string, errs ...error) huma.StatusError {
		return refusal(ctx.Context(), status, message, errs...)
	}
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		return refusal(context.Background(), status, message, errs...)
	}
})

// refusal words what huma found wrong with a request. Its 422 is our 400.
func refusal(ctx context.Context, status int, message string, errs ...error) *ErrorBody {
	code := fanfare.CodeInvalidRequest
	switch status {
	case http.StatusNotFound:
		return bodyOf(ctx, fanfare.Errorf(fanfare.CodeNotFound, "There is nothing here with that id, or it is not yours."))
	case http.StatusRequestEntityTooLarge:
		code = fanfare.CodeTooLarge
	case http.StatusUnsupportedMediaType:
		code = fanfare.CodeUnsupportedMedia
	case http.StatusInternalServerError:
		code, message = fanfare.CodeInternal, "Something went wrong on our side."
	}
	e := fanfare.Errorf(code, "The request was refused: %s.", strings.TrimSuffix(message, "."))
	if code == fanfare.CodeInvalidRequest {
		e.Fields = fieldErrors(message, errs)
		e.Message = "The request was refused: " + e.Fields[0].Field + ": " + e.Fields[0].Message
	}
	return bodyOf(ctx, e)
}
