package store

import (
	"context"
	"time"

	"fanfare"
)

// auditUnknown tells of deliveries in "settled" of which nobody knows whether
// they arrived.
const auditUnknown = `audited AS (
	INSERT INTO audit_logs (user_id, action, resource, metadata, status)
	SELECT user_id, '` + fanfare.ActionDeliveryUnknown + `', id::text,
		jsonb_build_object('launch', launch_id, 'channel', channel), 'failure'
	FROM settled WHERE status = 'unknown'
)`

// turnSQL settles what was sending and begins the next, in one commit: while a
// crash can happen, only what is really in flight is sending. A beginning whose
// answer was lost on the way is answered again: "after" is always past what the
// caller knows of. A lease that is there already tells that a delivery was begun
// before and did not surely fail. (For EXISTS PostgreSQL may hash all suppressions
// that there are.)
var turnSQL = `
WITH ` + held + `, input AS (
	SELECT * FROM jsonb_to_recordset($3) AS i(id uuid, status text, provider_id text, error text)
), settled AS (
	UPDATE deliveries d SET status = i.status, provider_id = nullif(i.provider_id, ''), error = nullif(i.error, ''),
		lease = CASE i.status WHEN 'failed' THEN NULL ELSE d.lease END, updated_at = now()
	FROM input i CROSS JOIN held
	WHERE d.id = i.id AND d.status = 'sending'
	RETURNING d.*
), ` + auditUnknown + `, picked AS (
	SELECT d.id, d.lease IS NOT NULL AS again, (SELECT s.address FROM suppressions s
		WHERE s.user_id = d.user_id AND s.channel = d.channel AND s.address = d.recipient) IS NOT NULL AS unwanted
	FROM held CROSS JOIN deliveries d
	WHERE d.launch_id = $4 AND d.channel = $5 AND d.status = 'pending' AND d.id > $6
	ORDER BY d.id LIMIT $7 FOR UPDATE OF d
), begun AS (
	UPDATE deliveries d SET status = CASE WHEN unwanted THEN 'skipped' ELSE 'sending' END,
		error = CASE WHEN unwanted THEN 'The recipient has unsubscribed.' END, lease = $2, updated_at = now()
	FROM picked WHERE d.id = picked.id
	RETURNING d.id, d.recipient, unwanted, again
)
SELECT id, recipient, unwanted, again, NULL AS channel, NULL AS status, 0 AS count FROM begun
UNION ALL
SELECT d.id, d.recipient, false, true, NULL, NULL, 0 FROM held CROSS JOIN deliveries d
WHERE d.launch_id = $4 AND d.channel = $5 AND d.status = 'sending' AND d.id > $6 AND d.lease = $2 AND $7 > 0
UNION ALL
SELECT NULL, NULL, false, false, channel, status, count(*) FROM settled WHERE status <> 'pending' GROUP BY channel, status
ORDER BY id`

// turnRow is a delivery that was begun or, without an id, how many were settled.
type turnRow struct {
	ID        *string `db:"id"`
	Recipient *string `db:"recipient"`
	Unwanted  bool    `db:"unwanted"`
	Again     bool    `db:"again"`
	Channel   *string `db:"channel"`
	Status    *string `db:"status"`
	Count     int     `db:"count"`
}

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
	var rows []turnRow
	err = in(ctx, s.hot.turn).SelectContext(ctx, &rows, lease.JobID, lease.Token, input,
		page.LaunchID, page.Channel, after(page), page.Limit)
	if err != nil {
		return nil, wrap(err, "writing the ledger")
	}
	return s.turned(rows, page.Channel), nil
}

