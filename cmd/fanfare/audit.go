package main

import (
	"context"
	"os"

	"fanfare/config"
)

type auditCommand struct {
	Verify auditVerify `cmd:"" help:"Check that no audit record was changed, deleted or inserted later; exits 1 and names the first that was."`
}

type auditVerify struct {
	Head string `help:"A head of the chain that was noted earlier, from the scheduler's log: it must still be in the chain."`
}

func (c auditVerify) Run(ctx context.Context) error {
	p, err := process(config.Audit)
	if err != nil {
		return err
	}
	return p.VerifyAudit(ctx, c.Head, os.Stdout)
}
