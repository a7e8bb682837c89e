package api

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// document adds to an operation what follows from its line in the table: the
// errors that it may answer with, all in one shape, and the headers that no
// handler sets itself.
func document(api *huma.OpenAPI, operation *huma.Operation) {
	line, _ := operation.Metadata[specKey].(spec)
	delete(operation.Responses, "default")
	if operation.RequestBody != nil {
		delete(operation.RequestBody.Content, "application/octet-stream") // as which a raw body would count
	}
	schema := api.Components.Schemas.Schema(reflect.TypeFor[ErrorBody](), true, "")
	more, _ := operation.Metadata[mayFailKey].([]int)
	for _, status := range append(line.errors(operation), more...) {
		operation.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: errorDescription(status),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: schema}},
			Headers:     errorHeaders(status),
		}
	}
	for _, response := range operation.Responses {
		if response.Headers == nil {
			response.Headers = map[string]*huma.Header{}
		}
		response.Headers["X-Request-Id"] = textHeader("The client's own, or ours")
		if line.limit != unlimited {
			response.Headers[headerLimit] = textHeader("Of the limit with the least remaining: how many requests it allows")
			response.Headers[headerRemaining] = textHeader("How many are left of it")
			response.Headers[headerReset] = textHeader("When all are there again, in milliseconds since the epoch")
			response.Headers[headerPolicy] = textHeader(`Each limit that the request counted against (draft-ietf-httpapi-ratelimit-headers-11): q requests in w seconds, as in "api";q=100;w=900, "ai";q=20;w=3600`)
			response.Headers[headerService] = textHeader(`How each of them stands: r requests are left, and one more comes back in t seconds, as in "api";r=97;t=9, "ai";r=19;t=180`)
		}
	}
}

// errors are the statuses that every route of its sort may answer with.
func (line spec) errors(operation *huma.Operation) []int {
	statuses := []int{http.StatusBadRequest, http.StatusInternalServerError}
	add := func(when bool, more ...int) {
		if when {
			statuses = append(statuses, more...)
		}
	}
	add(line.limit != unlimited, http.StatusTooManyRequests)
	add(line.limit != unlimited || line.access == users, http.StatusServiceUnavailable)
	add(line.access == users, http.StatusUnauthorized)
	add(line.method != GET && operation.Metadata[fromAnywhereKey] == nil, http.StatusForbidden)
	add(operation.RequestBody != nil, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	add(hasParameter(operation, "id"), http.StatusNotFound)
	add(hasParameter(operation, "Idempotency-Key"), http.StatusConflict, http.StatusUnprocessableEntity)
	return statuses
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
	case http.StatusUnprocessableEntity:
		return "The Idempotency-Key was used with another body"
	case http.StatusInternalServerError:
		return "Our fault; quote requestId"
	default:
		return http.StatusText(status)
	}
}

func errorHeaders(status int) map[string]*huma.Header {
	headers := map[string]*huma.Header{}
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		headers["Retry-After"] = textHeader("Seconds until it is worth trying again")
	}
	return headers
}

func textHeader(description string) *huma.Header {
	return &huma.Header{Description: description, Schema: &huma.Schema{Type: huma.TypeString}}
}
