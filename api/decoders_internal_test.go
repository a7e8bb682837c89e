package api

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"fanfare"
)

// refusedForPeople fails the test if an error is not one that is answered with
// a 4xx that says what is wrong.
func refusedForPeople(t *testing.T, given any, err error) {
	t.Helper()
	e, ok := errors.AsType[*fanfare.Error](err)
	if err != nil && (!ok || statusOf(e.Code) >= 500 || e.Message == "") {
		t.Errorf("%q: %v", given, err)
	}
}

// FuzzBody: a body that is let through is one JSON value that everybody reads
// alike, and that PostgreSQL can keep.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a": [1, "x", null, true, {"b": -1.5e-3}]}`, `{"a": 1, "a": 2}`, `{"a": 1, "\u0061": 2}`, `"\u0000"`, `"\ud800"`, "\"\xff\"", `1e999`, `1e-999`, `[]]`, `{} {}`,
		strings.Repeat("[", 64) + strings.Repeat("]", 64), strings.Repeat("[", 65) + strings.Repeat("]", 65), strings.Repeat("9", 401), `{"a":`, "\ufeff{}", `NaN`, `'a'`, ` `, "\x00",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if err := checkJSON(body); err != nil {
			refusedForPeople(t, body, err)
			return
		}
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			t.Fatalf("%q is let through: %v", body, err)
		}
		again, err := json.Marshal(value)
		if err != nil || checkJSON(again) != nil || !utf8.Valid(body) || depth(value) > maxDepth || strings.ContainsRune(texts(value), 0) {
			t.Errorf("%q is let through as %q, %v", body, again, err)
		}
	})
}

func depth(value any) (deepest int) {
	var parts []any
	switch v := value.(type) {
	case []any:
		parts = v
	case map[string]any:
		for _, part := range v {
			parts = append(parts, part)
		}
	default:
		return 0
	}
	for _, part := range parts {
		deepest = max(deepest, depth(part))
	}
	return deepest + 1
}

// texts are all strings in a value.
func texts(value any) (all string) {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		for _, part := range v {
			all += texts(part)
		}
	case map[string]any:
		for name, part := range v {
			all += name + texts(part)
		}
	}
	return all
}

// FuzzMerge: a patch is merged or refused for people; one that says nothing
// changes nothing, and the same patch twice changes no more than once.
func FuzzMerge(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"goal": "x", "budget": 1.5}`, `{"budget": null, "content": {"sms": {"text": "a"}}}`, `{"content": null}`, `{"content": {"email": null, "sms": 5}}`,
		`{"channels": []}`, `{"channels": null}`, `{"channels": {"0": "sms"}}`, `{"audience": [1]}`, `{"goal": {}}`, `[]`, `null`, `{"isActive": null, "logoUrl": null}`, `{"name": 1}`, `{"budget": 1e99}`,
	} {
		f.Add([]byte(seed))
	}
	budget := fanfare.MoneyUnit
	campaign := campaignEdit{
		Goal: "tea", Channels: []fanfare.Channel{fanfare.SMS}, Audience: json.RawMessage(`{"n":1}`), Budget: &budget,
		Content: fanfare.Content{SMS: &fanfare.SMSContent{Text: "a"}},
	}
	active, logo := true, "https://x.example/l.png"
	kit := brandKitEdit{Name: "k", PrimaryColor: "#000000", LogoURL: &logo, IsActive: &active}
	f.Fuzz(func(t *testing.T, patch []byte) {
		if checkJSON(patch) != nil {
			return // which it always is before
		}
		mergeTwice(t, campaign, patch)
		mergeTwice(t, kit, patch)
	})
}

func mergeTwice[T any](t *testing.T, current T, patch []byte) {
	t.Helper()
	once, err := merge(current, patch)
	if err != nil {
		refusedForPeople(t, patch, err)
		return
	}
	twice, err := merge(once, patch)
	if err != nil {
		t.Fatalf("%s is merged once, and then: %v", patch, err)
	}
	a, errA := json.Marshal(once)
	b, errB := json.Marshal(twice)
	if errA != nil || errB != nil || string(a) != string(b) {
		t.Errorf("%s merged once: %s, %v; twice: %s, %v", patch, a, errA, b, errB)
	}
}

// FuzzCursors: a cursor that is taken is one that could have been given out.
func FuzzCursors(f *testing.F) {
	f.Add(encodeCursor(fanfare.Position{ID: "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"}))
	f.Add(encodeStreamCursor(fanfare.Cursor{Position: "18446744073709551616"}))
	f.Add(encodeStreamCursor(fanfare.Cursor{Origin: "1-1-5", Position: "700", JobID: "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee", Sequence: 3}))
	for _, seed := range []string{"", "MjAyNi0wMS0wMVQwMDowMDowMFog", "e30", "eyJwb3NpdGlvbiI6Ii0xIn0", "bnVsbA", "!", "=", "42", "-1", "9223372036854775808"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if position, ok := decodeCursor(text); ok {
			again, ok := decodeCursor(encodeCursor(position))
			if !ok || !again.CreatedAt.Equal(position.CreatedAt) || again.ID != position.ID || !isText(position.ID) {
				t.Errorf("%q is read as %v, and that as %v", text, position, again)
			}
		}
		if cursor, ok := decodeStreamCursor(text); ok {
			if _, err := strconv.ParseUint(cursor.Position, 10, 64); err != nil {
				t.Errorf("%q has the position %q, which is no transaction", text, cursor.Position)
			}
			if again, ok := decodeStreamCursor(encodeStreamCursor(cursor)); !ok || again != cursor || !isText(cursor.Position+cursor.JobID+cursor.Origin) {
				t.Errorf("%q is read as %v, and that as %v", text, cursor, again)
			}
		}
		after, resumed, err := (&jobEventsInput{LastEventID: text}).after()
		if refusedForPeople(t, text, err); after < 0 || resumed != (err == nil && text != "") {
			t.Errorf("Last-Event-ID %q is read as %d, %t, %v", text, after, resumed, err)
		}
	})
}

// FuzzHeaders: what is read of a header is within its bounds.
func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{
		"wait=5", `respond-async, wait="25"; x`, "wait=99999999999999999999", "wait=-1", "WAIT = 3", "application/json", "application/merge-patch+json; charset=utf-8", "text/json;", "Bearer x", "bearer  ", "Basic x",
		"198.51.100.7", "2001:db8::1%eth0", "::ffff:1.2.3.4", "x", "\xff\x00", "Mozilla/5.0 \u200b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if wait, ok := preferredWait(value); wait < 0 || wait.Seconds() > maxWait || !ok && wait != 0 {
			t.Errorf("Prefer: %q is read as %s, %t", value, wait, ok)
		}
		if key, ok := bearer(value); ok && strings.TrimSpace(key) != key {
			t.Errorf("Authorization: %q is read as %q", value, key)
		}
		refusedForPeople(t, value, checkMediaType(value))
		if again := network(network(value)); again != network(value) && !strings.Contains(network(value), "/") {
			t.Errorf("the address %q is counted as %q, and that as %q", value, network(value), again)
		}
		if shown := printable(value); !isText(shown) || strings.ContainsAny(shown, "\r\n\x7f") {
			t.Errorf("%q is written into records as %q", value, shown)
		}
	})
}