// turned tells of what was settled, those left out too, and returns what was
// begun.
func (s *Store) turned(rows []turnRow, channel fanfare.Channel) (begun []fanfare.Begun) {
	var counts []fanfare.DeliveryCount
	skipped := fanfare.DeliveryCount{Channel: channel, Status: fanfare.DeliverySkipped}
	for _, row := range rows {
		if row.ID == nil {
			counts = append(counts, fanfare.DeliveryCount{
				Channel: fanfare.Channel(*row.Channel), Status: fanfare.DeliveryStatus(*row.Status), Count: row.Count,
			})
			continue
		}
		if row.Unwanted {
			skipped.Count++
		}
		begun = append(begun, fanfare.Begun{ID: *row.ID, Recipient: *row.Recipient, Skipped: row.Unwanted, Again: row.Again})
	}
	s.tellSettled(append(counts, skipped)...)
	return begun
}

func (s *Store) tellSettled(counts ...fanfare.DeliveryCount) {
	if s.Settled != nil {
		s.Settled(counts)
	}
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
		stranded[i] = fanfare.Begun{ID: row.ID, Recipient: row.Recipient, Again: true}
	}
	return stranded, nil
}

// ledgerStep is how many deliveries one transaction changes at most, beside
// those that are being sent.
const ledgerStep = 5000

// Abandon settles as unknown what is sending on a channel, with the reason: its
// attempt is lost, and nobody is left to ask. All of it was in flight at once,
// so there is not much.
func (s *Store) Abandon(ctx context.Context, lease fanfare.Lease, launchID string, channel fanfare.Channel, reason string) error {
	var n int
	err := s.q(ctx).GetContext(ctx, &n, `WITH `+held+`, lost AS (
			SELECT d.id FROM held CROSS JOIN deliveries d
			WHERE d.launch_id = $3 AND d.channel = $4 AND d.status = 'sending' ORDER BY d.id LIMIT $6 FOR UPDATE OF d
		), settled AS (
			UPDATE deliveries d SET status = 'unknown', error = $5, updated_at = now()
			FROM lost WHERE d.id = lost.id RETURNING d.*
		), `+auditUnknown+`
		SELECT count(*) FROM settled`, lease.JobID, lease.Token, launchID, channel, reason, ledgerStep)
	s.tellSettled(fanfare.DeliveryCount{Channel: channel, Status: fanfare.DeliveryUnknown, Count: n})
	return wrap(err, "settling what was in flight")
}

// SettleAbandoned settles as unknown what is sending for launches that no
// unfinished job belongs to: their job ended when its worker was lost. It
// returns how many there were, at most limit.
func (s *Store) SettleAbandoned(ctx context.Context, limit int) (n int, err error) {
	var counts []fanfare.DeliveryCount
	err = s.q(ctx).SelectContext(ctx, &counts, `WITH lost AS (
			SELECT d.id FROM deliveries d
			WHERE d.status = 'sending' AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.campaign_id = d.campaign_id
				AND j.finished_at IS NULL AND j.payload->>'launchId' = d.launch_id::text)
			LIMIT $1 FOR UPDATE SKIP LOCKED
		), settled AS (
			UPDATE deliveries d SET status = 'unknown', updated_at = now(), error = $2
			FROM lost WHERE d.id = lost.id RETURNING d.*
		), `+auditUnknown+`
		SELECT channel, status, count(*) AS count FROM settled GROUP BY channel, status`, limit, fanfare.LostInFlight)
	for _, c := range counts {
		n += c.Count
	}
	s.tellSettled(counts...)
	return n, wrap(err, "settling what was in flight")
}

