package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"fanfare"
	"fanfare/jobs"
)

// DashboardPath is where the operators' dashboard lies.
const DashboardPath = "/admin/queues"

// Dashboard shows what the queues hold. As a handler it only looks: a button is
// taken apart by Pressed, and what it does is decided here.
type Dashboard interface {
	http.Handler
	// Pressed fails with CodeNotPossible where there is no such button, and
	// CodeNotFound where there is no such queue.
	Pressed(method, path string, body []byte) (fanfare.Press, error)
	// Answer is what the page expects to hear of a button.
	Answer(press fanfare.Press, pressed fanfare.Pressed) any
	// Tasks are those in a state, as many as a button deals with at once.
	Tasks(ctx context.Context, queue, state string) (tasks []fanfare.Task, more bool, err error)
	// The others report whether they made a difference.
	Forget(ctx context.Context, queue, taskID string) (bool, error)
	Pause(ctx context.Context, queue string) (bool, error)
	Resume(ctx context.Context, queue string) (bool, error)
}

// operators serves the dashboard to admins. It stands before the answer to
// unknown paths, so everyone else gets just that answer, whatever the method.
func (s *Server) operators(c *gin.Context) {
	path, found := strings.CutPrefix(c.Request.URL.Path, DashboardPath)
	if !found || (path != "" && path[0] != '/') {
		return
	}
	identity, err := s.identify(c.Request)
	if err != nil && fanfare.ErrorCode(err) != fanfare.CodeNotFound {
		s.fail(c, err)
		return
	}
	if identity == nil || identity.User.Role != fanfare.RoleAdmin {
		return
	}
	defer c.Abort()
	r := requestFrom(c.Request.Context())
	r.identity, r.route = identity, DashboardPath
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead:
		s.showDashboard(c, path)
	case http.MethodOptions:
		c.Header("Allow", "DELETE, GET, HEAD, OPTIONS, POST")
		c.Status(http.StatusNoContent)
	default:
		s.press(c)
	}
}

// showDashboard asks Redis first: without it there is nothing to show, and the
// dashboard's own errors would name its address.
func (s *Server) showDashboard(c *gin.Context, path string) {
	if err := s.checkShown(c.Request.Context(), path); err != nil {
		s.fail(c, err)
		return
	}
	if strings.HasPrefix(path, "/api/") {
		c.Header("Cache-Control", "no-store")
	}
	request := c.Request.Clone(c.Request.Context())
	request.Method = http.MethodGet // net/http leaves the body out of an answer to HEAD
	c.Status(http.StatusOK)         // gin takes the path for an unknown one
	answer := &withoutErrors{ResponseWriter: c.Writer}
	s.Dashboard.ServeHTTP(answer, request)
	switch {
	case answer.status == http.StatusNotFound:
		s.fail(c, fanfare.Errorf(fanfare.CodeNotFound, "There is no such task any more."))
	case answer.status != 0:
		s.fail(c, errNoRedis())
	}
}

func (s *Server) checkShown(ctx context.Context, path string) error {
	parts := strings.Split(path, "/") // "", "api", "queues", name
	if len(parts) > 3 && parts[1] == "api" && parts[2] == "queues" && !slices.Contains(jobs.Queues(), parts[3]) {
		return fanfare.Errorf(fanfare.CodeNotFound, "There is no queue with that name.")
	}
	if path == "/api/metrics" { // asks a Prometheus, and none is set
		return errNoRoute()
	}
	ctx, cancel := context.WithTimeout(ctx, dashboardPatience)
	defer cancel()
	if err := s.PingRedis(ctx); err != nil {
		return errNoRedis().WithCause(err)
	}
	return nil
}

// dashboardPatience is how long the dashboard waits for a Redis that hangs.
const dashboardPatience = 2 * time.Second

func errNoRedis() *fanfare.Error {
	e := fanfare.Errorf(fanfare.CodeUnavailable, "Redis does not answer, so the queues can't be shown. No job is lost; try again once it is back.")
	e.RetryAfter = 5 * time.Second
	return e
}

// withoutErrors holds an error's answer back, to be given in our words.
type withoutErrors struct {
	http.ResponseWriter
	status int // of an error
}

func (w *withoutErrors) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.status = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *withoutErrors) Write(p []byte) (int, error) {
	if w.status != 0 {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

// press does what a button says, and tells what came of it.
func (s *Server) press(c *gin.Context) {
	c.Header("Cache-Control", "no-store")
	ctx := c.Request.Context()
	press, err := s.readPress(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	var pressed fanfare.Pressed
	switch press.Scope {
	case fanfare.PressQueue:
		pressed, err = s.pressQueue(ctx, press)
	case fanfare.PressOne:
		pressed.Message, err = s.pressTask(ctx, press, press.Tasks[0])
	case fanfare.PressBatch:
		pressed, err = s.pressTasks(ctx, press, press.Tasks)
	case fanfare.PressAll:
		pressed, err = s.pressAll(ctx, press)
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	c.JSON(http.StatusOK, s.Dashboard.Answer(press, pressed))
}

func (s *Server) readPress(c *gin.Context) (fanfare.Press, error) {
	var body []byte
	if c.Request.Body != nil && c.Request.Body != http.NoBody {
		var err error
		if body, err = read(c); err != nil {
			return fanfare.Press{}, err
		}
	}
	return s.Dashboard.Pressed(c.Request.Method, c.Request.URL.Path, body)
}
