package config

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTheREADMEHasEverySetting, no other, and their defaults.
func TestTheREADMEHasEverySetting(t *testing.T) {
	raw, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(raw), "\n## Settings\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got []string
	rows := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\| (.*) \\|$").FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("[A-Z_]+").FindAllString(row[1], -1) {
			got = append(got, name)
			rows[name] = row[2]
		}
	}
	want := names(reflect.TypeFor[Config]())
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-the code reads +the README has):\n%s", diff)
	}
	defaults := defaultsOf(reflect.TypeFor[Config]())
	defaults["HTTP_ADDR"], defaults["OPENAI_MODEL"] = DefaultHTTPAddr, DefaultModel
	for name, value := range defaults {
		if !strings.Contains(rows[name], "(`"+value+"`") {
			t.Errorf("the README does not say that %s is %s where it is not set: %s", name, value, rows[name])
		}
	}
}

func defaultsOf(t reflect.Type) map[string]string {
	found := map[string]string{}
	for field := range t.Fields() {
		if value := field.Tag.Get("envDefault"); value != "" {
			found[field.Tag.Get("env")] = value
		} else if field.Type.Kind() == reflect.Struct {
			for name, value := range defaultsOf(field.Type) {
				found[name] = value
			}
		}
	}
	return found
}
