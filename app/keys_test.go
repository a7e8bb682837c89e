package app

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"fanfare"
	"fanfare/config"
	"fanfare/internal/testdb"
	"fanfare/internal/teststore"
	"fanfare/secrets"
	"fanfare/store"
)

// key is the nth of the encryption keys of a test.
func key(n int) string { return fmt.Sprintf("canary key %021d", n) }

func ring(t *testing.T, current int, old ...int) *secrets.Keyring {
	t.Helper()
	var keys []string
	for _, n := range old {
		keys = append(keys, key(n))
	}
	keyring, err := secrets.NewKeyring(key(current), keys)
	if err != nil {
		t.Fatal(err)
	}
	return keyring
}

func rotate(t *testing.T, database string, current int, old ...int) (string, error) {
	t.Helper()
	p := Process{Config: config.Config{DatabaseURL: database, EncryptionKey: key(current)}}
	for _, n := range old {
		p.Config.EncryptionKeysOld = append(p.Config.EncryptionKeysOld, key(n))
	}
	var out bytes.Buffer
	err := p.RotateKeys(context.WithoutCancel(t.Context()), &out)
	return out.String(), err
}

// add stores an integration whose credentials name it.
func add(ctx context.Context, db *teststore.DB, keyring *secrets.Keyring, name string) (id string, err error) {
	id = store.NewID()
	sealed, err := keyring.Seal(db.User.ID, id, fanfare.Credentials{"name": name})
	if err != nil {
		return "", err
	}
	_, err = db.CreateIntegration(ctx, fanfare.Integration{
		ID: id, UserID: db.User.ID, Name: name, Type: fanfare.Email, CredentialFields: []string{"name"},
	}, sealed)
	return id, err
}

// opened is a registry whose connections show what they were opened with.
type opened struct {
	registry
	fanfare.Connection
	name string
}

func (opened) Open(_ string, _ fanfare.Channel, c fanfare.Credentials) (fanfare.Connection, error) {
	return opened{name: c["name"]}, nil
}

func (opened) Renews(string, fanfare.Channel, fanfare.Credentials) bool { return false }

// fleet are processes that share a keyring's settings and are restarted with
// new ones, one after the other, each once its work under way is done.
type fleet []*member

type member struct {
	mu      sync.RWMutex
	keyring *secrets.Keyring
}

func (f fleet) restart(keyring *secrets.Keyring) {
	for _, m := range f {
		m.mu.Lock()
		m.keyring = keyring
		m.mu.Unlock()
	}
}

// work creates, opens and deletes integrations until stop is closed, and
// returns those that it has left.
func (m *member) work(ctx context.Context, db *teststore.DB, label string, shared map[string]string, rounds *atomic.Int64, stop <-chan struct{}) (map[string]string, error) {
	mine := map[string]string{}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return mine, nil
		default:
		}
		if err := m.round(ctx, db, fmt.Sprint(label, i), mine, shared); err != nil {
			return mine, fmt.Errorf("round %d: %w", i, err)
		}
		rounds.Add(1)
	}
}

func (m *member) round(ctx context.Context, db *teststore.DB, name string, mine, shared map[string]string) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	id, err := add(ctx, db, m.keyring, name)
	if err != nil {
		return err
	}
	mine[id] = name
	if err := db.SetIntegrationStatus(ctx, db.User.ID, id, fanfare.IntegrationConnected, true); err != nil {
		return err
	}
	if len(mine) > 20 {
		for id := range mine {
			if _, err := db.DeleteIntegration(ctx, db.User.ID, id); err != nil {
				return err
			}
			delete(mine, id)
			break
		}
	}
	c := connections{store: db.Store, keyring: m.keyring, registry: opened{}}
	for _, all := range []map[string]string{mine, shared} {
		if err := readAll(ctx, c, db.User.ID, all); err != nil {
			return err
		}
	}
	return nil
}

func readAll(ctx context.Context, c connections, userID string, want map[string]string) error {
	for id, name := range want {
		connection, err := c.Connect(ctx, userID, id)
		if err != nil {
			return err
		}
		if got := connection.(tracedConnection).Connection.(opened).name; got != name {
			return fmt.Errorf("%s opened as %q, want %q", id, got, name)
		}
	}
	return nil
}

