package store

import (
	"context"
	"time"

	"fanfare"
)

// turnSQL settles what was sending and begins the next, in one commit: while a
// crash can happen, only what is really in flight is sending. A beginning whose
// answer was lost on the way is answered again: "after" is always past what the
// caller knows of.
var turnSQL = `
WITH ` + held + `, input AS (
	SELECT * FROM jsonb_to_recordset($3) AS i(id uuid, status text, provider_id text, error text)
), settled AS (
	UPDATE deliveries d SET status = i.status, provider_id = nullif(i.provider_id, ''), error = nullif(i.error, ''),
		updated_at = now()
	FROM input i CROSS JOIN held
	WHERE d.id = i.id AND d.status = 'sending'
	RETURNING d.*
), audited AS (
	INSERT INTO audit_logs (user_id, action, resource, metadata, status)
	SELECT user_id, '` + fanfare.ActionDeliveryUnknown + `', id::text,
		jsonb_build_object('launch', launch_id, 'channel', channel), 'failure'
	FROM settled WHERE status = 'unknown'
), picked AS (
	SELECT d.id, EXISTS (SELECT 1 FROM suppressions s
		WHERE s.user_id = d.user_id AND s.channel = d.channel AND s.address = d.recipient) AS unwanted
	FROM held CROSS JOIN deliveries d
	WHERE d.launch_id = $4 AND d.channel = $5 AND d.status = 'pending' AND d.id > $6
	ORDER BY d.id LIMIT $7 FOR UPDATE OF d
), begun AS (
	UPDATE deliveries d SET status = CASE WHEN unwanted THEN 'skipped' ELSE 'sending' END,
		error = CASE WHEN unwanted THEN 'The recipient has unsubscribed.' END, lease = $2, updated_at = now()
	FROM picked WHERE d.id = picked.id
	RETURNING d.id, d.recipient, unwanted
)
SELECT id, recipient, unwanted FROM begun
UNION ALL
SELECT d.id, d.recipient, false FROM held CROSS JOIN deliveries d
WHERE d.launch_id = $4 AND d.channel = $5 AND d.status = 'sending' AND d.id > $6 AND d.lease = $2 AND $7 > 0
ORDER BY id`

const firstID = "00000000-0000-0000-0000-000000000000"

type settlementInput struct {
	ID         string                 `json:"id"`
	Status     fanfare.DeliveryStatus `json:"status"`
	ProviderID string                 `json:"provider_id"`
	Error      string                 `json:"error"`
}

// Turn settles deliveries and begins the next ones of the page: these are
// sending, committed, when it returns. Nothing happens, and nothing is
// returned, where the lease was lost. Those of one attempt call it one at a
// time, each with the last id that the one before has returned.
func (s *Store) Turn(ctx context.Context, lease fanfare.Lease, settled []fanfare.Settlement, page fanfare.LedgerPage) ([]fanfare.Begun, error) {
	inputs := make([]settlementInput, len(settled))
	for i, d := range settled {
		inputs[i] = settlementInput{ID: d.ID, Status: d.Status, ProviderID: d.ProviderID, Error: d.Reason}
	}
	input, err := encode(inputs)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID        string `db:"id"`
		Recipient string `db:"recipient"`
		Unwanted  bool   `db:"unwanted"`
	}
	err = in(ctx, s.hot.turn).SelectContext(ctx, &rows, lease.JobID, lease.Token, input,
		page.LaunchID, page.Channel, after(page), page.Limit)
	if err != nil {
		return nil, wrap(err, "writing the ledger")
	}
	begun := make([]fanfare.Begun, len(rows))
	for i, row := range rows {
		begun[i] = fanfare.Begun{ID: row.ID, Recipient: row.Recipient, Skipped: row.Unwanted}
	}
	return begun, nil
}

func after(page fanfare.LedgerPage) string {
	if page.After == "" {
		return firstID
	}
	return page.After
}

// Stranded returns deliveries that another attempt left in sending: it has
// died, or lost its lease, and nobody else knows what became of them.
func (s *Store) Stranded(ctx context.Context, lease fanfare.Lease, page fanfare.LedgerPage) ([]fanfare.Begun, error) {
	var rows []struct {
		ID        string `db:"id"`
		Recipient string `db:"recipient"`
	}
	err := s.q(ctx).SelectContext(ctx, &rows, `WITH `+held+`
		SELECT d.id, d.recipient FROM held CROSS JOIN deliveries d
		WHERE d.launch_id = $3 AND d.channel = $4 AND d.status = 'sending' AND d.lease IS DISTINCT FROM $2 AND d.id > $5
		ORDER BY d.id LIMIT $6`, lease.JobID, lease.Token, page.LaunchID, page.Channel, after(page), page.Limit)
	if err != nil {
		return nil, wrap(err, "looking for deliveries in flight")
	}
	stranded := make([]fanfare.Begun, len(rows))
	for i, row := range rows {
		stranded[i] = fanfare.Begun{ID: row.ID, Recipient: row.Recipient}
	}
	return stranded, nil
}

// failStep is how many deliveries FailRest settles in one transaction.
const failStep = 5000

// FailRest settles what a launch has not sent on a channel and will not any
// more, with the reason.
func (s *Store) FailRest(ctx context.Context, lease fanfare.Lease, launchID string, channel fanfare.Channel, reason string) error {
	for {
		result, err := s.q(ctx).ExecContext(ctx, `WITH `+held+`, rest AS (
				SELECT d.id FROM held CROSS JOIN deliveries d
				WHERE d.launch_id = $3 AND d.channel = $4 AND d.status = 'pending' ORDER BY d.id LIMIT $6 FOR UPDATE OF d
			)
			UPDATE deliveries d SET status = 'failed', error = coalesce(d.error, $5), updated_at = now()
			FROM rest WHERE d.id = rest.id`, lease.JobID, lease.Token, launchID, channel, reason, failStep)
		if err != nil {
			return wrap(err, "settling what was not sent")
		}
		if n, err := result.RowsAffected(); err != nil || n < failStep {
			return wrap(err, "settling what was not sent")
		}
	}
}

// Reserve books the next n messages of an integration, at so many a second over
// all workers, and returns how long to wait before they may go out. With a rate
// of 0 it books nothing, but tells of a wait that the provider has asked for.
func (s *Store) Reserve(ctx context.Context, integrationID string, n int, rate float64) (time.Duration, error) {
	var wait float64
	var err error
	if rate > 0 {
		err = s.q(ctx).GetContext(ctx, &wait, `UPDATE integrations
			SET next_send_at = greatest(next_send_at, clock_timestamp()) + make_interval(secs => $2) WHERE id = $1
			RETURNING extract(epoch FROM next_send_at - make_interval(secs => $2) - clock_timestamp())`,
			integrationID, float64(n)/rate)
	} else {
		err = s.q(ctx).GetContext(ctx, &wait, `SELECT extract(epoch FROM greatest(next_send_at, clock_timestamp())
			- clock_timestamp()) FROM integrations WHERE id = $1`, integrationID)
	}
	if err != nil {
		return 0, wrap(err, "booking time to send")
	}
	return max(time.Duration(wait*float64(time.Second)), 0), nil
}

// Hold lets nothing more go out by an integration for a while, over all
// workers: its provider has asked for that.
func (s *Store) Hold(ctx context.Context, integrationID string, d time.Duration) error {
	_, err := s.q(ctx).ExecContext(ctx, `UPDATE integrations
		SET next_send_at = greatest(next_send_at, clock_timestamp() + make_interval(secs => $2)) WHERE id = $1`,
		integrationID, seconds(d))
	return wrap(err, "holding an integration back")
}
