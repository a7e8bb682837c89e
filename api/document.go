package api

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

// document adds to an operation what follows from its line in the table: the
// errors that it may answer with, all in one shape, and the headers of each
// answer. What huma has read of the outputs' headers is put aside: it knows of
// one status, and not which headers are always there.
func document(api *huma.OpenAPI, operation *huma.Operation) {
	line, _ := operation.Metadata[specKey].(spec)
	operation.Description = descriptions()[line.id]
	delete(operation.Responses, "default")
	if operation.RequestBody != nil {
		delete(operation.RequestBody.Content, "application/octet-stream") // as which a raw body would count
	}
	schema := api.Components.Schemas.Schema(reflect.TypeFor[ErrorBody](), true, "")
	for status, codes := range line.refusals(operation) {
		operation.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: errorDescription(status) + " (`" + strings.Join(codes, "`, `") + "`)",
			Content:     map[string]*huma.MediaType{jsonType: {Schema: schema}},
		}
	}
	for status, response := range operation.Responses {
		response.Headers = map[string]*huma.Header{}
		for _, component := range line.headers(operation, status) {
			name := component.header
			response.Headers[name] = &huma.Header{Ref: "#/components/headers/" + component.name}
		}
	}
	illustrate(operation)
}

const jsonType = "application/json"

// refusals are the codes that a route may refuse a request with, by status:
// those of every route of its sort, and its own.
func (line spec) refusals(operation *huma.Operation) map[int][]string {
	own, _ := operation.Metadata[refusesKey].([]string)
	own = slices.Clone(own)
	add := func(when bool, codes ...string) {
		if when {
			own = append(own, codes...)
		}
	}
	add(true, fanfare.CodeInvalidRequest, fanfare.CodeInternal)
	add(line.limit != unlimited, fanfare.CodeRateLimited)
	add(line.limit != unlimited || line.access == users, fanfare.CodeUnavailable)
	add(line.access == users, fanfare.CodeUnauthorized)
	add(line.method != GET && operation.Metadata[fromAnywhereKey] == nil, fanfare.CodeForbidden)
	add(operation.RequestBody != nil, fanfare.CodeTooLarge, fanfare.CodeUnsupportedMedia)
	add(hasParameter(operation, "id"), fanfare.CodeNotFound)
	add(hasParameter(operation, "Idempotency-Key"), fanfare.CodeIdempotencyInFlight, fanfare.CodeIdempotencyMismatch)
	byStatus := map[int][]string{}
	for _, code := range own {
		if status := statusOf(code); !slices.Contains(byStatus[status], code) {
			byStatus[status] = append(byStatus[status], code)
		}
	}
	maps.DeleteFunc(byStatus, func(status int, _ []string) bool {
		return status == http.StatusServiceUnavailable && isProbe(line.path) // which tells how it is
	})
	return byStatus
}

func hasParameter(operation *huma.Operation, name string) bool {
	return slices.ContainsFunc(operation.Parameters, func(p *huma.Param) bool { return p.Name == name })
}

func errorDescription(status int) string {
	switch status {
	case http.StatusBadRequest:
		return "Something in the request is not valid; details.fields says what"
	case http.StatusUnauthorized:
		return "Nobody is signed in, or the credentials are wrong"
	case http.StatusForbidden:
		return "A browser asks on behalf of another site's page, or only an admin may do this"
	case http.StatusNotFound:
		return "There is nothing with that id, or it is somebody else's"
	case http.StatusConflict:
		return "Not now; code says why"
	case http.StatusRequestEntityTooLarge:
		return "The body is too large"
	case http.StatusUnsupportedMediaType:
		return "The body is of another type, or compressed"
	case http.StatusUnprocessableEntity:
		return "The Idempotency-Key was used with another body"
	case http.StatusTooManyRequests:
		return "A rate limit is used up; details says which number, and when to come back"
	case http.StatusServiceUnavailable:
		return "Not for the moment; try again"
	default:
		return "Our fault; quote requestId"
	}
}
