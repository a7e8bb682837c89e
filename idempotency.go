package fanfare

import "encoding/json"

// IdempotencyKey is a client's name for one request.
type IdempotencyKey struct {
	UserID, Method, Path, Key string
	BodyDigest                []byte
}

// StoredResponse is what such a request was answered with.
type StoredResponse struct {
	Status   int
	Location string
	Body     json.RawMessage
}
