package fanfare_test

import (
	"strings"
	"testing"
	"time"

	"fanfare"
)

func ptr(s string) *string { return &s }

func auditEntry() fanfare.AuditEntry {
	return fanfare.AuditEntry{
		ID: "01a2", UserID: ptr("u"), Action: "a.b", Resource: ptr("r"), Metadata: []byte(`{"a": 1, "b": [true, null, "x"]}`),
		IPAddress: ptr("::1"), UserAgent: ptr("curl"), Status: fanfare.AuditSuccess, CreatedAt: time.UnixMicro(1_700_000_000_123_456),
	}
}

// TestADigestIsOfEveryField, and tells apart what could be run together.
func TestADigestIsOfEveryField(t *testing.T) {
	seen := map[fanfare.AuditHash]string{auditEntry().Digest(): "the record"}
	for name, change := range map[string]func(*fanfare.AuditEntry){
		"id":             func(e *fanfare.AuditEntry) { e.ID = "01a3" },
		"user":           func(e *fanfare.AuditEntry) { e.UserID = ptr("v") },
		"nobody":         func(e *fanfare.AuditEntry) { e.UserID = nil },
		"action":         func(e *fanfare.AuditEntry) { e.Action = "a.c" },
		"no resource":    func(e *fanfare.AuditEntry) { e.Resource = nil },
		"empty resource": func(e *fanfare.AuditEntry) { e.Resource = ptr("") },
		"shifted":        func(e *fanfare.AuditEntry) { e.Action, e.Resource = "a.br", ptr("") },
		"address":        func(e *fanfare.AuditEntry) { e.IPAddress = ptr("::2") },
		"agent":          func(e *fanfare.AuditEntry) { e.UserAgent = ptr("curl ") },
		"swapped":        func(e *fanfare.AuditEntry) { e.IPAddress, e.UserAgent = e.UserAgent, e.IPAddress },
		"status":         func(e *fanfare.AuditEntry) { e.Status = fanfare.AuditFailure },
		"time":           func(e *fanfare.AuditEntry) { e.CreatedAt = e.CreatedAt.Add(time.Microsecond) },
		"value":          func(e *fanfare.AuditEntry) { e.Metadata = []byte(`{"a": 2, "b": [true, null, "x"]}`) },
		"type":           func(e *fanfare.AuditEntry) { e.Metadata = []byte(`{"a": "1", "b": [true, null, "x"]}`) },
		"order":          func(e *fanfare.AuditEntry) { e.Metadata = []byte(`{"a": 1, "b": [null, true, "x"]}`) },
		"nesting":        func(e *fanfare.AuditEntry) { e.Metadata = []byte(`{"a": 1, "b": [true, [null, "x"]]}`) },
		"key":            func(e *fanfare.AuditEntry) { e.Metadata = []byte(`{"a": 1, "c": [true, null, "x"]}`) },
		"false":          func(e *fanfare.AuditEntry) { e.Metadata = []byte(`{"a": 1, "b": [false, null, "x"]}`) },
		"precision": func(e *fanfare.AuditEntry) {
			e.Metadata = []byte(`{"a": 1.00000000000000000000001, "b": [true, null, "x"]}`)
		},
		"too deep": func(e *fanfare.AuditEntry) {
			e.Metadata = []byte(strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000))
		},
		"deeper": func(e *fanfare.AuditEntry) {
			e.Metadata = []byte(strings.Repeat("[", 20_001) + strings.Repeat("]", 20_001))
		},
	} {
		entry := auditEntry()
		change(&entry)
		digest := entry.Digest()
		if seen[digest] != "" {
			t.Errorf("%s has the digest of %s", name, seen[digest])
		}
		seen[digest] = name
	}
}

// TestADigestIsOfWhatADocumentMeans, however it is written.
func TestADigestIsOfWhatADocumentMeans(t *testing.T) {
	want := auditEntry().Digest()
	for _, same := range []string{`{"b":[true,null,"\u0078"],"a":1.0}`, ` {"a": 10e-1, "b": [ true , null , "x" ] } `} {
		entry := auditEntry()
		entry.Metadata = []byte(same)
		entry.CreatedAt = entry.CreatedAt.In(time.FixedZone("", 3600))
		if entry.Digest() != want {
			t.Errorf("%s has another digest", same)
		}
	}
}

// TestDigestsAreKept: what was sealed by an earlier version of the program has
// to be found sound by later ones.
func TestDigestsAreKept(t *testing.T) {
	digest := auditEntry().Digest()
	link := fanfare.AuditLink{}.After("01a2", auditEntry().CreatedAt, digest)
	const want = "7bc7e314f106c24cb492bf6ea4d31d21b7fc9f51d126b74b7fe3f61fb5ecfc3d c711906ec7d193f5fe412ce8798612d5ee21143f14e377a340f2de3be8668b3b"
	if got := digest.String() + " " + link.Hash.String(); got != want {
		t.Errorf("digest and hash are %s, want %s", got, want)
	}
}
