package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"fanfare/api"
	"fanfare/internal/openapi"
)

// Document is the OpenAPI document that a server with a developer's settings
// serves, indented. Making it takes no database.
func Document() ([]byte, error) {
	server, err := api.New(api.Config{PublicURL: "http://127.0.0.1:8080"}, api.Deps{Logger: slog.New(slog.DiscardHandler), Reporter: &Reports{}})
	if err != nil {
		return nil, fmt.Errorf("making a server: %w", err)
	}
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/api/openapi.json", nil))
	var indented bytes.Buffer
	if err := json.Indent(&indented, answer.Body.Bytes(), "", "  "); err != nil {
		return nil, fmt.Errorf("indenting the document: %w", err)
	}
	indented.WriteByte('\n')
	return indented.Bytes(), nil
}

// described is the document that every answer of every test in this process is
// held to.
var described = sync.OnceValues(func() (*openapi.Document, error) {
	raw, err := Document()
	if err != nil {
		return nil, err
	}
	return openapi.Read(raw)
})

func theDocument(t testing.TB) *openapi.Document {
	t.Helper()
	document, err := described()
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// hold fails the test where an answer, or a request that was taken, is not as
// the document says.
func hold(t testing.TB, request *http.Request, body any, a *Answer) {
	t.Helper()
	if strings.HasPrefix(request.URL.Path, "/admin/") {
		return // asynqmon's own, which the document leaves out
	}
	document := theDocument(t)
	if err := document.CheckAnswer(request.Method, request.URL.Path, a.Status, a.Header, []byte(a.Body)); err != nil {
		t.Errorf("%s: the answer is not as the OpenAPI document says: %v", a.line, err)
	}
	_, large := body.(io.Reader)
	if a.Status >= http.StatusBadRequest || large {
		return
	}
	var sent []byte
	if body != nil {
		sent, _ = io.ReadAll(reader(t, body))
	}
	if err := document.CheckRequest(request.Method, request.URL.Path, request.Header.Get("Content-Type"), sent); err != nil {
		t.Errorf("%s: %v", a.line, err)
	}
}

// HoldStream fails the test where a stream was not answered as the document
// says. The body of a refusal can be read again.
func HoldStream(t testing.TB, response *http.Response) {
	t.Helper()
	var body []byte
	if response.StatusCode != http.StatusOK {
		body, _ = io.ReadAll(response.Body)
		response.Body = io.NopCloser(bytes.NewReader(body))
	}
	r := response.Request
	if err := theDocument(t).CheckAnswer(r.Method, r.URL.Path, response.StatusCode, response.Header, body); err != nil {
		t.Errorf("the stream is not answered as the OpenAPI document says: %v", err)
	}
}

// Events reads the lines of a stream, and holds each event to the document.
type Events struct {
	T    testing.TB
	Path string
	name string
}

// Line takes the next line.
func (e *Events) Line(line string) {
	e.T.Helper()
	name, value, _ := strings.Cut(line, ": ")
	switch name {
	case "event":
		e.name = value
	case "data":
		if err := theDocument(e.T).CheckEvent(e.Path, e.name, []byte(value)); err != nil {
			e.T.Errorf("not as the OpenAPI document says: %v", err)
		}
	}
}

// Suite is the tests of a package, which together meet every answer of success
// that the document has. Excused are those that they can't meet, each with its
// reason.
type Suite struct {
	*testing.M
	Excused map[string]string
}

// Run runs the tests, and looks afterwards at what they met if all of them ran.
func (s Suite) Run() int {
	code := s.M.Run()
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.bench"} {
		if flag.Lookup(name).Value.String() != "" {
			return code
		}
	}
	document, err := described()
	if err != nil {
		return 1
	}
	unmet := map[string]bool{}
	for _, answer := range document.Unmet() {
		unmet[answer.String()] = true
		if s.Excused[answer.String()] == "" {
			fmt.Fprintln(os.Stderr, "FAIL: no test gets the answer", answer, "of the OpenAPI document")
			code = 1
		}
	}
	for answer := range s.Excused {
		if !unmet[answer] {
			fmt.Fprintln(os.Stderr, "FAIL: a test gets the answer", answer, "now: take it out of the list of excuses")
			code = 1
		}
	}
	return code
}
