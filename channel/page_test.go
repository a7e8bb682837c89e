package channel

import (
	"flag"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/connector"
)

var update = flag.Bool("update", false, "write docs/connectors.md anew")

const page = "../docs/connectors.md"

const opening = `# The connectors

This page is made from the code: ` + "`make connectors`" + ` writes it, and a test holds it to what each connector says of itself.

A launch goes through one integration for each channel. An integration is connected with the fields that its provider needs
(` + "`POST /api/integrations`" + `, with their values in ` + "`credentials`" + `), and can be tried without sending anything
(` + "`POST /api/integrations/test`" + `). Every provider has one more field, ` + "`" + connector.RateField + "`" + `: how many messages a second it may be
handed at most; no limit if left out, unless the provider's section names one.

Where a connection breaks while a message is handed over, nobody knows whether the provider took it. If it can be asked, or can't take the same
message twice, that settles it. If not, the message is ` + "`unknown`" + `, and not sent again unless a person says so
([what to do then](operations.md#deliveries-are-unknown)).

*Tested against* (` + "`verifiedAgainst`" + `) tells what the tests run against: a **real** server that others wrote (mox for SMTP, Bluesky's own for Bluesky, Kannel's
gateway for Kannel), or one of ours that keeps the **contract**, the provider's documentation. No test has talked to such a provider itself: try the
integration, then launch to yourself first.

A provider of your own is [a folder to copy](#a-provider-of-your-own).

| provider | channel | tested against |
|---|---|---|
`

// TestConnectorsPage holds docs/connectors.md to the connectors.
func TestConnectorsPage(t *testing.T) {
	connectors := New(Options{}).connectors
	slices.SortFunc(connectors, func(a, b connector.Connector) int {
		return strings.Compare(string(a.Provider().Type)+a.Provider().Name, string(b.Provider().Type)+b.Provider().Name)
	})
	var rows, sections strings.Builder
	for _, c := range connectors {
		p := c.Provider()
		rows.WriteString("| [" + p.Name + "](#" + strings.ReplaceAll(strings.ToLower(p.Name), " ", "-") + ") | " + string(p.Type) + " | " + string(p.VerifiedAgainst) + " |\n")
		sections.WriteString(section(t, c))
	}
	want := opening + rows.String() + sections.String() + "\n## A provider of your own\n\n" + ownProvider(t)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("docs/connectors.md is not what the code says; make connectors writes it anew\n%s", diff)
	}
}

// ownProvider is what developers are told, in terms of the page.
func ownProvider(t *testing.T) string {
	t.Helper()
	var text comment.Parser
	return strings.Replace(markdown(text.Parse(packageDoc(t, "connector")).Content),
		"Package connector is", "Package [connector](../channel/connector/connector.go) is", 1)
}

// section tells of one connector.
func section(t *testing.T, c connector.Connector) string {
	t.Helper()
	p, folder := c.Provider(), folderOf(c)
	about, credentials := readDoc(t, folder)
	recipients := "It goes to the campaign's recipients on this channel."
	switch {
	case p.Type == fanfare.Social:
		recipients = "A launch is one post."
	case p.Type == fanfare.PPC:
		recipients = "A launch is one campaign."
	case p.Broadcast:
		recipients = "A launch is one message: the provider knows who gets it."
	}
	return "\n## " + p.Name + "\n\n" + p.Description + " " + recipients + "\n\n" + fields(p) +
		"\n" + credentials + "\n**What it is made from, and what can be asked afterwards** ([channel/" + folder + "](../channel/" + folder + ")):\n\n" + about
}

func fields(p fanfare.Provider) string {
	table := "| field | what it is | |\n|---|---|---|\n"
	for _, field := range p.CredentialFields {
		if field.Name == connector.RateField {
			continue
		}
		kind := "optional"
		if field.Required {
			kind = "required"
		}
		if field.Secret {
			kind += ", secret"
		}
		table += "| `" + field.Name + "` | " + field.Label + " | " + kind + " |\n"
	}
	return table
}

// folderOf is where the connector's code is, below channel.
func folderOf(c connector.Connector) string {
	return strings.TrimPrefix(reflect.TypeOf(c).Elem().PkgPath(), "fanfare/channel/")
}

// readDoc reads a package's doc comment as Markdown, and apart from it what stands
// under its heading "Credentials".
func readDoc(t *testing.T, folder string) (about, credentials string) {
	t.Helper()
	var text comment.Parser
	doc := text.Parse(packageDoc(t, folder))
	heading := slices.IndexFunc(doc.Content, func(b comment.Block) bool {
		h, ok := b.(*comment.Heading)
		return ok && len(h.Text) == 1 && h.Text[0] == comment.Plain("Credentials")
	})
	if heading < 2 || heading == len(doc.Content)-1 {
		t.Fatalf("the doc comment of channel/%s has to say what it was written from, what can be asked afterwards and, under the heading Credentials at its end, how to get them", folder)
	}
	return markdown(doc.Content[:heading]), markdown(doc.Content[heading+1:])
}

func markdown(blocks []comment.Block) string {
	var printer comment.Printer
	return string(printer.Markdown(&comment.Doc{Content: blocks}))
}

func packageDoc(t *testing.T, folder string) string {
	t.Helper()
	files, err := filepath.Glob(folder + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			t.Fatal(err)
		}
		if text := file.Doc.Text(); text != "" && !strings.HasSuffix(name, "_test.go") {
			return text
		}
	}
	t.Fatalf("channel/%s has no doc comment", folder)
	return ""
}

// TestNoneIsLeftOut: a connector's folder has its line in the table of New.
func TestNoneIsLeftOut(t *testing.T) {
	var have []string
	for _, c := range New(Options{}).connectors {
		have = append(have, folderOf(c))
	}
	for _, typ := range fanfare.Channels() {
		files, err := filepath.Glob(string(typ) + "/*/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if folder := filepath.Dir(file); !slices.Contains(have, folder) {
				t.Errorf("channel/%s is not in the table of channel.New", folder)
			}
		}
	}
}
