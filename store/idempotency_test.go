package store_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
)

func keyOf(db *teststore.DB, change ...func(*fanfare.IdempotencyKey)) fanfare.IdempotencyKey {
	key := fanfare.IdempotencyKey{UserID: db.User.ID, Method: "POST", Path: "/api/campaign", Key: "k", BodyDigest: []byte("body")}
	for _, f := range change {
		f(&key)
	}
	return key
}

var accepted = fanfare.StoredResponse{Status: 202, Location: "/api/jobs/1", Body: []byte(`{"n": 1}`)}

// once does what a request with the key does, and returns what it replays.
func once(t *testing.T, db *teststore.DB, key fanfare.IdempotencyKey) (replayed *fanfare.StoredResponse, err error) {
	err = db.Atomic(t.Context(), func(ctx context.Context) error {
		replayed, err = db.Replay(ctx, key)
		if err != nil || replayed != nil {
			return err
		}
		return db.SaveResponse(ctx, key, accepted)
	})
	return replayed, err
}

func TestTheSameRequestIsReplayed(t *testing.T) {
	db := teststore.New(t)
	for n, want := range []*fanfare.StoredResponse{nil, &accepted, &accepted} {
		got, err := once(t, db, keyOf(db))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("request %d: %v (-want +got):\n%s", n, err, diff)
		}
	}
}

func TestAnotherRequestIsNotReplayed(t *testing.T) {
	db := teststore.New(t)
	if _, err := once(t, db, keyOf(db)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*fanfare.IdempotencyKey){
		"user":   func(k *fanfare.IdempotencyKey) { k.UserID = db.NewUser().ID },
		"key":    func(k *fanfare.IdempotencyKey) { k.Key = "K" },
		"path":   func(k *fanfare.IdempotencyKey) { k.Path = "/api/analytics" },
		"method": func(k *fanfare.IdempotencyKey) { k.Method = "PUT" },
	} {
		if got, err := once(t, db, keyOf(db, change)); got != nil || err != nil {
			t.Errorf("another %s: %v, %v; want nothing replayed", name, got, err)
		}
	}
	_, err := once(t, db, keyOf(db, func(k *fanfare.IdempotencyKey) { k.BodyDigest = []byte("other") }))
	wantCode(t, "another body", err, fanfare.CodeIdempotencyMismatch)
}

// TestARequestInFlightIsRefusedAtOnce: the first waits for the second's answer
// here, so a second that waited on a lock would never get one.
func TestARequestInFlightIsRefusedAtOnce(t *testing.T) {
	db := teststore.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	giveUp := errors.New("the first request fails")
	err := db.Atomic(ctx, func(inner context.Context) error {
		if _, err := db.Replay(inner, keyOf(db)); err != nil {
			return err
		}
		if err := db.SaveResponse(inner, keyOf(db), accepted); err != nil {
			return err
		}
		_, err := once(t, db, keyOf(db))
		wantCode(t, "the second request", err, fanfare.CodeIdempotencyInFlight)
		replayed, err := once(t, db, keyOf(db, func(k *fanfare.IdempotencyKey) { k.UserID = db.NewUser().ID }))
		if replayed != nil || err != nil {
			t.Errorf("another user's request with the same key: %v, %v", replayed, err)
		}
		return giveUp
	})
	if !errors.Is(err, giveUp) {
		t.Fatal(err)
	}
	if got, err := once(t, db, keyOf(db)); got != nil || err != nil {
		t.Errorf("after the first failed: %v, %v; want the request to be done", got, err)
	}
}

func TestAKeyIsForgottenAfterADay(t *testing.T) {
	db := teststore.New(t)
	for _, test := range []struct {
		age  string
		want *fanfare.StoredResponse
	}{{"23 hours 59 minutes", &accepted}, {"24 hours", nil}} {
		db.Exec(`DELETE FROM idempotency_keys`)
		if _, err := once(t, db, keyOf(db)); err != nil {
			t.Fatal(err)
		}
		db.Exec(`UPDATE idempotency_keys SET created_at = now() - $1::interval`, test.age)
		got, err := once(t, db, keyOf(db))
		if diff := cmp.Diff(test.want, got); diff != "" || err != nil {
			t.Errorf("after %s: %v (-want +got):\n%s", test.age, err, diff)
		}
	}
	if got, err := once(t, db, keyOf(db)); got == nil || err != nil {
		t.Errorf("a key that was used anew is not replayed: %v, %v", got, err)
	}
}
