package rest

import (
	"encoding/json"
	"fmt"

	"fanfare"
)

// Preview shows calls as a person reads them, without what Authorize adds.
func (a API) Preview(calls ...Call) ([]fanfare.OutgoingRequest, error) {
	requests := make([]fanfare.OutgoingRequest, len(calls))
	for i, call := range calls {
		body, kind, err := call.content()
		if err != nil {
			return nil, err
		}
		if call.Body != nil {
			if body, err = indented(call.Body); err != nil {
				return nil, err
			}
		}
		headers := map[string]string{}
		for name, value := range call.Header {
			headers[name] = value
		}
		if kind != "" {
			headers["Content-Type"] = kind
		}
		requests[i] = fanfare.OutgoingRequest{Method: call.Method, URL: a.url(call), Headers: headers, Body: body}
	}
	return requests, nil
}

func indented(body any) (string, error) {
	encoded, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		return "", fmt.Errorf("encoding a preview: %w", err)
	}
	return string(encoded), nil
}
