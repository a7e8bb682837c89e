package store_test

import (
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/testdb"
	"fanfare/store"
)

func TestHeardTellsAProcessThatLivesFromOneThatHangs(t *testing.T) {
	url := testdb.New(t)
	db, err := store.Open(t.Context(), url, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	want := func(kind, host string, within time.Duration, want bool) {
		t.Helper()
		if heard, err := store.Heard(t.Context(), url, kind, host, within); heard != want || err != nil {
			t.Errorf("Heard(%s on %s) = %t, %v; want %t", kind, host, heard, err, want)
		}
	}
	for kind, live := range map[string]func(id string) error{
		"scheduler": func(id string) error { return db.Pulse(t.Context(), id) },
		"worker": func(id string) error {
			_, err := db.Heartbeat(t.Context(), id, nil, time.Minute)
			return err
		},
	} {
		want(kind, "box", time.Minute, false)
		for range 2 {
			if err := live("box:7:ab"); err != nil {
				t.Fatal(err)
			}
			want(kind, "box", time.Minute, true)
			want(kind, "box", time.Nanosecond, false)
			want(kind, "bo", time.Minute, false)
			want(kind, "box:8", time.Minute, false)
		}
	}
	if _, err := store.Heard(t.Context(), url, "api", "box", time.Minute); err == nil {
		t.Error("an API was heard of")
	}
}

func TestHeardSaysThatTheDatabaseIsAway(t *testing.T) {
	_, err := store.Heard(t.Context(), "postgres://nobody@127.0.0.1:1/none", "worker", "box", time.Minute)
	if fanfare.ErrorCode(err) != fanfare.CodeUnavailable {
		t.Errorf("Heard = %v (%s), want %s", err, fanfare.ErrorCode(err), fanfare.CodeUnavailable)
	}
}
