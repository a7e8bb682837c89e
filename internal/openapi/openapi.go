// Package openapi holds what a server answers to the OpenAPI 3.1 document that
// it publishes: a status, a header, a field or an event that the document does
// not tell of is an error, and so is one that it promises and that is not there.
package openapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Document is an OpenAPI document. Its methods may be called from several
// goroutines.
type Document struct {
	paths   map[string]map[string]operation
	headers map[string]header

	mu      sync.Mutex
	open    *jsonschema.Compiler // for what clients send: more fields are let pass
	closed  *jsonschema.Compiler // for what the server answers
	schemas map[string]*jsonschema.Schema
	met     map[Answer]bool
}

// Answer is one of the answers that an operation may give.
type Answer struct{ Method, Path, Status string }

func (a Answer) String() string { return a.Method + " " + a.Path + " " + a.Status }

type operation struct {
	RequestBody struct {
		Required bool
		Content  map[string]any
	}
	Responses map[string]response
}

type response struct {
	Headers map[string]header
	Content map[string]any
}

type header struct {
	Ref      string `json:"$ref"`
	Required bool
	Schema   struct{ Type string }
}

// Read reads a document. Its schemas are compiled when they are first needed.
func Read(raw []byte) (*Document, error) {
	var parts struct {
		Paths      map[string]map[string]operation
		Components struct{ Headers map[string]header }
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return nil, fmt.Errorf("reading a document: %w", err)
	}
	d := &Document{
		paths: parts.Paths, headers: parts.Components.Headers,
		schemas: map[string]*jsonschema.Schema{}, met: map[Answer]bool{},
	}
	var err error
	if d.open, err = compiler(raw, func(any) {}); err != nil {
		return nil, err
	}
	d.closed, err = compiler(raw, closeObjects)
	return d, err
}

const address = "urn:openapi"

func compiler(raw []byte, change func(any)) (*jsonschema.Compiler, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading a document: %w", err)
	}
	change(document)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource(address, document); err != nil {
		return nil, fmt.Errorf("adding a document: %w", err)
	}
	return c, nil
}

// closeObjects refuses, in each schema of an object whose fields are listed,
// all other fields. The document joins schemas with anyOf and oneOf alone, where
// that says what it is meant to.
func closeObjects(at any) {
	switch part := at.(type) {
	case []any:
		for _, entry := range part {
			closeObjects(entry)
		}
	case map[string]any:
		_, listed := part["properties"].(map[string]any)
		if _, said := part["additionalProperties"]; listed && !said {
			part["additionalProperties"] = false
		}
		for _, entry := range part {
			closeObjects(entry)
		}
	}
}

// check holds a value to the schema at a place in the document, such as
// paths, /api/keys, get.
func (d *Document) check(c *jsonschema.Compiler, value any, place ...string) error {
	for i, name := range place {
		place[i] = strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
	}
	schema, err := d.schema(c, strings.Join(place, "/"))
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%w", err)
	}
	return nil
}

func (d *Document) schema(c *jsonschema.Compiler, pointer string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	key := fmt.Sprintf("%t/%s", c == d.open, pointer)
	if schema := d.schemas[key]; schema != nil {
		return schema, nil
	}
	schema, err := c.Compile(address + "#/" + strings.ReplaceAll(strings.ReplaceAll(pointer, "{", "%7B"), "}", "%7D"))
	if err != nil {
		return nil, fmt.Errorf("compiling %s: %w", pointer, err)
	}
	d.schemas[key] = schema
	return schema, nil
}

// find returns the path of the document that a request's path is of: a name
// that stands there counts before one that is a parameter. "" is none.
func (d *Document) find(path string) (template string) {
	if _, literal := d.paths[path]; literal {
		return path
	}
	parts := strings.Split(path, "/")
	for _, template := range slices.Sorted(maps.Keys(d.paths)) {
		names := strings.Split(template, "/")
		fits := len(names) == len(parts)
		for i := 0; fits && i < len(names); i++ {
			fits = names[i] == parts[i] || strings.HasPrefix(names[i], "{") && parts[i] != ""
		}
		if fits {
			return template
		}
	}
	return ""
}

// Unmet lists the answers of success that no request has met so far.
func (d *Document) Unmet() (unmet []Answer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for path, operations := range d.paths {
		for method, operation := range operations {
			for status := range operation.Responses {
				answer := Answer{strings.ToUpper(method), path, status}
				if status < "400" && !d.met[answer] {
					unmet = append(unmet, answer)
				}
			}
		}
	}
	slices.SortFunc(unmet, func(a, b Answer) int { return strings.Compare(a.String(), b.String()) })
	return unmet
}
