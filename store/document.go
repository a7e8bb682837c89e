package store

import (
	"bytes"
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// document is a JSON column. NULL is nil.
type document json.RawMessage

// Scan copies: the driver uses its buffer again.
func (d *document) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*d = nil
	case []byte:
		*d = bytes.Clone(v)
	case string:
		*d = document(v)
	default:
		return fmt.Errorf("scanning %T into a document", src)
	}
	return nil
}

// Value passes text: lib/pq would send bytes as bytea.
func (d document) Value() (driver.Value, error) {
	if d == nil {
		return nil, nil
	}
	return string(d), nil
}

// UnmarshalJSON keeps the text as it is; null is nil.
func (d *document) UnmarshalJSON(b []byte) error {
	*d = nil
	if !bytes.Equal(b, []byte("null")) {
		*d = bytes.Clone(b)
	}
	return nil
}

// into decodes into dest, which keeps its zero value where d is nil.
func (d document) into(dest any) error {
	if d == nil {
		return nil
	}
	if err := json.Unmarshal(d, dest); err != nil {
		return fmt.Errorf("decoding a stored document: %w", err)
	}
	return nil
}

// encode makes a document of v.
func encode(v any) (document, error) {
	raw, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding a document: %w", err)
	}
	return raw, nil
}
