package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/term"

	"fanfare/app"
	"fanfare/config"
)

type doctorCommand struct {
	JSON   bool `name:"json" help:"One JSON object, for machines."`
	SkipAI bool `name:"skip-ai" help:"Do not ask the model; a look at it costs some hundred tokens."`
}

func (c doctorCommand) Run(ctx context.Context) error {
	settings, problems := config.Examine(os.Environ(), config.Doctor)
	d := app.Doctor{Process: app.Process{Config: settings, Version: version, Log: os.Stderr}, Problems: problems, SkipAI: c.SkipAI, Now: time.Now}
	color := term.IsTerminal(int(os.Stdout.Fd())) && os.Getenv("NO_COLOR") == ""
	return d.Examine(ctx, os.Stdout, c.JSON, color)
}
