package app

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"fanfare"
	"fanfare/store"
)

// VerifyAudit checks the audit trail and says on out what was found sound. The
// error names what was not, the first broken range first. A noted head, "" for
// none, must be in the chain too.
func (p Process) VerifyAudit(ctx context.Context, noted string, out io.Writer) error {
	head, err := parseHead(noted)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, p.Config.DatabaseURL, 2)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	report, err := db.VerifyAudit(ctx, head)
	if err != nil {
		return err
	}
	if len(report.Problems) > 0 {
		return errors.New("the audit trail does not hold:\n- " + strings.Join(report.Problems, "\n- "))
	}
	_, _ = io.WriteString(out, soundness(report))
	return nil
}

// soundness is the report on a trail that holds.
func soundness(r fanfare.AuditReport) string {
	var b strings.Builder
	switch {
	case r.Head.Sequence == 0:
		b.WriteString("No audit record is sealed yet.\n")
	case r.Records == 0:
		fmt.Fprintf(&b, "No sealed audit record is left; the head of the chain is %s (number %d).\n", r.Head.Hash, r.Head.Sequence)
	default:
		fmt.Fprintf(&b, "%d audit records from %s to %s are sealed and sound; the head of the chain is %s (number %d).\n",
			r.Records, r.First.UTC().Format("2006-01"), r.Last.UTC().Format("2006-01"), r.Head.Hash, r.Head.Sequence)
	}
	if r.Dropped > 0 {
		fmt.Fprintf(&b, "The records of %d months, the last one %s, were dropped after their time; their seals fit.\n",
			r.Dropped, r.LastDropped.UTC().Format("2006-01"))
	}
	if r.Waiting > 0 {
		fmt.Fprintf(&b, "%d records of the last minute wait for their seal.\n", r.Waiting)
	}
	return b.String()
}

// parseHead reads a head as the scheduler logs it.
func parseHead(text string) (*fanfare.AuditHash, error) {
	if text == "" {
		return nil, nil
	}
	var hash fanfare.AuditHash
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != len(hash) {
		return nil, fmt.Errorf("a head has %d hexadecimal digits: copy the field \"head\" from the scheduler's log", 2*len(hash))
	}
	copy(hash[:], raw)
	return &hash, nil
}
