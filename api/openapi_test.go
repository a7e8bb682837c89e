package api_test

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare/internal/apitest"
)

// The document in the repository is the one that is served.
func TestOpenAPIIsCommitted(t *testing.T) {
	served, err := apitest.Document()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openapi.json", served, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), string(served)); diff != "" {
		t.Errorf("openapi.json does not tell of these routes and types any more (-committed +served; run make openapi if that is right):\n%s", diff)
	}
}
