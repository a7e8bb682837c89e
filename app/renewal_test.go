package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"fanfare"
	"fanfare/channel/egress"
	"fanfare/channel/oauth"
	"fanfare/internal/testdb"
	"fanfare/internal/teststore"
	"fanfare/store"
)

// issuer renews tokens as X does: each refresh token is good for one use.
type issuer struct {
	*httptest.Server
	mu      sync.Mutex
	asked   int
	refresh string
	lasts   int    // seconds
	before  func() // it answers, having renewed
	refuses bool   // to renew
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{refresh: "refresh-0", lasts: 7200, before: func() {}}
	i.Server = httptest.NewServer(http.HandlerFunc(i.serve))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked++
	good := r.PostFormValue("refresh_token") == i.refresh && !i.refuses
	n := i.asked
	if good {
		i.refresh = fmt.Sprintf("refresh-%d", n)
	}
	i.mu.Unlock()
	if !good {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_request","error_description":"Value passed for the token was invalid."}`)
		return
	}
	i.before()
	fmt.Fprintf(w, `{"access_token":"access-%d","refresh_token":"refresh-%d","expires_in":%d}`, n, n, i.lasts)
}

func (i *issuer) count() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked
}

// renewing is a registry whose tokens the issuer renews. A connection's name is
// its access token.
type renewing struct {
	opened
	oauth.Endpoint
}

func (r renewing) Renews(_ string, _ fanfare.Channel, c fanfare.Credentials) bool {
	return r.Endpoint.Renews(c)
}

func (r renewing) Renew(ctx context.Context, _ string, _ fanfare.Channel, c fanfare.Credentials) (fanfare.Credentials, time.Duration, error) {
	return r.Endpoint.Renew(ctx, c)
}

func (renewing) Open(_ string, _ fanfare.Channel, c fanfare.Credentials) (fanfare.Connection, error) {
	return opened{name: c["accessToken"]}, nil
}

// reach is a process of its own: its pool, its keyring, its connections.
func (i *issuer) reach(t *testing.T, db *store.Store) connections {
	t.Helper()
	client := egress.NewClient(egress.NewDialer(true, nil).DialContext, nil)
	return connections{store: db, keyring: ring(t, 1, 2), registry: renewing{Endpoint: oauth.Endpoint{Name: "X", URL: i.URL, Client: client}}}
}

