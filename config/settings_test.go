package config

import "testing"

// env names a broken setting by its field alone, so the fields' names must
// tell the variables apart.
func TestSettingsAreToldApart(t *testing.T) {
	fields, names := map[string]bool{}, map[string]bool{}
	for _, s := range settings() {
		if fields[s.field] || names[s.name] {
			t.Errorf("%s (%s) is there twice", s.field, s.name)
		}
		fields[s.field], names[s.name] = true, true
	}
	if len(names) != 29 {
		t.Errorf("%d settings, want 29", len(names))
	}
}