// Keys are changed three times in the README's order while a fleet creates,
// reads and deletes. No read fails, nothing is lost, and nothing is left under
// an earlier key: each time the fleet forgets it.
func TestRotationUnderLoad(t *testing.T) {
	url := testdb.New(t)
	db := teststore.Open(t, url)
	ctx := context.WithoutCancel(t.Context())
	shared := map[string]string{}
	for i := range 150 { // more than a page
		name := fmt.Sprint("shared", i)
		id, err := add(ctx, db, ring(t, 0), name)
		if err != nil {
			t.Fatal(err)
		}
		shared[id] = name
	}
	few := map[string]string{}
	for _, id := range slices.Sorted(maps.Keys(shared))[:20] {
		few[id] = shared[id]
	}
	processes := fleet{{}, {}, {}, {}}
	processes.restart(ring(t, 0))
	var rounds atomic.Int64
	stop := make(chan struct{})
	left := make([]map[string]string, len(processes))
	var wg sync.WaitGroup
	for i, m := range processes {
		wg.Go(func() {
			var err error
			if left[i], err = m.work(ctx, db, fmt.Sprint("p", i, "-"), few, &rounds, stop); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		})
	}
	for n := 1; n <= 3; n++ {
		processes.restart(ring(t, n-1, n))
		processes.restart(ring(t, n, n-1))
		var twice sync.WaitGroup
		for range 2 {
			twice.Go(func() {
				if out, err := rotate(t, url, n, n-1); err != nil {
					t.Errorf("rotation %d: %v\n%s", n, err, out)
				}
			})
		}
		twice.Wait()
		processes.restart(ring(t, n))
	}
	close(stop)
	wg.Wait()
	for _, mine := range append(left, shared) {
		if err := readAll(ctx, connections{db.Store, ring(t, 3), opened{}}, db.User.ID, mine); err != nil {
			t.Error(err)
		}
	}
	if under := db.Query(`SELECT DISTINCT key_id FROM integrations`); !slices.Equal(under, []string{ring(t, 3).Current()}) {
		t.Errorf("under %v", under)
	}
	t.Logf("%d rounds", rounds.Load())
}

// What can't be read is named and left as it is, and everything else is done.
func TestRotationNamesWhatItCannotRead(t *testing.T) {
	url := testdb.New(t)
	db := teststore.Open(t, url)
	ids := map[string]string{}
	for name, keyring := range map[string]*secrets.Keyring{
		"current": ring(t, 1), "old": ring(t, 0), "unknown": ring(t, 7), "changed": ring(t, 0), "moved": ring(t, 0),
	} {
		id, err := add(t.Context(), db, keyring, name)
		if err != nil {
			t.Fatal(err)
		}
		ids[name] = id
	}
	db.Exec(`UPDATE integrations SET credentials = set_byte(credentials, 20, 255 - get_byte(credentials, 20)) WHERE id = $1`, ids["changed"])
	db.Exec(`UPDATE integrations SET credentials = (SELECT credentials FROM integrations WHERE id = $1) WHERE id = $2`, ids["old"], ids["moved"])
	before := db.Query(`SELECT credentials FROM integrations WHERE key_id <> $1 AND id <> $2 ORDER BY id`, ring(t, 1).Current(), ids["old"])
	for _, done := range []string{"Re-encrypted 1 ", "Re-encrypted 0 "} {
		out, err := rotate(t, url, 1, 0)
		if !strings.HasPrefix(out, done) || !strings.Contains(out, "3 could not be read") || err == nil {
			t.Fatalf("%s%v", out, err)
		}
		for name, id := range ids {
			if unreadable := name != "current" && name != "old"; strings.Contains(err.Error(), id) != unreadable {
				t.Errorf("%s (%s): %v", name, id, err)
			}
		}
		if !strings.Contains(err.Error(), "ENCRYPTION_KEYS_OLD") || strings.Contains(out+err.Error(), "canary") {
			t.Errorf("%s%v", out, err)
		}
	}
	if after := db.Query(`SELECT credentials FROM integrations WHERE key_id <> $1 ORDER BY id`, ring(t, 1).Current()); !slices.Equal(before, after) {
		t.Error("what could not be read was changed")
	}
	if out, err := rotate(t, url, 1, 7); err == nil || !strings.HasPrefix(out, "Re-encrypted 1 ") {
		t.Errorf("with the missing key: %s%v", out, err)
	}
}
