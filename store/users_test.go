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

func TestAnAddressIsOneUsers(t *testing.T) {
	db := teststore.New(t)
	_, err := db.CreateUser(t.Context(), fanfare.User{Name: "Eve", Email: db.User.Email, PasswordHash: "h", Role: fanfare.RoleUser})
	wantCode(t, "a taken address", err, fanfare.CodeUserExists)
	err = db.Atomic(t.Context(), func(ctx context.Context) error {
		_, err := db.CreateUser(ctx, fanfare.User{Name: "Eve", Email: db.User.Email, PasswordHash: "h", Role: fanfare.RoleUser})
		wantCode(t, "a taken address in a transaction", err, fanfare.CodeUserExists)
		_, err = db.Users(ctx)
		return err
	})
	if err != nil {
		t.Errorf("a taken address is an error to PostgreSQL, which logs it: %v", err)
	}
	_, err = db.CreateUser(t.Context(), fanfare.User{Name: "Eve", Email: "Upper@example.org", PasswordHash: "h", Role: fanfare.RoleUser})
	if err == nil {
		t.Error("an address in upper case was stored")
	}
	found, err := db.UserByEmail(t.Context(), db.User.Email)
	if diff := cmp.Diff(db.User, found); diff != "" || err != nil {
		t.Errorf("UserByEmail: %v (-want +got):\n%s", err, diff)
	}
	_, err = db.UserByEmail(t.Context(), "nobody@example.org")
	wantCode(t, "an unknown address", err, fanfare.CodeNotFound)
	second := db.NewUser()
	all, err := db.Users(t.Context())
	if diff := cmp.Diff([]fanfare.User{db.User, second}, all); diff != "" || err != nil {
		t.Errorf("Users: %v (-want +got):\n%s", err, diff)
	}
}

