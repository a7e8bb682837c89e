package store

import "testing"

func TestSummary(t *testing.T) {
	for query, want := range map[string]string{
		`SELECT id FROM jobs WHERE id = $1`:                               "SELECT jobs",
		"INSERT INTO audit_logs\n(id) VALUES ($1)":                        "INSERT audit_logs",
		`WITH a AS (SELECT 1 FROM jobs FOR UPDATE) UPDATE deliveries SET`: "UPDATE deliveries",
		`WITH a AS (DELETE FROM sessions WHERE true) SELECT 1`:            "DELETE sessions",
		`SELECT count(*) FROM (SELECT 1 FROM users) x`:                    "SELECT users",
		`SAVEPOINT attempt`:                                               "SAVEPOINT",
		`SELECT now()`:                                                    "SELECT",
		retrySQL:                                                          "INSERT jobs",
		dueScheduleSQL:                                                    "SELECT schedules",
	} {
		if got := summary(query); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
}
