package main

import (
	"context"
	"os"

	"fanfare/config"
)

type keysCommand struct {
	Rotate keysRotate `cmd:"" help:"Re-encrypt every stored credential under ENCRYPTION_KEY, while everything runs."`
}

type keysRotate struct{}

func (keysRotate) Run(ctx context.Context) error {
	p, err := process(config.Keys)
	if err != nil {
		return err
	}
	return p.RotateKeys(ctx, os.Stdout)
}
