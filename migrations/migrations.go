// Package migrations holds the database's schema as numbered steps, embedded
// in the program.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"slices"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed *.sql
var files embed.FS

// Step is one migration and whether it has been applied.
type Step struct {
	Version int64
	Name    string
	Applied bool
}

// Up applies every step that is missing, and makes data at home that was
// restored from a backup or another server: launches are held then, so that
// nothing goes out twice (00013_restored.sql). Any number of processes may call it at once: a
// lock in the database lets one work and the others wait for it.
func Up(ctx context.Context, db *sql.DB) error {
	p, err := locked(db)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrating up: %w", err)
	}
	if _, err := db.ExecContext(ctx, `SELECT adopt_database()`); err != nil {
		return fmt.Errorf("adopting the data of another server: %w", err)
	}
	return nil
}

// AtHome reports whether the data is of the server that it lies on: where it
// was restored from a backup or another one, Up has to run before anything else does.
func AtHome(ctx context.Context, db *sql.DB) (bool, error) {
	var home bool
	err := db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM database_origin WHERE server = database_server())`).Scan(&home)
	if err != nil {
		return false, fmt.Errorf("asking where the data comes from: %w", err)
	}
	return home, nil
}

// Down takes the newest applied step back.
func Down(ctx context.Context, db *sql.DB) error {
	p, err := locked(db)
	if err != nil {
		return err
	}
	if _, err := p.Down(ctx); err != nil {
		return fmt.Errorf("migrating down: %w", err)
	}
	return nil
}

// Status lists every step, oldest first.
func Status(ctx context.Context, db *sql.DB) ([]Step, error) {
	p, err := provider(db)
	if err != nil {
		return nil, err
	}
	found, err := p.Status(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations' status: %w", err)
	}
	steps := make([]Step, len(found))
	for i, s := range found {
		steps[i] = Step{Version: s.Source.Version, Name: s.Source.Path, Applied: s.State == goose.StateApplied}
	}
	return steps, nil
}

// Pending counts the steps that this program knows and db lacks.
func Pending(ctx context.Context, db *sql.DB) (int, error) {
	p, err := provider(db)
	if err != nil {
		return 0, err
	}
	if _, err := p.GetDBVersion(ctx); err != nil { // makes goose's table where there is none
		return 0, fmt.Errorf("reading the migrations' version: %w", err)
	}
	// Every process asks this at its start: once, not once for each step as Status does.
	table, err := database.NewStore(goose.DialectPostgres, goose.DefaultTablename)
	if err != nil {
		return 0, fmt.Errorf("reading the migrations' table: %w", err)
	}
	applied, err := table.ListMigrations(ctx, db)
	if err != nil {
		return 0, fmt.Errorf("reading the migrations' table: %w", err)
	}
	pending := 0
	for _, source := range p.ListSources() {
		if !slices.ContainsFunc(applied, func(m *database.ListMigrationsResult) bool { return m.Version == source.Version && m.IsApplied }) {
			pending++
		}
	}
	return pending, nil
}

// locked is for changes: one process works, the others look again each second.
func locked(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 600))
	if err != nil {
		return nil, fmt.Errorf("preparing the migrations' lock: %w", err)
	}
	return provider(db, goose.WithSessionLocker(locker))
}

func provider(db *sql.DB, options ...goose.ProviderOption) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, db, files, options...)
	if err != nil {
		return nil, fmt.Errorf("reading the migrations: %w", err)
	}
	return p, nil
}
