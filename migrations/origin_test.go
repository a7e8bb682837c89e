package migrations_test

import (
	"database/sql"
	"testing"

	"fanfare/internal/testdb"
	"fanfare/migrations"
)

// TestDataOfAnotherServerIsAdopted: its positions count transactions of that
// server. Here they may all lie in the future, where no reader would reach them.
func TestDataOfAnotherServerIsAdopted(t *testing.T) {
	db, err := sql.Open("postgres", testdb.New(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if home, err := migrations.AtHome(t.Context(), db); err != nil || !home {
		t.Fatalf("AtHome = %t, %v for data of this server", home, err)
	}
	for _, statement := range []string{
		`UPDATE database_origin SET server = 'another'`,
		`INSERT INTO audit_logs (action, position) VALUES ('test', '999999999999')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if home, err := migrations.AtHome(t.Context(), db); err != nil || home {
		t.Fatalf("AtHome = %t, %v for data of another server", home, err)
	}
	if err := migrations.Up(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	if home, err := migrations.AtHome(t.Context(), db); err != nil || !home {
		t.Errorf("AtHome = %t, %v for data that was adopted", home, err)
	}
	var ahead int
	err = db.QueryRowContext(t.Context(), `SELECT count(*) FROM audit_logs WHERE position >= pg_snapshot_xmax(pg_current_snapshot())`).Scan(&ahead)
	if err != nil || ahead != 0 {
		t.Errorf("%d positions lie in the future (%v)", ahead, err)
	}
}
