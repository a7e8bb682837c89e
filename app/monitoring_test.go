package app

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"fanfare/internal/testdb"
)

// board is what of a Grafana board is looked at:
// https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
type board struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Query string }
	}
	Panels []panel
}

type panel struct {
	ID                       int
	Type, Title, Description string
	GridPos                  struct{ H, W, X, Y int }
	Datasource               *struct{ Type, UID string }
	Targets                  []struct{ RefID, Expr string }
}

// ruleFile is one of Prometheus' files of alerts:
// https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
type ruleFile struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func readBoard(t *testing.T) (b board) {
	t.Helper()
	raw, err := os.ReadFile("../monitoring/grafana/fanfare.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

func readRules(t *testing.T) (rules []rule) {
	t.Helper()
	raw, err := os.ReadFile("../monitoring/alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file ruleFile
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Groups {
		rules = append(rules, group.Rules...)
	}
	return rules
}

// TestBoardAndAlertsNameWhatThereIs reads every query of the board and of the
// alerts with Prometheus' own parser, and looks for each metric, label and value
// of a label in scrapes of an API, a worker and a scheduler.
func TestBoardAndAlertsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	r := newRig(t, testdb.New(t), testdb.Redis(t))
	r.generate("Tell our customers about the autumn tea", "sms")
	_ = r.client.do(t.Context(), "GET", "/api/nothing", nil, nil)
	there := known{"up": {"job": {"*": true}, "instance": {"*": true}}} // Prometheus' own
	for process := range r.metrics {
		there.learn(t, r.scrape(process))
	}
	queries := map[string]string{}
	for _, p := range readBoard(t).Panels {
		for _, target := range p.Targets {
			queries["the panel "+p.Title+", "+target.RefID] = strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")
		}
	}
	for _, rule := range readRules(t) {
		queries["the alert "+rule.Alert] = rule.Expr
	}
	if len(queries) < 60 {
		t.Errorf("only %d queries were found", len(queries))
	}
	used := map[string]bool{}
	for where, query := range queries {
		parsed, err := parser.NewParser(parser.Options{}).ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v in %s", where, err, query)
			continue
		}
		for _, problem := range there.problems(parsed, used) {
			t.Errorf("%s: %s in %s", where, problem, query)
		}
	}
	for name := range there {
		if base := baseName(name); strings.HasPrefix(base, "fanfare_") && !used[base] {
			t.Errorf("neither the board nor an alert shows %s", base)
		}
	}
}

// known are the metrics that there are, by name and label, and the labels' values.
type known map[string]map[string]map[string]bool

func (k known) learn(t *testing.T, found series) {
	t.Helper()
	for text := range found {
		metric, err := parser.NewParser(parser.Options{}).ParseMetric(text)
		if err != nil {
			t.Fatal(err)
		}
		name := metric.Get(model.MetricNameLabel)
		if k[name] == nil {
			k[name] = map[string]map[string]bool{"job": {"*": true}, "instance": {"*": true}}
		}
		metric.Range(func(l labels.Label) {
			if k[name][l.Name] == nil {
				k[name][l.Name] = map[string]bool{}
			}
			k[name][l.Name][l.Value] = true
		})
	}
}

// problems are what a query names that is not there. What it names is used.
func (k known) problems(query parser.Expr, used map[string]bool) (problems []string) {
	parser.Inspect(query, func(node parser.Node, _ []parser.Node) error {
		switch n := node.(type) {
		case *parser.VectorSelector:
			used[baseName(n.Name)] = true
			problems = append(problems, k.missing(n)...)
		case *parser.AggregateExpr:
			for _, label := range n.Grouping {
				if !k.anyHas(n.Expr, label) {
					problems = append(problems, fmt.Sprintf("no metric in %s has the label %q", n.Expr, label))
				}
			}
		}
		return nil
	})
	return problems
}

func (k known) missing(n *parser.VectorSelector) (problems []string) {
	there, known := k[n.Name]
	if !known {
		return []string{fmt.Sprintf("there is no metric %q", n.Name)}
	}
	for _, m := range n.LabelMatchers {
		values, known := there[m.Name]
		exact := m.Type == labels.MatchEqual || m.Type == labels.MatchNotEqual
		switch {
		case m.Name == model.MetricNameLabel:
		case !known:
			problems = append(problems, fmt.Sprintf("%s has no label %q", n.Name, m.Name))
		case exact && !values[m.Value] && !values["*"]:
			problems = append(problems, fmt.Sprintf("no %s is %q in %s", m.Name, m.Value, n.Name))
		}
	}
	return problems
}

func (k known) anyHas(query parser.Expr, label string) (has bool) {
	parser.Inspect(query, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok && k[selector.Name][label] != nil {
			has = true
		}
		return nil
	})
	return has
}

// baseName is the name of a histogram without that of its part.
func baseName(name string) string {
	for _, part := range []string{"_bucket", "_sum", "_count"} {
		if base, cut := strings.CutSuffix(name, part); cut {
			return base
		}
	}
	return name
}

// TestBoardCanBeImported: its panels use the datasource that one chooses, and
// lie beside each other.
func TestBoardCanBeImported(t *testing.T) {
	t.Parallel()
	b := readBoard(t)
	if b.UID == "" || b.Title == "" || b.SchemaVersion < 36 || len(b.Templating.List) != 1 || b.Templating.List[0].Type != "datasource" {
		t.Errorf("the board %q has the uid %q, the schema version %d and the variables %v", b.Title, b.UID, b.SchemaVersion, b.Templating.List)
	}
	rows, ids, taken := []string{}, map[int]bool{}, map[[2]int]string{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.ID == 0 || p.Title == "" {
			t.Errorf("the panel %q has the id %d", p.Title, p.ID)
		}
		ids[p.ID] = true
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if over := taken[[2]int{x, y}]; over != "" || x >= 24 {
					t.Fatalf("the panel %q lies over %q, or over the edge", p.Title, over)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		if p.Description == "" || p.Datasource == nil || p.Datasource.UID != "${datasource}" || len(p.Targets) == 0 {
			t.Errorf("the panel %q lacks a description, a query or the chosen datasource", p.Title)
		}
	}
	if want := []string{"Overview", "Jobs", "Queues", "AI", "Deliveries", "HTTP", "Database and processes"}; !slices.Equal(rows, want) {
		t.Errorf("the rows are %q, want %q", rows, want)
	}
}

// TestEachAlertSaysWhatToDo: how bad it is, in words, and where to read on,
// which is under a heading of its name.
func TestEachAlertSaysWhatToDo(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^## (Fanfare\w+)$`).FindAllSubmatch(page, -1) {
		explained[string(heading[1])] = true
	}
	seen := map[string]bool{}
	for _, r := range readRules(t) {
		if r.Alert == "" || seen[r.Alert] {
			t.Errorf("the alert %q of %s has no name of its own", r.Alert, r.Expr)
		}
		seen[r.Alert] = true
		if _, err := model.ParseDuration(cmp.Or(r.For, "0s")); err != nil {
			t.Errorf("%s: %v", r.Alert, err)
		}
		if severity := r.Labels["severity"]; severity != "critical" && severity != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, severity)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s has no summary or no description", r.Alert)
		}
		if want := "docs/alerts.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want {
			t.Errorf("%s has the runbook %q, want %q", r.Alert, r.Annotations["runbook"], want)
		}
	}
	if !maps.Equal(seen, explained) {
		t.Errorf("docs/alerts.md explains %v, and there are %v", explained, seen)
	}
}