// Reopen makes deliveries of a launch pending again: those that failed, and
// those of unknown fate where a person says so: these count as never begun.
func (s *Store) Reopen(ctx context.Context, lease fanfare.Lease, launchID string, unknown bool) error {
	step := struct {
		Count int    `db:"count"`
		Last  string `db:"last"`
	}{Last: firstID}
	for {
		err := s.q(ctx).GetContext(ctx, &step, `WITH `+held+`, ended AS (
				SELECT d.id FROM held CROSS JOIN deliveries d
				WHERE d.launch_id = $3 AND d.status IN ('failed', 'unknown') AND (d.status = 'failed' OR $4) AND d.id > $5
				ORDER BY d.id LIMIT $6 FOR UPDATE OF d
			), opened AS (
				UPDATE deliveries d SET status = 'pending', error = NULL, updated_at = now(),
					lease = CASE d.status WHEN 'unknown' THEN NULL ELSE d.lease END
				FROM ended WHERE d.id = ended.id
			)
			SELECT count(*) AS count, coalesce(max(id::text), '') AS last FROM ended`,
			lease.JobID, lease.Token, launchID, unknown, step.Last, ledgerStep)
		if err != nil || step.Count < ledgerStep {
			return wrap(err, "opening a launch again")
		}
	}
}

// FailRest settles what a launch has not sent on a channel and will not any
// more, with the reason.
func (s *Store) FailRest(ctx context.Context, lease fanfare.Lease, launchID string, channel fanfare.Channel, reason string) error {
	for {
		result, err := s.q(ctx).ExecContext(ctx, `WITH `+held+`, rest AS (
				SELECT d.id FROM held CROSS JOIN deliveries d
				WHERE d.launch_id = $3 AND d.channel = $4 AND d.status = 'pending' ORDER BY d.id LIMIT $6 FOR UPDATE OF d
			)
			UPDATE deliveries d SET status = 'failed', error = coalesce(d.error, $5), updated_at = now()
			FROM rest WHERE d.id = rest.id`, lease.JobID, lease.Token, launchID, channel, reason, ledgerStep)
		if err != nil {
			return wrap(err, "settling what was not sent")
		}
		n, err := result.RowsAffected()
		s.tellSettled(fanfare.DeliveryCount{Channel: channel, Status: fanfare.DeliveryFailed, Count: int(n)})
		if err != nil || n < ledgerStep {
			return wrap(err, "settling what was not sent")
		}
	}
}

// Reserve books the next message of an integration, at so many a second over
// all workers, and returns how long to wait before it may go out. Nothing is
// booked where that is longer than within, nor with a rate of 0, by which one
// learns of a pause that the provider has asked for.
func (s *Store) Reserve(ctx context.Context, integrationID string, rate float64, within time.Duration) (time.Duration, error) {
	gap := 0.0
	if rate > 0 {
		gap = 1 / rate
	}
	var slot struct {
		Booked bool    `db:"booked"`
		Wait   float64 `db:"wait"`
	}
	err := s.q(ctx).GetContext(ctx, &slot, `WITH booked AS (
			UPDATE integrations SET next_send_at = greatest(next_send_at, clock_timestamp()) + make_interval(secs => $2)
			WHERE id = $1 AND $2::float8 > 0 AND next_send_at <= clock_timestamp() + make_interval(secs => $3)
			RETURNING next_send_at - make_interval(secs => $2) AS at
		)
		SELECT EXISTS (SELECT 1 FROM booked) AS booked, extract(epoch FROM
			coalesce((SELECT at FROM booked), greatest(next_send_at, clock_timestamp())) - clock_timestamp()) AS wait
		FROM integrations WHERE id = $1`, integrationID, gap, seconds(within))
	if err != nil {
		return 0, wrap(err, "booking time to send")
	}
	wait := max(time.Duration(slot.Wait*float64(time.Second)), 0)
	if rate > 0 && !slot.Booked {
		wait = max(wait, within+time.Millisecond)
	}
	return wait, nil
}

// Hold lets nothing more go out by an integration for a while, over all
// workers: its provider has asked for that.
func (s *Store) Hold(ctx context.Context, integrationID string, d time.Duration) error {
	_, err := s.q(ctx).ExecContext(ctx, `UPDATE integrations
		SET next_send_at = greatest(next_send_at, clock_timestamp() + make_interval(secs => $2)) WHERE id = $1`,
		integrationID, seconds(d))
	return wrap(err, "holding an integration back")
}
