//go:build peers

package api_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/apitest"
)

// esbuild takes the types out of TypeScript; it comes from npm (make
// test-peers).
const esbuild = "esbuild@0.25.12"

// The client that pages were written with works against this API as it is.
func TestPeerIntegrationClient(t *testing.T) {
	a := apitest.New(t)
	a.Providers.Answer(func(_ context.Context, c fanfare.Credentials) error {
		if c["password"] == "right" {
			return nil
		}
		return &fanfare.SendError{Fate: fanfare.FateUnauthorized, Reason: "No."}
	})
	folder := t.TempDir()
	command(t, "npm", "install", "--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", esbuild)
	client := filepath.Join(folder, "client.mjs")
	command(t, filepath.Join(folder, "node_modules", ".bin", "esbuild"), "testdata/integration-client.ts", "--format=esm", "--outfile="+client)

	page := exec.CommandContext(t.Context(), "node", "testdata/page.mjs", client)
	page.Env = append(page.Environ(), "BASE_URL="+a.URL, "AUTHORIZATION="+a.User(t, "ada@example.com").Header["Authorization"])
	var stderr strings.Builder
	page.Stderr = &stderr
	output, err := page.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var steps map[string]any
	if err := json.Unmarshal(output, &steps); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"before": []any{}, "added": []any{"SMTP", "email", "disconnected", []any{"host", "password"}},
		"addedTwice": "Failed to add integration", "rightWorks": true, "wrongDoesNot": false,
		"unknownDoesNot": false, "malformedDoesNot": false, "noTextDoesNot": false,
		"all": []any{"Slack error", "SMTP connected"}, "email": []any{"SMTP connected"}, "ppc": []any{},
		"deleted": true, "left": []any{"Slack error"},
		"nobodyMayList": "Failed to fetch integrations", "nobodyMayTest": false,
	}
	if diff := cmp.Diff(want, steps); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if output, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, output)
	}
}
