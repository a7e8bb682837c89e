package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/go-json-experiment/json/jsontext"

	"fanfare"
)

const (
	maxBody     = 1 << 20
	maxDepth    = 64
	bodyTimeout = 15 * time.Second
	// A number is written in at most this many characters. PostgreSQL takes
	// 131072 digits before the point, and refuses more with an error of its own.
	maxNumber = 400
)

const (
	notJSON  = "The body is not valid JSON."
	holdsNUL = "The body contains NUL characters. Remove them."
)

// A lone surrogate is half of a character that UTF-16 writes as two
// (RFC 8259, 8.2).
var surrogate = regexp.MustCompile(`^\\u[dD][89a-fA-F][0-9a-fA-F]{2}`)

// readBody reads the JSON body of a request that its limits let through, and
// refuses what a JSON decoder would let pass: NUL characters, lone surrogates,
// invalid UTF-8, repeated names, deep nesting, more than one value.
func (s *Server) readBody(ctx huma.Context) (pass bool) {
	c := humaginContext(ctx)
	if c.Request.Body == nil || c.Request.Body == http.NoBody || ctx.Operation().Metadata[rawBodyKey] != nil {
		return true
	}
	body, err := read(c)
	if err == nil && len(body) > 0 {
		err = errors.Join(checkMediaType(c.GetHeader("Content-Type")), checkJSON(body))
	}
	if err != nil {
		s.stop(ctx, err)
		return false
	}
	requestFrom(ctx.Context()).bodyDigest = s.Tokens.BodyDigest(body)
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	c.Request.ContentLength = int64(len(body))
	return true
}

func read(c *gin.Context) ([]byte, error) {
	tooLarge := fanfare.Errorf(fanfare.CodeTooLarge, "The body is larger than 1 MiB. Send less.")
	if c.Request.ContentLength > maxBody {
		return nil, tooLarge
	}
	if err := checkEncoding(c); err != nil {
		return nil, err
	}
	// Not every writer can set a deadline (in tests, for one); then there is none.
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Now().Add(bodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxBody))
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return nil, tooLarge
	}
	if err != nil {
		return nil, fanfare.Errorf(fanfare.CodeInvalidRequest, "The body did not arrive whole. Send it again.").WithCause(err)
	}
	_ = http.NewResponseController(c.Writer).SetReadDeadline(time.Time{})
	return body, nil
}

func checkEncoding(c *gin.Context) error {
	if encoding := c.GetHeader("Content-Encoding"); encoding != "" && encoding != "identity" {
		return fanfare.Errorf(fanfare.CodeUnsupportedMedia, "Send the body without Content-Encoding.")
	}
	return nil
}

// checkMediaType takes JSON, and bodies that do not say what they are.
func checkMediaType(contentType string) error {
	media, _, err := mime.ParseMediaType(contentType)
	if contentType == "" || err == nil && (media == "application/json" || strings.HasSuffix(media, "+json")) {
		return nil
	}
	return fanfare.Errorf(fanfare.CodeUnsupportedMedia, "Send the body as JSON, with Content-Type: application/json.")
}

func checkJSON(body []byte) error {
	decoder := jsontext.NewDecoder(bytes.NewReader(body))
	for values := 0; ; {
		token, err := decoder.ReadToken()
		switch {
		case errors.Is(err, io.EOF) && values == 1:
			return nil
		case err != nil:
			return badJSON(whatIsWrong(body, err)).WithCause(err)
		case decoder.StackDepth() > maxDepth:
			return badJSON("The body is nested deeper than 64 levels.")
		case token.Kind() == '"' && strings.ContainsRune(token.String(), 0):
			return badJSON(holdsNUL)
		case token.Kind() == '0' && !isReasonable(token.String()):
			return badJSON("The body contains a number that is too large, too small or too long.")
		}
		if decoder.StackDepth() == 0 {
			values++
		}
		if values > 1 {
			return badJSON("The body has something after its JSON value.")
		}
	}
}

// whatIsWrong says what a decoder met, for those mistakes that look like JSON.
func whatIsWrong(body []byte, err error) string {
	e, ok := errors.AsType[*jsontext.SyntacticError](err)
	if !ok || e.ByteOffset >= int64(len(body)) {
		return notJSON
	}
	rest := body[e.ByteOffset:]
	r, size := utf8.DecodeRune(rest)
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return notJSON + " An object has a name twice."
	case r == utf8.RuneError && size == 1:
		return notJSON + " It is not UTF-8."
	case r == 0:
		return holdsNUL
	case surrogate.Match(rest):
		return notJSON + ` It contains half of a surrogate pair, such as \ud800 alone.`
	default:
		return notJSON
	}
}

// isReasonable tells a number that fits a double (RFC 7493, 2.2), so that
// whoever reads it later can.
func isReasonable(number string) bool {
	n, err := strconv.ParseFloat(number, 64)
	mantissa, _, _ := strings.Cut(strings.ToLower(number), "e")
	return err == nil && len(number) <= maxNumber && (n != 0 || !strings.ContainsAny(mantissa, "123456789"))
}

func badJSON(message string) *fanfare.Error {
	e := fanfare.Errorf(fanfare.CodeInvalidRequest, "%s", message)
	e.Fields = []fanfare.FieldError{{Field: "body", Message: message}}
	return e
}
