package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	jsonpatch "github.com/evanphx/json-patch/v5"

	"fanfare"
)

// merge merges a patch (RFC 7396) into a struct, which has all that may be
// edited of something.
func merge[T any](current T, patch []byte) (T, error) {
	var edited T
	if !bytes.HasPrefix(bytes.TrimSpace(patch), []byte("{")) {
		return edited, fanfare.Invalid("body", "must be an object with what is to be changed")
	}
	document, err := json.Marshal(current)
	if err != nil {
		return edited, fmt.Errorf("encoding what is to be edited: %w", err)
	}
	merged, err := jsonpatch.MergePatch(document, patch)
	if err != nil {
		return edited, fanfare.Invalid("body", "is no JSON merge patch (RFC 7396)").WithCause(err)
	}
	return edited, decodeFields(merged, reflect.ValueOf(&edited).Elem())
}

// decodeFields reads each field by itself, to be able to say which one has a
// value of the wrong type.
func decodeFields(document []byte, into reflect.Value) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(document, &fields); err != nil {
		return fmt.Errorf("decoding what was edited: %w", err)
	}
	for i := range into.NumField() {
		name, _, _ := strings.Cut(into.Type().Field(i).Tag.Get("json"), ",")
		raw, there := fields[name]
		if !there {
			continue
		}
		if err := json.Unmarshal(raw, into.Field(i).Addr().Interface()); err != nil {
			return badField(name, err)
		}
	}
	return nil
}

func badField(name string, err error) error {
	e, ok := errors.AsType[*json.UnmarshalTypeError](err)
	switch {
	case !ok:
		return fanfare.Invalid(name, notValid)
	case e.Field != "":
		name += "." + e.Field
	}
	return fanfare.Invalid(name, "can't be a %s", e.Value)
}