// signedIn gives a user a session and an API key, and returns who they are by each.
func signedIn(t *testing.T, db *teststore.DB, user fanfare.User) map[string]func() (fanfare.Identity, error) {
	t.Helper()
	session, key := []byte("session of "+user.ID), []byte("key of "+user.ID)
	if _, err := db.CreateSession(t.Context(), user, session, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := db.CreateAPIKey(t.Context(), user.ID, "laptop", key); err != nil {
		t.Fatal(err)
	}
	return map[string]func() (fanfare.Identity, error){
		"session": func() (fanfare.Identity, error) { return db.IdentityBySession(t.Context(), session) },
		"key":     func() (fanfare.Identity, error) { return db.IdentityByAPIKey(t.Context(), key) },
	}
}

func wantIdentities(t *testing.T, identities map[string]func() (fanfare.Identity, error), user fanfare.User, codes map[string]string) {
	t.Helper()
	for name, identity := range identities {
		got, err := identity()
		wantCode(t, name, err, codes[name])
		if err == nil && cmp.Diff(user, got.User) != "" {
			t.Errorf("%s: %s", name, cmp.Diff(user, got.User))
		}
		if err == nil && (got.Session != nil) != (name == "session") || err == nil && (got.KeyID != "") != (name == "key") {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestADisabledUserIsLockedOut(t *testing.T) {
	db := teststore.New(t)
	other := db.NewUser()
	mine, theirs := signedIn(t, db, db.User), signedIn(t, db, other)
	wantIdentities(t, mine, db.User, nil)
	if err := db.DisableUser(t.Context(), db.User.ID); err != nil {
		t.Fatal(err)
	}
	gone := map[string]string{"session": fanfare.CodeNotFound, "key": fanfare.CodeNotFound}
	wantIdentities(t, mine, db.User, gone)
	wantIdentities(t, theirs, other, nil)
	if user, err := db.UserByEmail(t.Context(), db.User.Email); err != nil || !user.Disabled {
		t.Errorf("UserByEmail = %+v, %v; want it disabled", user, err)
	}
	if left := db.Query(`SELECT id FROM sessions WHERE user_id = $1 UNION ALL SELECT id FROM api_keys WHERE user_id = $1`, db.User.ID); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// TestADisabledUserIsLockedOutOfWhatComesLater: a sign-in that was under way.
func TestADisabledUserIsLockedOutOfWhatComesLater(t *testing.T) {
	db := teststore.New(t)
	if err := db.DisableUser(t.Context(), db.User.ID); err != nil {
		t.Fatal(err)
	}
	_, err := db.CreateSession(t.Context(), db.User, []byte("digest"), time.Hour)
	wantCode(t, "a session", err, fanfare.CodeNotFound)
	if _, err := db.CreateAPIKey(t.Context(), db.User.ID, "late", []byte("late")); err != nil {
		t.Fatal(err)
	}
	_, err = db.IdentityByAPIKey(t.Context(), []byte("late"))
	wantCode(t, "a key", err, fanfare.CodeNotFound)
}

func TestASessionEnds(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *teststore.DB, fanfare.Session){
		"at its time": func(_ *testing.T, db *teststore.DB, _ fanfare.Session) {
			db.Exec(`UPDATE sessions SET expires_at = now() WHERE user_id = $1`, db.User.ID)
		},
		"when it is signed out": func(t *testing.T, db *teststore.DB, session fanfare.Session) {
			if err := db.DeleteSession(t.Context(), session.ID); err != nil {
				t.Fatal(err)
			}
		},
		"with a new password": func(t *testing.T, db *teststore.DB, session fanfare.Session) {
			if err := db.SetPassword(t.Context(), session.UserID, "new"); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := teststore.New(t)
			identities := signedIn(t, db, db.User)
			identity, err := identities["session"]()
			if err != nil {
				t.Fatal(err)
			}
			end(t, db, *identity.Session)
			_, err = identities["session"]()
			wantCode(t, "the session", err, fanfare.CodeNotFound)
			_, err = identities["key"]()
			wantCode(t, "the key", err, "")
		})
	}
}

// TestARehashKeepsSessions: the password did not change, only how it is kept.
func TestARehashKeepsSessions(t *testing.T) {
	db := teststore.New(t)
	identities := signedIn(t, db, db.User)
	if err := db.Rehash(t.Context(), db.User.ID, db.User.PasswordHash, "rehashed"); err != nil {
		t.Fatal(err)
	}
	user := db.User
	user.PasswordHash = "rehashed"
	wantIdentities(t, identities, user, nil)
}

// TestAnOldPasswordOpensNothing: it was found right, and then changed before
// the session was made or the hash was kept anew.
func TestAnOldPasswordOpensNothing(t *testing.T) {
	db := teststore.New(t)
	checked := db.User
	if err := db.SetPassword(t.Context(), checked.ID, "new"); err != nil {
		t.Fatal(err)
	}
	_, err := db.CreateSession(t.Context(), checked, []byte("digest"), time.Hour)
	wantCode(t, "a session of the old password", err, fanfare.CodeNotFound)
	if err := db.Rehash(t.Context(), checked.ID, checked.PasswordHash, "the old password's"); err != nil {
		t.Fatal(err)
	}
	if hashes := db.Query(`SELECT password_hash FROM users WHERE id = $1`, checked.ID); hashes[0] != "new" {
		t.Error("the old password's new hash has replaced the new password's")
	}
}

func TestAKeysUseIsNotedToTheMinute(t *testing.T) {
	db := teststore.New(t)
	identities := signedIn(t, db, db.User)
	used := func() *time.Time {
		t.Helper()
		keys, err := db.APIKeys(t.Context(), db.User.ID, fanfare.Page{Limit: 10})
		if err != nil || len(keys) != 1 {
			t.Fatalf("APIKeys = %v, %v", keys, err)
		}
		return keys[0].LastUsedAt
	}
	if got := used(); got != nil {
		t.Errorf("used at %s before it was", got)
	}
	wantIdentities(t, identities, db.User, nil)
	first := used()
	wantIdentities(t, identities, db.User, nil)
	if again := used(); first == nil || !first.Equal(*again) {
		t.Errorf("used at %v, then noted again at %v within a minute", first, again)
	}
	db.Exec(`UPDATE api_keys SET last_used_at = now() - interval '61 seconds'`)
	wantIdentities(t, identities, db.User, nil)
	if later := used(); !later.After(first.Add(-time.Second)) {
		t.Errorf("a use a minute later was not noted: %s", later)
	}
}

func TestAuditStandsOrFallsWithItsChange(t *testing.T) {
	db := teststore.New(t)
	refused := errors.New("refused")
	for _, result := range []error{refused, nil} {
		err := db.Atomic(t.Context(), func(ctx context.Context) error {
			err := db.Audit(ctx, fanfare.AuditRecord{
				UserID: db.User.ID, Action: fanfare.ActionKeyCreate, Resource: "r", Metadata: map[string]any{"n": 1},
				Origin: fanfare.Origin{IPAddress: "192.0.2.1", UserAgent: "test"},
			})
			return errors.Join(err, result)
		})
		if !errors.Is(err, result) {
			t.Fatal(err)
		}
	}
	got := db.Query(`SELECT concat_ws(' ', user_id = $1, action, resource, metadata, ip_address, user_agent, status) FROM audit_logs`, db.User.ID)
	if diff := cmp.Diff([]string{`t key.create r {"n": 1} 192.0.2.1 test success`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := db.Audit(t.Context(), fanfare.AuditRecord{Action: fanfare.ActionUserLogin, Status: fanfare.AuditFailure}); err != nil {
		t.Error(err)
	}
}
