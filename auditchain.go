package fanfare

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"slices"
	"time"
)

// AuditHash is a SHA-256 in the audit chain.
type AuditHash [sha256.Size]byte

// String is the hash as operators note it.
func (h AuditHash) String() string { return fmt.Sprintf("%x", h[:]) }

// AuditLink is one place in the audit chain. Hash covers all before it.
//
// The chain has no key: who can read the database can check it, and no secret
// has to be kept, or be given away, for as long as the records are. In return
// someone who may write every table can make the chain anew. What they can't
// change are the heads that the schedulers have logged and somebody has kept:
// a new chain does not hold them.
type AuditLink struct {
	Sequence  int64 // from 1, without gaps
	RecordID  string
	CreatedAt time.Time // of the record
	Digest    AuditHash // of the record
	Hash      AuditHash
}

// After returns the link that seals a record behind previous.
func (previous AuditLink) After(id string, createdAt time.Time, digest AuditHash) AuditLink {
	link := AuditLink{Sequence: previous.Sequence + 1, RecordID: id, CreatedAt: createdAt, Digest: digest}
	link.Hash = link.hash(previous.Hash)
	return link
}

func (l AuditLink) hash(previous AuditHash) AuditHash {
	var b canonical
	b.Write(previous[:])
	b.number(l.Sequence)
	b.text('s', l.RecordID)
	b.number(l.CreatedAt.UnixMicro())
	b.Write(l.Digest[:])
	return sha256.Sum256(b.Bytes())
}

// Digest is of everything that the record says. It is made of an encoding of
// our own: the texts that PostgreSQL and encoding/json make of a document
// differ between their versions.
func (e AuditEntry) Digest() AuditHash {
	var b canonical
	b.text('v', "fanfare audit record 1")
	b.text('s', e.ID)
	b.optional(e.UserID)
	b.text('s', e.Action)
	b.optional(e.Resource)
	b.document(e.Metadata)
	b.optional(e.IPAddress)
	b.optional(e.UserAgent)
	b.text('s', string(e.Status))
	b.number(e.CreatedAt.UnixMicro())
	return sha256.Sum256(b.Bytes())
}

// canonical writes values so that no two different ones look alike: each has a
// mark of its type, and its length where that is not fixed.
type canonical struct{ bytes.Buffer }

func (b *canonical) number(n int64) {
	_ = binary.Write(b, binary.BigEndian, n) // a buffer takes everything
}

func (b *canonical) text(mark byte, s string) {
	b.WriteByte(mark)
	b.number(int64(len(s)))
	b.WriteString(s)
}

func (b *canonical) optional(s *string) {
	if s == nil {
		b.WriteByte('n')
		return
	}
	b.text('s', *s)
}

// document writes JSON by what it means. What is no JSON to Go, if only for
// its depth, is written as it is: no record may stop those behind it from
// being sealed.
func (b *canonical) document(raw json.RawMessage) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		b.text('r', string(raw))
		return
	}
	if _, err := decoder.Token(); err != io.EOF {
		b.text('r', string(raw))
		return
	}
	b.value(v)
}

func (b *canonical) value(v any) {
	switch v := v.(type) {
	case nil:
		b.WriteByte('n')
	case bool:
		b.WriteByte(map[bool]byte{true: 't', false: 'f'}[v])
	case string:
		b.text('s', v)
	case json.Number:
		b.text('#', plain(v.String()))
	case []any:
		b.WriteByte('a')
		b.number(int64(len(v)))
		for _, item := range v {
			b.value(item)
		}
	case map[string]any:
		b.WriteByte('o')
		b.number(int64(len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b.text('s', key)
			b.value(v[key])
		}
	}
}

// plain is one text for all ways to write a number. A jsonb number has no
// exponent, so it takes no more room than it has digits.
func plain(number string) string {
	if r, ok := new(big.Rat).SetString(number); ok {
		return r.RatString()
	}
	return number
}
