package main

import (
	"context"

	"fanfare/config"
)

type apiCommand struct{}

func (apiCommand) Run(ctx context.Context) error {
	p, err := process(config.API)
	if err != nil {
		return err
	}
	return p.API(ctx)
}

type workerCommand struct{}

func (workerCommand) Run(ctx context.Context) error {
	p, err := process(config.Worker)
	if err != nil {
		return err
	}
	return p.Worker(ctx)
}

type schedulerCommand struct{}

func (schedulerCommand) Run(ctx context.Context) error {
	p, err := process(config.Scheduler)
	if err != nil {
		return err
	}
	return p.Scheduler(ctx)
}
