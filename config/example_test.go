package config

import (
	"bufio"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// composeOnly is what .env.production.example holds for
// docker-compose.prod.yml, which the program does not read.
var composeOnly = []string{
	"POSTGRES_PASSWORD", "REDIS_PASSWORD", "STOP_GRACE_PERIOD", "VERSION", "PUBLISH", "EDGE_SUBNET",
	"BACKUP_AT", "KEEP_DAYS", "KEEP_WEEKS", "KEEP_MONTHS",
}

// example reads .env.production.example: its settings, and the comment above
// each.
func example(t *testing.T) (settings, comments map[string]string) {
	t.Helper()
	file, err := os.Open("../.env.production.example")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	settings, comments = map[string]string{}, map[string]string{}
	var comment string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		name, value, isSetting := strings.Cut(lines.Text(), "=")
		switch {
		case strings.HasPrefix(lines.Text(), "#"):
			comment += lines.Text() + "\n"
		case lines.Text() == "":
			comment = ""
		case !isSetting || comment == "":
			t.Errorf("%q is no setting with a comment above it", lines.Text())
		default:
			if _, twice := settings[name]; twice {
				t.Errorf("%s stands there twice", name)
			}
			settings[name], comments[name] = value, comment
		}
	}
	return settings, comments
}

// names are the settings that the program reads.
func names(of reflect.Type) (found []string) {
	for field := range of.Fields() {
		if name := field.Tag.Get("env"); name != "" {
			found = append(found, name)
		} else if field.Type.Kind() == reflect.Struct {
			found = append(found, names(field.Type)...)
		}
	}
	return found
}

func TestTheProductionExampleHasEverySetting(t *testing.T) {
	want := append(names(reflect.TypeFor[Config]()), composeOnly...)
	settings, comments := example(t)
	var got []string
	for name := range settings {
		got = append(got, name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-the code reads +the example has):\n%s", diff)
	}
	for name, rule := range map[string]string{"AUTH_SECRET": "openssl rand -hex 32", "ENCRYPTION_KEY": "openssl rand -hex 16"} {
		if !strings.Contains(comments[name], rule) {
			t.Errorf("the comment on %s does not say %q", name, rule)
		}
	}
}

// TestTheProductionExampleIsAccepted once the secrets are filled in as it says,
// and before that each of them is asked for.
func TestTheProductionExampleIsAccepted(t *testing.T) {
	settings, _ := example(t)
	environ := func(filled map[string]string) (environ []string) {
		value := func(name string) string {
			if filled[name] != "" {
				return filled[name]
			}
			return settings[name]
		}
		for name := range settings {
			environ = append(environ, name+"="+os.Expand(value(name), value))
		}
		return environ
	}
	_, err := Load(environ(nil), Worker)
	if err == nil {
		t.Fatal("an example without secrets is accepted")
	}
	for _, name := range []string{"AUTH_SECRET", "ENCRYPTION_KEY", "OPENAI_API_KEY", "PUBLIC_URL"} {
		if !strings.Contains(err.Error(), "- "+name+": ") {
			t.Errorf("%s is not asked for: %v", name, err)
		}
	}
	filled := environ(map[string]string{
		"POSTGRES_PASSWORD": strings.Repeat("0a", 24), "REDIS_PASSWORD": strings.Repeat("1b", 24),
		"AUTH_SECRET": strings.Repeat("2c", 32), "ENCRYPTION_KEY": strings.Repeat("3d", 16),
		"PUBLIC_URL": "https://fanfare.example.com", "OPENAI_API_KEY": "sk-test",
	})
	for name, process := range map[string]Process{
		"api": API, "worker": Worker, "scheduler": Scheduler, "migrate": Migrate, "doctor": Doctor, "jobs": Jobs,
		"keys": Keys, "user": Users, "audit": Audit, "healthcheck": Health,
	} {
		c, err := Load(filled, process)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := "postgres://fanfare:" + strings.Repeat("0a", 24) + "@postgres:5432/fanfare?sslmode=disable"; c.DatabaseURL != want {
			t.Errorf("%s: DATABASE_URL = %s", name, c.DatabaseURL)
		}
	}
	// What the example spells out are the defaults.
	defaults, err := Load([]string{"APP_ENV=production", "PUBLIC_URL=https://fanfare.example.com"}, Dev)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := Load(filled, Worker)
	for what, pair := range map[string][2]any{
		"limits":    {defaults.RateLimits, got.RateLimits},
		"retention": {defaults.Retention, got.Retention},
		"times":     {[]any{defaults.JobTimeout, defaults.AI.Timeout, defaults.ShutdownTimeout}, []any{got.JobTimeout, got.AI.Timeout, got.ShutdownTimeout}},
		"the rest":  {[]any{defaults.HTTPAddr, defaults.WorkerConcurrency, defaults.AllowPrivateHosts}, []any{got.HTTPAddr, got.WorkerConcurrency, got.AllowPrivateHosts}},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s (-default +example):\n%s", what, diff)
		}
	}
}
