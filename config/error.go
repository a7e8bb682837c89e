package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caarlos0/env/v11"
)

// Problem is one setting that can't be used. Its reason never quotes the value.
type Problem struct{ Name, Reason string }

// Error lists every problem, in the order of the settings in Config.
type Error struct{ Problems []Problem }

// Error prints one "- NAME: reason" a line.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = "- " + p.Name + ": " + p.Reason
	}
	return strings.Join(lines, "\n")
}

// problems collects them: the first for each setting, since the others tend to
// follow from it.
type problems []Problem

func (p *problems) add(name, format string, args ...any) {
	if !slices.ContainsFunc(*p, func(old Problem) bool { return old.Name == name }) {
		*p = append(*p, Problem{name, fmt.Sprintf(format, args...)})
	}
}

// addParsing adds what env found. It knows fields, people know variables.
func (p *problems) addParsing(err error) {
	if err == nil {
		return
	}
	found := []error{err}
	if all, ok := errors.AsType[env.AggregateError](err); ok {
		found = all.Errors
	}
	for _, err := range found {
		parsing, ok := errors.AsType[env.ParseError](err)
		if !ok {
			p.add("settings", "%v", err)
			continue
		}
		i := slices.IndexFunc(settings(), func(s setting) bool { return s.field == parsing.Name })
		p.add(settings()[i].name, "%v", parsing.Err)
	}
}

// sorted is in the order of the settings.
func (p problems) sorted() []Problem {
	all := settings()
	place := func(q Problem) int {
		return slices.IndexFunc(all, func(s setting) bool { return s.name == q.Name })
	}
	slices.SortStableFunc(p, func(a, b Problem) int { return place(a) - place(b) })
	return p
}

// setting is a field of Config and the variable that sets it.
type setting struct{ field, name string }

// settings lists them in their order. A test holds the fields' names apart.
func settings() []setting { return settingsOf(reflect.TypeFor[Config]()) }

func settingsOf(t reflect.Type) []setting {
	var all []setting
	for field := range t.Fields() {
		if name, ok := field.Tag.Lookup("env"); ok {
			all = append(all, setting{field.Name, name})
		} else if field.Type.Kind() == reflect.Struct {
			all = append(all, settingsOf(field.Type)...)
		}
	}
	return all
}
