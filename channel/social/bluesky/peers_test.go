//go:build peers

package bluesky

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/connector"
	"fanfare/channel/egress"
	"fanfare/channel/social"
)

// devEnv is Bluesky's own server, as its makers test with it; it comes from npm
// (make test-peers). It is the last that runs on node 20.
const (
	devEnv        = "@atproto/dev-env@" + devEnvVersion
	devEnvVersion = "0.3.215"
)

// pds is a server that others wrote.
type pds struct{ URL, AppPassword string }

// startPDS installs the server, once for all runs, since it has a part that may
// have to be compiled.
func startPDS(t *testing.T) pds {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(cache, "fanfare-peers", "atproto-dev-env-"+devEnvVersion)
	done := filepath.Join(folder, "installed")
	if _, err := os.Stat(done); err != nil {
		install(t, folder)
		if err := os.WriteFile(done, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script, err := filepath.Abs(filepath.Join("testdata", "server.mjs"))
	if err != nil {
		t.Fatal(err)
	}
	return run(t, folder, script)
}

func install(t *testing.T, folder string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	npm := exec.CommandContext(t.Context(), "npm", "install", "--prefix", folder, "--no-audit", "--no-fund", "--no-save", devEnv)
	if output, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("installing %s: %v\n%s", devEnv, err, output)
	}
}

// run starts the server, and ends it with the test.
func run(t *testing.T, folder, script string) pds {
	t.Helper()
	server := exec.Command("node", script)
	server.Dir = folder
	server.Env = append(server.Environ(), "LOG_ENABLED=false")
	var complaints strings.Builder
	server.Stderr = &complaints
	input, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	var p pds
	err = json.NewDecoder(output).Decode(&p)
	go func() { _, _ = io.Copy(io.Discard, output) }()
	t.Cleanup(func() {
		input.Close()
		_ = server.Wait()
	})
	if err != nil {
		input.Close()
		_ = server.Wait()
		t.Fatalf("starting the server: %v\n%s", err, complaints.String())
	}
	return p
}

func (p pds) open(t *testing.T, password string) fanfare.Connection {
	t.Helper()
	outside := connector.Outside{AllowPrivate: true, HTTP: egress.NewClient(egress.NewDialer(true, nil).DialContext, nil)}
	credentials := fanfare.Credentials{"service": p.URL, "identifier": "teashop.test", "appPassword": password}
	c := New(outside)
	if err := c.Check(credentials); err != nil {
		t.Fatal(err)
	}
	connection, err := c.Open(credentials)
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

// posts lists what the account has posted, as anybody can read it.
func (p pds) posts(t *testing.T) []post {
	t.Helper()
	response, err := http.Get(p.URL + "/xrpc/com.atproto.repo.listRecords?repo=teashop.test&collection=" + collection)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var list struct{ Records []struct{ Value post } }
	if err := json.NewDecoder(response.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	var posts []post
	for _, record := range list.Records {
		posts = append(posts, record.Value)
	}
	return posts
}

func TestPeerBluesky(t *testing.T) {
	p := startPDS(t)
	if err := p.open(t, "wrong").Test(t.Context()); fateOf(err) != fanfare.FateUnauthorized {
		t.Errorf("with a wrong password: %v", err)
	}
	c := p.open(t, p.AppPassword)
	if err := c.Test(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer, err := c.Ask(t.Context(), message()); err != nil || answer.State != fanfare.AnswerRepeat {
		t.Errorf("asked for what was never sent: %+v, %v", answer, err)
	}
	id, err := c.Send(t.Context(), message())
	if err != nil || !strings.HasPrefix(id, "at://did:plc:") {
		t.Fatal(id, err)
	}
	if answer, err := c.Ask(t.Context(), message()); err != nil || answer.State != fanfare.AnswerTaken || answer.ProviderID != id {
		t.Errorf("asked for what was sent: %+v, %v", answer, err)
	}
	// The server refuses a second post with the key, and the first is found.
	if again, err := p.open(t, p.AppPassword).Send(t.Context(), message()); err != nil || again != id {
		t.Errorf("sent again: %q, %v", again, err)
	}
	text := "Grüße 🎉! Look: https://shop.example/a?b=1#c.\n\n#Tea #greentea"
	posts := p.posts(t)
	if len(posts) != 1 {
		t.Fatalf("%d posts", len(posts))
	}
	if diff := cmp.Diff([]any{text, facets(text)}, []any{posts[0].Text, posts[0].Facets}); diff != "" {
		t.Error(diff)
	}
	p.keepsLimits(t)
}

// keepsLimits: the server counts characters as we do, to the last one.
func (p pds) keepsLimits(t *testing.T) {
	c := p.open(t, p.AppPassword).(*connection)
	signed, err := c.signIn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i, character := range []string{"a", "é", "e\u0301", "🇩🇪", "👍🏽", "한"} {
		for more, want := range map[int]fanfare.Fate{0: "sent", 1: fanfare.FateRefused} {
			text := strings.Repeat(character, maxCharacters+more)
			if got := social.Length(text); got != maxCharacters+more {
				t.Errorf("%q counts %d", character, got)
			}
			call := create(signed.DID, tid(time.Now().UnixMicro(), int64(2*i+more)), text, time.Now())
			if err := c.as(signed).Do(t.Context(), call); fateOf(err) != want {
				t.Errorf("%d times %q: %v", maxCharacters+more, character, err)
			}
		}
	}
}
