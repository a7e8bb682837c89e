package api

import (
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

// maxFieldErrors bounds an answer: a body of a mebibyte can hold a hundred
// thousand mistakes.
const maxFieldErrors = 20

// fieldErrors words what huma found wrong, for people.
func fieldErrors(message string, errs []error) []fanfare.FieldError {
	if len(errs) == 0 {
		return []fanfare.FieldError{{Field: "body", Message: wording(strings.TrimPrefix(message, "request body "))}}
	}
	errs = errs[:min(len(errs), maxFieldErrors)]
	fields := make([]fanfare.FieldError, len(errs))
	for i, err := range errs {
		fields[i] = fanfare.FieldError{Field: "body", Message: notValid}
		if detail, ok := errors.AsType[*huma.ErrorDetail](err); ok {
			fields[i] = fieldError(detail)
		}
	}
	return fields
}

func fieldError(detail *huma.ErrorDetail) fanfare.FieldError {
	field, message := detail.Location, wording(detail.Message)
	if rest, ok := strings.CutPrefix(detail.Message, "expected required property "); ok {
		name, _, _ := strings.Cut(rest, " ")
		field, message = field+"."+name, required
	}
	for _, place := range []string{"body.", "query.", "path.", "header."} {
		field = strings.TrimPrefix(field, place)
	}
	return fanfare.FieldError{Field: field, Message: message}
}

const (
	required = "is required"
	notValid = "is not valid"
)

// wording turns a message of huma's validator (its package validation) into the
// rest of a sentence that begins with the field's name. What it does not know
// may name our types, and stays inside.
func wording(message string) string {
	for _, w := range []struct{ prefix, words, suffix string }{
		{"is required", required, ""},
		{"required ", required, ""},
		{"expected value to be one of ", "must be one of ", ""},
		{"expected number >= ", "must be at least ", ""},
		{"expected number <= ", "must be at most ", ""},
		{"expected length >= ", "must have at least ", " characters"},
		{"expected length <= ", "must have at most ", " characters"},
		{"expected array length >= ", "must have at least ", " entries"},
		{"expected array length <= ", "must have at most ", " entries"},
		{"expected string to be RFC 4122 uuid", "must be a UUID", ""},
		{"expected string", "must be a string", ""},
		{"expected boolean", "must be true or false", ""},
		{"expected integer", "must be a whole number", ""},
		{"invalid integer", "must be a whole number", ""},
		{"expected number", "must be a number", ""},
		{"expected array", "must be a list", ""},
		{"expected object", "must be an object", ""},
	} {
		rest, ok := strings.CutPrefix(message, w.prefix)
		switch {
		case ok && strings.HasSuffix(w.words, " "):
			return w.words + strings.Trim(rest, `"`) + w.suffix
		case ok:
			return w.words
		}
	}
	return notValid
}
