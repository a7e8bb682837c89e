package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"fanfare/app"
	"fanfare/config"
)

// dataFlag is where dev and demo keep what they make.
type dataFlag struct {
	Data string `help:"Directory for data and secrets, kept between runs." default:".fanfare" type:"path"`
}

func (f dataFlag) dev(log io.Writer) (app.Dev, error) {
	p, err := process(config.Dev)
	if err != nil {
		return app.Dev{}, err
	}
	p.Log = log
	return app.Dev{Process: p, Dir: f.Data, Out: os.Stdout}, nil
}

type devCommand struct{ dataFlag }

func (c devCommand) Run(ctx context.Context) error {
	d, err := c.dev(os.Stderr)
	if err != nil {
		return err
	}
	return d.Serve(ctx)
}

type demoCommand struct {
	dataFlag
	Once  bool   `help:"Exit after the trip: 0 if it came to its end, 1 if not."`
	Brief string `arg:"" optional:"" help:"What to make a campaign of; one of the examples if it is left out."`
}

// Run keeps the log out of the terminal: it stands in a file beside the data.
func (c demoCommand) Run(ctx context.Context) error {
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return fmt.Errorf("making the data directory: %w", err)
	}
	log, err := os.OpenFile(filepath.Join(c.Data, "fanfare.log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("opening the log: %w", err)
	}
	defer func() { _ = log.Close() }()
	d, err := c.dev(log)
	if err != nil {
		return err
	}
	return d.Demo(ctx, c.Brief, c.Once)
}
