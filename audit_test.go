package fanfare_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"

	"fanfare"
)

// TestEveryActionIsListed: lists of audit records refuse to look for others.
func TestEveryActionIsListed(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "audit.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "Action") {
			return true
		}
		found++
		action, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil || !slices.Contains(fanfare.AuditActions(), action) {
			t.Errorf("AuditActions lacks %s: %v", spec.Names[0].Name, err)
		}
		return true
	})
	if found < 20 {
		t.Errorf("only %d actions were found", found)
	}
}