// connected is an integration that was never used.
func connected(t *testing.T, db *teststore.DB) string {
	t.Helper()
	id := store.NewID()
	sealed, err := ring(t, 1).Seal(db.User.ID, id, fanfare.Credentials{"clientId": "app", "clientSecret": "canary", "refreshToken": "refresh-0"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.CreateIntegration(t.Context(), fanfare.Integration{
		ID: id, UserID: db.User.ID, Name: "X", Type: fanfare.Social, CredentialFields: []string{"refreshToken"},
	}, sealed)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func tokenOf(c fanfare.Connection) string {
	traced, _ := c.(tracedConnection)
	of, _ := traced.Connection.(opened)
	return of.name
}

func (i *issuer) wantToken(t *testing.T, c connections, userID, id, want string) {
	t.Helper()
	connection, err := c.Connect(t.Context(), userID, id)
	if err != nil || tokenOf(connection) != want {
		t.Errorf("%v with %q, want %q", err, tokenOf(connection), want)
	}
}

// Eight processes find an access token that has ended: one of them renews it,
// and all go on with the new one.
func TestTokenIsRenewedOnce(t *testing.T) {
	const processes, rounds = 8, 3
	database := testdb.New(t)
	db := teststore.Open(t, database)
	i := newIssuer(t)
	id := connected(t, db)
	var all []connections
	for range processes {
		all = append(all, i.reach(t, teststore.Open(t, database).Store))
	}
	for round := 1; round <= rounds; round++ {
		var connecting sync.WaitGroup
		for _, process := range all {
			connecting.Go(func() { i.wantToken(t, process, db.User.ID, id, fmt.Sprintf("access-%d", round)) })
		}
		connecting.Wait()
		if got := i.count(); got != round {
			t.Fatalf("in round %d the provider was asked %d times", round, got)
		}
		i.wantToken(t, all[0], db.User.ID, id, fmt.Sprintf("access-%d", round))
		db.Exec(`UPDATE integrations SET renew_at = now() - interval '1 second' WHERE id = $1`, id)
	}
}

func TestRefusedRenewalIsAnError(t *testing.T) {
	db := teststore.New(t)
	i := newIssuer(t)
	i.refuses = true
	id := connected(t, db)
	c := i.reach(t, db.Store)
	for range 2 { // and stays one
		_, err := c.Connect(t.Context(), db.User.ID, id)
		refusal, ok := errors.AsType[*fanfare.SendError](err)
		if !ok || refusal.Fate != fanfare.FateUnauthorized || !strings.Contains(refusal.Reason, "connect X again") {
			t.Fatal(err)
		}
		if now, err := db.Integration(t.Context(), db.User.ID, id); err != nil || now.Status != fanfare.IntegrationError || now.LastSync == nil {
			t.Errorf("%+v, %v", now, err)
		}
	}
	i.mu.Lock()
	i.refuses = false
	i.mu.Unlock()
	i.wantToken(t, c, db.User.ID, id, "access-3")
	if now, err := db.Integration(t.Context(), db.User.ID, id); err != nil || now.Status != fanfare.IntegrationDisconnected {
		t.Errorf("%+v, %v", now, err)
	}
}

// A provider that can't be reached now puts nothing in error, and holds up
// nobody's next attempt.
func TestRenewalMayFailForNow(t *testing.T) {
	db := teststore.New(t)
	i := newIssuer(t)
	id := connected(t, db)
	c := i.reach(t, db.Store)
	away := c
	away.registry = renewing{Endpoint: oauth.Endpoint{Name: "X", URL: "http://127.0.0.1:1", Client: http.DefaultClient}}
	_, err := away.Connect(t.Context(), db.User.ID, id)
	if e, ok := errors.AsType[*fanfare.SendError](err); !ok || e.Fate != fanfare.FateHalted {
		t.Error(err)
	}
	if now, err := db.Integration(t.Context(), db.User.ID, id); err != nil || now.Status != fanfare.IntegrationDisconnected {
		t.Errorf("%+v, %v", now, err)
	}
	i.wantToken(t, c, db.User.ID, id, "access-1")
}

// A process that dies between the provider's answer and its own commit takes the
// only copy of the next refresh token with it. Nobody asks while it may still be
// at it; then the provider's refusal tells.
func TestTokenLostInACrash(t *testing.T) {
	db := teststore.New(t)
	i := newIssuer(t)
	id := connected(t, db)
	c := i.reach(t, db.Store)
	r := renewal{connections: c}
	if err := r.read(t.Context(), db.User.ID, id); err != nil {
		t.Fatal(err)
	}
	if mine, err := c.store.BeginRenewal(t.Context(), id, r.sealed, renewalLease); err != nil || !mine {
		t.Fatal(mine, err)
	}
	if _, _, err := c.registry.Renew(t.Context(), "X", fanfare.Social, r.credentials); err != nil {
		t.Fatal(err)
	}
	soon, cancel := context.WithTimeout(t.Context(), 2*renewalPoll)
	defer cancel()
	_, err := c.Connect(soon, db.User.ID, id)
	if e, ok := errors.AsType[*fanfare.SendError](err); !ok || e.Fate != fanfare.FateHalted || i.count() != 1 {
		t.Errorf("%v, asked %d times", err, i.count())
	}
	db.Exec(`UPDATE integrations SET renewing_until = now() WHERE id = $1`, id)
	_, err = c.Connect(t.Context(), db.User.ID, id)
	if e, ok := errors.AsType[*fanfare.SendError](err); !ok || e.Fate != fanfare.FateUnauthorized {
		t.Error(err)
	}
	if now, err := db.Integration(t.Context(), db.User.ID, id); err != nil || now.Status != fanfare.IntegrationError {
		t.Errorf("%+v, %v", now, err)
	}
}

// While the provider answers, the credentials are put under another key, or the
// caller gives up: the new token is kept all the same.
func TestRenewedTokenIsKept(t *testing.T) {
	for name, meanwhile := range map[string]func(*teststore.DB, string, context.CancelFunc){
		"the caller gives up": func(_ *teststore.DB, _ string, cancel context.CancelFunc) { cancel() },
		"another key": func(db *teststore.DB, id string, _ context.CancelFunc) {
			_, sealed, err := db.SealedCredentials(context.Background(), db.User.ID, id)
			if err != nil {
				t.Error(err)
			}
			r := rotation{store: db.Store, keyring: ring(t, 2, 1)}
			if err := r.renew(context.Background(), store.SealedIntegration{ID: id, UserID: db.User.ID, Sealed: sealed}); err != nil || r.done != 1 {
				t.Error(r.done, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := teststore.New(t)
			i := newIssuer(t)
			id := connected(t, db)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			i.before = func() { meanwhile(db, id, cancel) }
			c := i.reach(t, db.Store)
			_, _ = c.Connect(ctx, db.User.ID, id) // who has given up gets nothing
			i.wantToken(t, c, db.User.ID, id, "access-1")
			if i.count() != 1 {
				t.Errorf("the provider was asked %d times", i.count())
			}
		})
	}
}

// Who was refused since somebody else was quicker uses what that one got.
func TestRefusedSinceAnotherWasQuicker(t *testing.T) {
	db := teststore.New(t)
	i := newIssuer(t)
	id := connected(t, db)
	c := i.reach(t, db.Store)
	slow := renewal{connections: c}
	if err := slow.read(t.Context(), db.User.ID, id); err != nil {
		t.Fatal(err)
	}
	i.wantToken(t, c, db.User.ID, id, "access-1")
	if err := slow.run(t.Context()); err != nil {
		t.Error(err)
	}
	if now, err := db.Integration(t.Context(), db.User.ID, id); err != nil || now.Status == fanfare.IntegrationError {
		t.Errorf("%+v, %v", now, err)
	}
	i.wantToken(t, c, db.User.ID, id, "access-1")
}

// fitting is a connection that refuses what does not fit.
type fitting struct{ fanfare.Connection }

func (fitting) Provider() fanfare.Provider { return fanfare.Provider{Name: "X"} }

func (fitting) Fits(context.Context, fanfare.Content) error {
	return &fanfare.SendError{Fate: fanfare.FateRefused, Reason: "Too long."}
}

// A launch asks the connection that it was handed, and that one passes it on.
func TestFitsIsAskedThroughTheTrace(t *testing.T) {
	var connection fanfare.Connection = tracedConnection{fitting{}}
	fitter, ok := connection.(fanfare.Fitter)
	if !ok || fitter.Fits(t.Context(), fanfare.Content{}) == nil {
		t.Error("what does not fit is not refused")
	}
	if err := (tracedConnection{opened{}}).Fits(t.Context(), fanfare.Content{}); err != nil {
		t.Errorf("who has no limits refuses: %v", err)
	}
}
