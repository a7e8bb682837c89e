package openapi_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/openapi"
)

const document = `{
	"openapi": "3.1.0",
	"paths": {
		"/things/{id}": {"get": {"responses": {
			"200": {"headers": {"ETag": {"$ref": "#/components/headers/Tag"}, "X-Left": {"schema": {"type": "integer"}}},
				"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
			"304": {}}}},
		"/things/new": {"post": {
			"requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
			"responses": {"201": {}}}},
		"/stream": {"get": {"responses": {"200": {"content": {"text/event-stream": {"schema": {"oneOf": [
			{"type": "object", "properties": {"type": {"enum": ["made"]}, "thing": {"$ref": "#/components/schemas/Thing"}}, "required": ["type", "thing"]},
			{"type": "object", "properties": {"type": {"enum": ["gone"]}}, "required": ["type"]}]}}}}}}}
	},
	"components": {
		"headers": {"Tag": {"required": true, "schema": {"type": "string"}}},
		"schemas": {
			"ErrorBody": {"type": "object", "properties": {"error": {"type": "string"}}, "required": ["error"]},
			"Thing": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}, "size": {"type": ["integer", "null"]},
				"more": {"type": "object", "additionalProperties": {}}}}}
	}
}`

const id = "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"

func read(t *testing.T) *openapi.Document {
	t.Helper()
	d, err := openapi.Read([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// wantError compares what is wrong; "" is nothing.
func wantError(t *testing.T, name string, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%s: %v, want %q", name, err, want)
	}
}

func TestAnswers(t *testing.T) {
	d := read(t)
	asJSON := []string{"Content-Type", "application/json", "ETag", "1"}
	for name, c := range map[string]struct {
		method, path string
		status       int
		header       []string
		body, want   string
	}{
		"as told":             {"GET", "/things/1", 200, asJSON, `{"id": "` + id + `", "size": null, "more": {"a": 1}}`, ""},
		"no body":             {"GET", "/things/1", 304, nil, ``, ""},
		"another status":      {"GET", "/things/1", 202, asJSON, `{"id": "` + id + `"}`, "not in the document"},
		"another type":        {"GET", "/things/1", 200, asJSON, `{"id": "` + id + `", "size": "1"}`, "/size"},
		"another format":      {"GET", "/things/1", 200, asJSON, `{"id": "1"}`, "uuid"},
		"a field more":        {"GET", "/things/1", 200, asJSON, `{"id": "` + id + `", "color": "red"}`, "color"},
		"a field less":        {"GET", "/things/1", 200, asJSON, `{}`, "id"},
		"a header less":       {"GET", "/things/1", 200, asJSON[:2], `{"id": "` + id + `"}`, "no header ETag"},
		"a header more":       {"GET", "/things/1", 200, append(asJSON, "X-New", "1"), `{"id": "` + id + `"}`, "X-New is not"},
		"a header's type":     {"GET", "/things/1", 200, append(asJSON, "X-Left", "few"), `{"id": "` + id + `"}`, "X-Left"},
		"another media type":  {"GET", "/things/1", 200, []string{"Content-Type", "text/html", "ETag", "1"}, `<p>`, "text/html"},
		"a body too many":     {"GET", "/things/1", 304, nil, `{}`, "a body"},
		"the literal path":    {"POST", "/things/new", 201, nil, ``, ""},
		"an unknown path":     {"GET", "/nothing", 404, asJSON[:2], `{"error": "no"}`, ""},
		"an unknown refusal":  {"GET", "/nothing", 404, asJSON[:2], `{"err": "no"}`, "err"},
		"an untyped refusal":  {"GET", "/nothing", 404, nil, `no`, "refusal"},
		"a page that is none": {"GET", "/", 302, nil, ``, ""},
	} {
		header := http.Header{}
		for i := 0; i < len(c.header); i += 2 {
			header.Set(c.header[i], c.header[i+1])
		}
		wantError(t, name, d.CheckAnswer(c.method, c.path, c.status, header, []byte(c.body)), c.want)
	}
	want := []openapi.Answer{{Method: "GET", Path: "/stream", Status: "200"}}
	if diff := cmp.Diff(want, d.Unmet()); diff != "" {
		t.Errorf("unmet (-want +got):\n%s", diff)
	}
}

func TestRequests(t *testing.T) {
	d := read(t)
	for name, c := range map[string]struct{ mediaType, body, want string }{
		"as told":            {"application/json", `{"id": "` + id + `", "unknown": 1}`, ""},
		"another type":       {"application/json", `{"id": 1}`, "/id"},
		"another media type": {"text/csv", `id`, "text/csv"},
		"none":               {"", ``, "without the body"},
	} {
		wantError(t, name, d.CheckRequest("POST", "/things/new", c.mediaType, []byte(c.body)), c.want)
	}
}

func TestEvents(t *testing.T) {
	d := read(t)
	for name, c := range map[string]struct{ event, data, want string }{
		"as told":       {"made", `{"type": "made", "thing": {"id": "` + id + `"}}`, ""},
		"another name":  {"gone", `{"type": "made", "thing": {"id": "` + id + `"}}`, "has type made"},
		"unknown":       {"lost", `{"type": "lost"}`, "lost"},
		"a field more":  {"gone", `{"type": "gone", "why": ""}`, "why"},
		"not its field": {"gone", `{"type": "gone", "thing": {"id": "` + id + `"}}`, "thing"},
	} {
		wantError(t, name, d.CheckEvent("/stream", c.event, []byte(c.data)), c.want)
	}
}
