package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
	"fanfare/store"
)

// integration stores one of db's user.
func integration(t *testing.T, db *teststore.DB, name string, typ fanfare.Channel) fanfare.Integration {
	t.Helper()
	i, err := db.CreateIntegration(t.Context(), fanfare.Integration{
		ID: store.NewID(), UserID: db.User.ID, Name: name, Type: typ, CredentialFields: []string{"host", "port"},
	}, fanfare.Sealed{KeyID: "k1", Box: []byte(name)})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestIntegrations(t *testing.T) {
	db := teststore.New(t)
	made := integration(t, db, "SMTP", fanfare.Email)
	want := fanfare.Integration{
		ID: made.ID, UserID: db.User.ID, Name: "SMTP", Type: fanfare.Email, Status: fanfare.IntegrationDisconnected,
		CredentialFields: []string{"host", "port"}, CreatedAt: made.CreatedAt, UpdatedAt: made.CreatedAt,
	}
	read, err := db.Integration(t.Context(), db.User.ID, made.ID)
	if diff := cmp.Diff(want, read); diff != "" || err != nil || made.CreatedAt.Location() != time.UTC {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	read, sealed, err := db.SealedCredentials(t.Context(), db.User.ID, made.ID)
	if diff := cmp.Diff(want, read); diff != "" || err != nil || sealed.KeyID != "k1" || string(sealed.Box) != "SMTP" {
		t.Errorf("%+v, %v (-want +got):\n%s", sealed, err, diff)
	}
	_, err = db.CreateIntegration(t.Context(), fanfare.Integration{ID: store.NewID(), UserID: db.User.ID, Name: "SMTP", Type: fanfare.Email, CredentialFields: []string{}}, fanfare.Sealed{Box: []byte{}})
	wantCode(t, "the same once more", err, fanfare.CodeIntegrationExists)
	integration(t, db, "SMTP", fanfare.SMS)
	if deleted, err := db.DeleteIntegration(t.Context(), db.User.ID, made.ID); err != nil || deleted.Name != "SMTP" {
		t.Errorf("deleted %+v, %v", deleted, err)
	}
	_, _, err = db.SealedCredentials(t.Context(), db.User.ID, made.ID)
	wantCode(t, "reading what was deleted", err, fanfare.CodeNotFound)
	integration(t, db, "SMTP", fanfare.Email)
}

func TestStatusOfIntegrations(t *testing.T) {
	db := teststore.New(t)
	i := integration(t, db, "SMTP", fanfare.Email)
	set := func(status fanfare.IntegrationStatus, answered bool) fanfare.Integration {
		t.Helper()
		if err := db.SetIntegrationStatus(t.Context(), db.User.ID, i.ID, status, answered); err != nil {
			t.Fatal(err)
		}
		now, err := db.Integration(t.Context(), db.User.ID, i.ID)
		if err != nil || now.Status != status || !now.UpdatedAt.After(i.UpdatedAt) {
			t.Errorf("%+v, %v", now, err)
		}
		return now
	}
	if now := set(fanfare.IntegrationError, false); now.LastSync != nil {
		t.Errorf("last sync %v of a provider that did not answer", now.LastSync)
	}
	first := set(fanfare.IntegrationConnected, true)
	if first.LastSync == nil || first.LastSync.Location() != time.UTC {
		t.Fatalf("last sync %v", first.LastSync)
	}
	if now := set(fanfare.IntegrationError, false); !now.LastSync.Equal(*first.LastSync) {
		t.Errorf("last sync %v, want %v", now.LastSync, first.LastSync)
	}
}

func TestWhoServesAChannel(t *testing.T) {
	db := teststore.New(t)
	serves := func(want string) {
		t.Helper()
		got, err := db.IntegrationFor(t.Context(), db.User.ID, fanfare.Email)
		if want == "" {
			wantCode(t, "nobody", err, fanfare.CodeNotFound)
		} else if err != nil || got.ID != want {
			t.Errorf("%s serves, %v; want %s", got.Name, err, want)
		}
	}
	integration(t, db, "Slack", fanfare.Social)
	serves("")
	older := integration(t, db, "SMTP", fanfare.Email)
	newer := integration(t, db, "Resend", fanfare.Email)
	serves(newer.ID)
	stranger := db.NewUser().ID
	_, err := db.IntegrationFor(t.Context(), stranger, fanfare.Email)
	wantCode(t, "a stranger's", err, fanfare.CodeNotFound)
	db.Exec(`UPDATE integrations SET created_at = now()`)
	serves(newer.ID) // of two at one instant the later id
	_, err = db.DeleteIntegration(t.Context(), db.User.ID, newer.ID)
	wantCode(t, "deleting", err, "")
	serves(older.ID)
}

func TestIntegrationsByType(t *testing.T) {
	db := teststore.New(t)
	slack, smtp := integration(t, db, "Slack", fanfare.Social), integration(t, db, "SMTP", fanfare.Email)
	for typ, want := range map[fanfare.Channel][]string{"": {smtp.ID, slack.ID}, fanfare.Social: {slack.ID}, fanfare.PPC: nil} {
		found, err := db.Integrations(t.Context(), db.User.ID, typ, fanfare.Page{Limit: 10})
		var got []string
		for _, i := range found {
			got = append(got, i.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: %v (-want +got):\n%s", typ, err, diff)
		}
	}
}

// Pages of what is not under a key show each row once, whichever side of the
// key its own is on, while rows leave as they are resealed.
func TestCredentialsUnderOtherKeys(t *testing.T) {
	db := teststore.New(t)
	var want []string
	for i := range 12 {
		made := integration(t, db, fmt.Sprint("p", i), fanfare.Email)
		key := []string{"k0", "k1", "k2", "k3"}[i%4]
		db.Exec(`UPDATE integrations SET key_id = $2 WHERE id = $1`, made.ID, key)
		if key != "k2" {
			want = append(want, made.ID)
		}
	}
	var got []string
	var after *store.SealedIntegration
	for {
		page, err := db.SealedNotUnder(t.Context(), "k2", after, 2)
		if err != nil || len(page) > 2 {
			t.Fatalf("%d rows, %v", len(page), err)
		}
		for _, row := range page {
			got = append(got, row.ID)
			if row.UserID != db.User.ID || len(row.Sealed.Box) == 0 || row.Sealed.KeyID == "k2" {
				t.Errorf("%+v", row)
			}
			if len(got)%2 == 0 {
				continue // one that can't be opened stays as it is
			}
			if done, err := db.Reseal(t.Context(), row.ID, row.Sealed, fanfare.Sealed{KeyID: "k2", Box: []byte("new")}); !done || err != nil {
				t.Errorf("resealing: %v, %v", done, err)
			}
		}
		if len(page) == 0 {
			break
		}
		after = &page[len(page)-1]
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left, err := db.SealedNotUnder(t.Context(), "k2", nil, 100); len(left) != 4 || err != nil {
		t.Errorf("%d left, %v", len(left), err)
	}
}

// What changed since it was read is never written over.
func TestResealing(t *testing.T) {
	db := teststore.New(t)
	made := integration(t, db, "SMTP", fanfare.Email)
	old := fanfare.Sealed{KeyID: "k1", Box: []byte("SMTP")}
	renewed := fanfare.Sealed{KeyID: "k2", Box: []byte("new")}
	for name, read := range map[string]fanfare.Sealed{
		"another box": {KeyID: "k1", Box: []byte("SMT")}, "another key": {KeyID: "k0", Box: []byte("SMTP")},
	} {
		if done, err := db.Reseal(t.Context(), made.ID, read, renewed); done || err != nil {
			t.Errorf("%s: %v, %v", name, done, err)
		}
	}
	if done, err := db.Reseal(t.Context(), made.ID, old, renewed); !done || err != nil {
		t.Errorf("as read: %v, %v", done, err)
	}
	if done, err := db.Reseal(t.Context(), made.ID, old, fanfare.Sealed{KeyID: "k3", Box: []byte("late")}); done || err != nil {
		t.Errorf("too late: %v, %v", done, err)
	}
	now, sealed, err := db.SealedCredentials(t.Context(), db.User.ID, made.ID)
	renewed.Stale = true // nobody has said until when it is good
	if diff := cmp.Diff(renewed, sealed); diff != "" || err != nil || !now.UpdatedAt.Equal(made.UpdatedAt) {
		t.Errorf("%v, %v (-want +got):\n%s", now, err, diff)
	}
	if done, err := db.Reseal(t.Context(), store.NewID(), old, renewed); done || err != nil {
		t.Errorf("of nothing: %v, %v", done, err)
	}
}
