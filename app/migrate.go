package app

import (
	"context"
	"database/sql"
	"fmt"
	"io"

	"fanfare/migrations"
	"fanfare/store"
)

// MigrateUp applies the migrations that are missing.
func (p Process) MigrateUp(ctx context.Context) error {
	return p.withMigrations(ctx, func(db *sql.DB) error { return migrations.Up(ctx, db) })
}

// MigrateDown takes the newest migration back.
func (p Process) MigrateDown(ctx context.Context) error {
	return p.withMigrations(ctx, func(db *sql.DB) error { return migrations.Down(ctx, db) })
}

// MigrateStatus lists the migrations on out.
func (p Process) MigrateStatus(ctx context.Context, out io.Writer) error {
	return p.withMigrations(ctx, func(db *sql.DB) error {
		steps, err := migrations.Status(ctx, db)
		for _, step := range steps {
			state := "pending"
			if step.Applied {
				state = "applied"
			}
			_, _ = fmt.Fprintf(out, "%-8s %s\n", state, step.Name)
		}
		return err
	})
}

// withMigrations answers ctx's own error where that has ended: what was under
// way is undone then, and the driver only says that it was.
func (p Process) withMigrations(ctx context.Context, do func(*sql.DB) error) error {
	db, err := store.ConnectForMigrations(p.Config.DatabaseURL)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	err = do(db)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
