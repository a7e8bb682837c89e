package main

import (
	"context"
	"os"

	"fanfare/config"
)

type healthcheckCommand struct {
	Process string `arg:"" enum:"api,worker,scheduler" help:"api, worker or scheduler."`
}

func (c healthcheckCommand) Run(ctx context.Context) error {
	needs := config.Health
	if c.Process == "api" {
		needs = config.Dev // where it listens is all there is to know
	}
	p, err := process(needs)
	if err != nil {
		return err
	}
	return p.Healthcheck(ctx, c.Process, os.Stdout)
}
