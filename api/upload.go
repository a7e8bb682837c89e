package api

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"fanfare"
)

// An upload is read as it comes: whoever sends nothing for a while is gone, and
// nobody may take so long that what they fill is pruned meanwhile.
const (
	uploadMax      = 50 << 20
	uploadPatience = 15 * time.Second
	uploadTime     = 30 * time.Minute
)

// upload is the body of a request, under limits.
type upload struct {
	body       io.Reader
	connection *http.ResponseController
	patience   time.Duration
	until      time.Time
}

// openUpload refuses what is not a plain text/csv in UTF-8, and what is
// announced as too large, before any of it is read.
func openUpload(c *gin.Context) (*upload, error) {
	media, parameters, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	charset := strings.ToLower(parameters["charset"])
	if err != nil || media != "text/csv" || charset != "" && charset != "utf-8" && charset != "us-ascii" {
		return nil, fanfare.Errorf(fanfare.CodeUnsupportedMedia, "Send the file as CSV in UTF-8, with Content-Type: text/csv.")
	}
	if err := checkEncoding(c); err != nil {
		return nil, err
	}
	if c.Request.ContentLength > uploadMax {
		return nil, errLargeUpload()
	}
	return &upload{
		body:       http.MaxBytesReader(c.Writer, c.Request.Body, uploadMax),
		connection: http.NewResponseController(c.Writer),
		patience:   uploadPatience, until: time.Now().Add(uploadTime),
	}, nil
}

// Read implements io.Reader. Its errors but io.EOF are for people.
func (u *upload) Read(p []byte) (int, error) {
	deadline := time.Now().Add(u.patience)
	if deadline.After(u.until) {
		deadline = u.until
	}
	_ = u.connection.SetReadDeadline(deadline) // not every writer can, in tests for one
	_ = u.connection.SetWriteDeadline(deadline.Add(answerTime))
	n, err := u.body.Read(p)
	if err == nil || errors.Is(err, io.EOF) { // after which the server reads on without a deadline
		return n, err
	}
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return n, errLargeUpload()
	}
	return n, fanfare.Errorf(fanfare.CodeInvalidRequest, "The file did not arrive whole, and nothing was changed. Send it again.").WithCause(err)
}

func errLargeUpload() error {
	return fanfare.Errorf(fanfare.CodeTooLarge, "The file is larger than 50 MiB, and nothing was changed. Send fewer rows.")
}
