package main

import (
	"context"
	"os"

	"fanfare/config"
)

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Apply what is missing. Safe from several processes at once."`
	Down   migrateDown   `cmd:"" help:"Take the newest migration back."`
	Status migrateStatus `cmd:"" help:"List the migrations."`
}

type migrateUp struct{}

func (migrateUp) Run(ctx context.Context) error {
	p, err := process(config.Migrate)
	if err != nil {
		return err
	}
	return p.MigrateUp(ctx)
}

type migrateDown struct{}

func (migrateDown) Run(ctx context.Context) error {
	p, err := process(config.Migrate)
	if err != nil {
		return err
	}
	return p.MigrateDown(ctx)
}

type migrateStatus struct{}

func (migrateStatus) Run(ctx context.Context) error {
	p, err := process(config.Migrate)
	if err != nil {
		return err
	}
	return p.MigrateStatus(ctx, os.Stdout)
}
