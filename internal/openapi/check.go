package openapi

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const jsonType = "application/json"

// CheckAnswer holds an answer to the document. What is asked of a path or by a
// method that the document does not have must be refused, in the shape of errors.
func (d *Document) CheckAnswer(method, path string, status int, h http.Header, body []byte) error {
	template := d.find(path)
	operation, known := d.paths[template][strings.ToLower(method)]
	if !known {
		return d.checkUnknown(status, h, body)
	}
	answer := Answer{method, template, strconv.Itoa(status)}
	response, told := operation.Responses[answer.Status]
	if !told {
		return fmt.Errorf("%s is not in the document; %v are", answer, slices.Sorted(maps.Keys(operation.Responses)))
	}
	err := errors.Join(d.checkHeaders(response, h), d.checkBody(answer, response, h.Get("Content-Type"), body))
	if err != nil {
		return fmt.Errorf("%s: %w", answer, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.met[answer] = true
	return nil
}

// checkUnknown looks at refusals alone: pages and their parts are not described.
func (d *Document) checkUnknown(status int, h http.Header, body []byte) error {
	if status < http.StatusBadRequest || len(body) == 0 {
		return nil
	}
	if media, _, _ := mime.ParseMediaType(h.Get("Content-Type")); media != jsonType {
		return fmt.Errorf("a refusal with status %d is %q", status, media)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("a refusal: %w", err)
	}
	return d.check(d.closed, value, "components", "schemas", "ErrorBody")
}

func (d *Document) checkBody(answer Answer, response response, contentType string, body []byte) error {
	media, _, _ := mime.ParseMediaType(contentType)
	_, told := response.Content[media]
	switch {
	case len(response.Content) == 0 && len(body) > 0:
		return fmt.Errorf("a body where the document has none: %.200s", body)
	case len(response.Content) == 0:
		return nil
	case !told:
		return fmt.Errorf("a body of type %q; the document has %v", media, slices.Sorted(maps.Keys(response.Content)))
	case media == "text/event-stream": // see CheckEvent
		return nil
	}
	value, err := decode(media, body)
	if err != nil {
		return err
	}
	return d.check(d.closed, value, "paths", answer.Path, strings.ToLower(answer.Method), "responses", answer.Status, "content", media, "schema")
}

func decode(media string, body []byte) (any, error) {
	if media != jsonType && !strings.HasSuffix(media, "+json") {
		return string(body), nil
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("reading %.200s: %w", body, err)
	}
	return value, nil
}

// everywhere are the headers that a document need not tell of: those of HTTP
// itself and those that only browsers look at.
var everywhere = []string{
	"Access-Control-Allow-Credentials", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers", "Vary",
	"Cache-Control", "Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options",
	"Connection", "Content-Length", "Content-Type", "Date", "Transfer-Encoding",
}

func (d *Document) checkHeaders(response response, h http.Header) error {
	var errs []error
	told := map[string]bool{}
	for name, header := range response.Headers {
		if component, isRef := strings.CutPrefix(header.Ref, "#/components/headers/"); isRef {
			header = d.headers[component]
		}
		told[http.CanonicalHeaderKey(name)] = true
		value := h.Get(name)
		_, err := strconv.ParseInt(value, 10, 64)
		switch {
		case value == "" && header.Required:
			errs = append(errs, fmt.Errorf("there is no header %s", name))
		case value != "" && header.Schema.Type == "integer" && err != nil:
			errs = append(errs, fmt.Errorf("the header %s is %q", name, value))
		}
	}
	for name := range h {
		if !told[name] && !slices.Contains(everywhere, name) {
			errs = append(errs, fmt.Errorf("the header %s is not in the document", name))
		}
	}
	return errors.Join(errs...)
}

// CheckRequest holds the body of a request that was taken to the document.
func (d *Document) CheckRequest(method, path, contentType string, body []byte) error {
	template := d.find(path)
	operation, known := d.paths[template][strings.ToLower(method)]
	if !known || len(operation.RequestBody.Content) == 0 {
		return nil
	}
	if len(body) == 0 {
		if operation.RequestBody.Required {
			return fmt.Errorf("%s %s was taken without the body that the document wants", method, template)
		}
		return nil
	}
	media, _, _ := mime.ParseMediaType(contentType)
	if _, told := operation.RequestBody.Content[media]; !told {
		return fmt.Errorf("%s %s took a body of type %q", method, template, media)
	}
	value, err := decode(media, body)
	if err == nil {
		err = d.check(d.open, value, "paths", template, strings.ToLower(method), "requestBody", "content", media, "schema")
	}
	if err != nil {
		return fmt.Errorf("%s %s took a body that is not as the document says: %w", method, template, err)
	}
	return nil
}

// CheckEvent holds an event of a stream to the document. Its name and its
// data's type say the same.
func (d *Document) CheckEvent(path, name string, data []byte) error {
	template := d.find(path)
	value, err := decode(jsonType, data)
	if err == nil {
		err = d.check(d.closed, value, "paths", template, "get", "responses", "200", "content", "text/event-stream", "schema")
	}
	if err != nil {
		return fmt.Errorf("the event %s of %s: %w", name, template, err)
	}
	if object, _ := value.(map[string]any); object["type"] != name {
		return fmt.Errorf("the event %s of %s has type %v", name, template, object["type"])
	}
	return nil
}
