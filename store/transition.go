package store

import (
	"context"
	"fmt"

	"github.com/jmoiron/sqlx"

	"fanfare"
)

// Every transition of a job is one statement: it changes rows of jobs, and the
// same statement writes the event, the audit record and the campaign's status
// that belong to the change. There is no moment at which one is there without
// the others, and no second round trip.
//
// Such a statement defines a CTE "changed" with these columns and ends with
// recordTransition:
//
//	job       jobs   the row as it is now
//	event     text   type of the event, NULL for none
//	action    text   of the audit record, NULL for none
//	outcome   text   status of the audit record
//	spent     int    the attempt that the audit record speaks of
//	metadata  jsonb  more of the audit record
//	campaign  jsonb  how the campaign stands from now on, NULL to leave it
const recordTransition = `
, recorded AS (
	INSERT INTO job_events (job_id, sequence, type, user_id, position, data)
	SELECT (job).id, (job).sequence, event, (job).user_id, (job).last_position, job_snapshot(job)
	FROM changed WHERE event IS NOT NULL
), audited AS (
	INSERT INTO audit_logs (user_id, action, resource, metadata, status)
	SELECT (job).user_id, action, (job).id::text,
		jsonb_build_object('kind', (job).kind, 'attempt', spent) || metadata, outcome
	FROM changed WHERE action IS NOT NULL
), settled AS (
	UPDATE campaigns c SET
		goal     = coalesce(campaign->>'goal', c.goal),
		channels = CASE WHEN campaign IS NULL THEN c.channels
			ELSE ARRAY(SELECT jsonb_array_elements_text(campaign->'channels')) END,
		content  = coalesce(campaign->'content', c.content),
		audience = coalesce(campaign->'audience', c.audience),
		budget   = CASE WHEN campaign IS NULL THEN c.budget ELSE (campaign->>'budget')::numeric END,
		intent   = coalesce(campaign->'intent', c.intent),
		status   = coalesce(campaign->>'status', CASE WHEN sent THEN 'partially_launched' END,
			(job).settles->>(job).status, c.status),
		launched_at = coalesce((campaign->>'launchedAt')::timestamptz, CASE WHEN sent THEN now() END, c.launched_at),
		updated_at = coalesce((campaign->>'updatedAt')::timestamptz, now())
	FROM changed CROSS JOIN LATERAL (SELECT ` + endedHalfway + ` AS sent) AS launch
	WHERE c.id = (job).campaign_id AND (campaign IS NOT NULL OR (job).settles ? (job).status)
)`

// endedHalfway is true of a launch that ends without a count of its own, by a
// cancel, a deadline or the loss of its workers, after something may have gone
// out.
const endedHalfway = `(job).finished_at IS NOT NULL AND (job).payload ? 'launchId' AND EXISTS (
		SELECT 1 FROM deliveries d WHERE d.launch_id = ((job).payload->>'launchId')::uuid
			AND d.status IN ('sending', 'sent', 'unknown'))`

// selectChanged returns the changed rows.
var selectChanged = `
SELECT ` + jobColumns + ` FROM changed CROSS JOIN LATERAL (SELECT (job).*) AS j`

// bump is part of every transition that makes an event: the next sequence, and
// a position that is never below the job's earlier ones.
const bump = `sequence = j.sequence + 1,
		last_position = greatest(j.last_position, pg_current_xact_id()),
		updated_at = now()`

// unlease is part of every transition that ends an attempt.
const unlease = `lease_token = NULL, lease_expires_at = NULL`

// lockInput takes the rows of "input" in one order, so that two statements over
// the same jobs wait for each other and never deadlock.
const lockInput = `locked AS (
	SELECT i.*, j.cancel_requested FROM input i JOIN jobs j ON j.id = i.job_id ORDER BY j.id FOR UPDATE OF j
)`

// relayGrace is how long a task may take to arrive before the relay looks
// whether it was lost.
const relayGrace = `interval '10 seconds'`

var submitSQL = `
WITH changed AS (
	INSERT INTO jobs AS j (id, user_id, campaign_id, kind, queue, payload, max_attempts, retry_of, settles,
		exclusive, deadline, traceparent, relay_at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, now() + make_interval(secs => $11), $12, now() + ` + relayGrace + `)
	RETURNING j AS job, 'job.queued' AS event, NULL AS action, NULL AS outcome, 0 AS spent,
		'{}'::jsonb AS metadata, NULL::jsonb AS campaign
)` + recordTransition + selectChanged

var claimSQL = `
WITH input AS (
	SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS i(job_id, token)
), ` + lockInput + `, changed AS (
	UPDATE jobs j SET status = 'running', attempt = j.attempt + 1, run_at = NULL,
		lease_token = i.token, lease_expires_at = now() + make_interval(secs => $4),
		started_at = coalesce(j.started_at, now()), ` + bump + `
	FROM locked i
	WHERE j.id = i.job_id AND j.status IN ('scheduled', 'queued', 'retrying') AND j.deadline > now()
		AND (j.run_at IS NULL OR j.run_at <= now() + interval '100 milliseconds')
	RETURNING j AS job, 'job.started' AS event, 'job.attempt.start' AS action, 'success' AS outcome,
		j.attempt AS spent, jsonb_build_object('worker', $3::text, 'lease', i.token) AS metadata,
		NULL::jsonb AS campaign
)` + recordTransition + `
SELECT ` + claimColumns + ` FROM changed CROSS JOIN LATERAL (SELECT (job).*) AS claimed`

const heldSQL = `SELECT ` + claimColumns + ` FROM jobs AS claimed WHERE id = $1 AND lease_token = $2`

const claimColumns = jobColumns + `, lease_token,
	(SELECT jsonb_object_agg(s.name, s.output) FROM job_steps s WHERE s.job_id = claimed.id) AS steps`

var stepSQL = `
WITH input AS (
	SELECT * FROM jsonb_to_recordset($1) AS i(job_id uuid, token uuid, name text, output jsonb, progress jsonb,
		input_tokens bigint, output_tokens bigint, cost_usd numeric, model text)
), ` + lockInput + `, changed AS (
	UPDATE jobs j SET progress = i.progress, losses = 0, ` + addUsage + `, ` + bump + `
	FROM locked i
	WHERE j.id = i.job_id AND j.lease_token = i.token
		AND NOT EXISTS (SELECT 1 FROM job_steps s WHERE s.job_id = i.job_id AND s.name = i.name)
	RETURNING j AS job, 'job.progress' AS event, NULL AS action, NULL AS outcome, 0 AS spent,
		'{}'::jsonb AS metadata, NULL::jsonb AS campaign, i.name, i.output
), kept AS (
	INSERT INTO job_steps (job_id, name, output) SELECT (job).id, name, output FROM changed WHERE name <> ''
)` + recordTransition + `
, held AS (
	SELECT (job).* FROM changed
	UNION ALL -- a step whose answer was lost on the way may be recorded again
	SELECT j.* FROM jobs j JOIN input i ON j.id = i.job_id AND j.lease_token = i.token
	JOIN job_steps s ON s.job_id = i.job_id AND s.name = i.name
)
SELECT ` + jobColumns + ` FROM held`

const addUsage = `input_tokens = j.input_tokens + i.input_tokens,
		output_tokens = j.output_tokens + i.output_tokens,
		cost_usd = CASE WHEN i.cost_usd IS NULL THEN j.cost_usd ELSE coalesce(j.cost_usd, 0) + i.cost_usd END,
		model = coalesce(nullif(i.model, ''), j.model)`

// An attempt that would be followed by another is the last one if the user has
// asked for the job to be canceled. "locked" shows the row as it is now: a
// cancel may have been committed while this statement waited.
var finishSQL = `
WITH input AS (
	SELECT * FROM jsonb_to_recordset($1) AS i(job_id uuid, token uuid, status text, result jsonb, error jsonb,
		input_tokens bigint, output_tokens bigint, cost_usd numeric, model text, delay double precision,
		unspent int, reason text, campaign jsonb, conversation_id uuid, reply text, audit jsonb)
), ` + lockInput + `, decided AS (
	SELECT *, CASE WHEN cancel_requested AND status IN ('queued', 'retrying') THEN 'canceled' ELSE status END AS next
	FROM locked
), changed AS (
	UPDATE jobs j SET status = i.next, attempt = j.attempt - i.unspent, ` + unlease + `, ` + addUsage + `,
		result = i.result,
		error = CASE WHEN i.next = 'canceled' AND i.error IS NULL THEN $2::jsonb ELSE i.error END,
		losses = 0, dispatch = j.dispatch + CASE WHEN i.next IN ('queued', 'retrying') THEN 1 ELSE 0 END,
		run_at = CASE WHEN i.next IN ('queued', 'retrying') THEN now() + make_interval(secs => i.delay) END,
		relay_at = now() + make_interval(secs => i.delay) + ` + relayGrace + `,
		finished_at = CASE WHEN i.next NOT IN ('queued', 'retrying') THEN now() END, ` + bump + `
	FROM decided i
	WHERE j.id = i.job_id AND j.lease_token = i.token
	RETURNING j AS job, 'job.' || i.next AS event, 'job.attempt.end' AS action,
		CASE WHEN i.next = 'succeeded' THEN 'success' ELSE 'failure' END AS outcome,
		j.attempt + i.unspent AS spent,
		jsonb_strip_nulls(jsonb_build_object('lease', i.token, 'outcome', coalesce(nullif(i.reason, ''), i.next),
			'code', i.error->>'code')) AS metadata,
		i.campaign, i.conversation_id, i.reply, i.audit
), noted AS (
	INSERT INTO audit_logs (user_id, action, resource, metadata, status)
	SELECT (job).user_id, audit->>'action', audit->>'resource', audit->'metadata', audit->>'status'
	FROM changed WHERE jsonb_typeof(audit) = 'object'
), replied AS (
	INSERT INTO conversation_messages (conversation_id, role, content)
	SELECT c.id, 'assistant', reply FROM changed JOIN conversations c ON c.id = conversation_id
), touched AS (
	UPDATE conversations c SET updated_at = now() FROM changed WHERE c.id = conversation_id
)` + recordTransition + selectChanged

// A running job is only told; its worker ends it.
var cancelSQL = `
WITH mine AS (
	SELECT id FROM jobs WHERE user_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR UPDATE
), changed AS (
	UPDATE jobs j SET cancel_requested = true,
		status = CASE WHEN j.status = 'running' THEN 'running' ELSE 'canceled' END,
		error = CASE WHEN j.status = 'running' THEN NULL ELSE $3::jsonb END,
		finished_at = CASE WHEN j.status = 'running' THEN NULL ELSE now() END,
		run_at = NULL,
		sequence = j.sequence + CASE WHEN j.status = 'running' THEN 0 ELSE 1 END,
		last_position = CASE WHEN j.status = 'running' THEN j.last_position
			ELSE greatest(j.last_position, pg_current_xact_id()) END,
		updated_at = now()
	FROM mine
	WHERE j.id = mine.id AND j.finished_at IS NULL AND NOT j.cancel_requested
	RETURNING j AS job, CASE WHEN j.status = 'canceled' THEN 'job.canceled' END AS event,
		NULL AS action, NULL AS outcome, 0 AS spent, '{}'::jsonb AS metadata, NULL::jsonb AS campaign
)` + recordTransition + selectChanged

// An attempt that was lost with its worker spends none; but the third in a row
// without progress ends the job, which may be what kills its workers.
var reapSQL = `
WITH due AS (
	SELECT id, lease_token AS token, CASE
		WHEN cancel_requested THEN 'canceled'
		WHEN deadline <= now() THEN 'expired'
		WHEN losses + 1 >= 3 THEN 'failed'
		ELSE 'retrying' END AS next
	FROM jobs WHERE status = 'running' AND lease_expires_at < now()
	ORDER BY lease_expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
), changed AS (
	UPDATE jobs j SET status = due.next, ` + unlease + `, losses = j.losses + 1, relay_at = now(),
		attempt = j.attempt - CASE WHEN due.next = 'retrying' THEN 1 ELSE 0 END,
		dispatch = j.dispatch + CASE WHEN due.next = 'retrying' THEN 1 ELSE 0 END,
		run_at = CASE WHEN due.next = 'retrying' THEN now() END,
		error = $2::jsonb->due.next,
		finished_at = CASE WHEN due.next <> 'retrying' THEN now() END, ` + bump + `
	FROM due WHERE j.id = due.id
	RETURNING j AS job, 'job.' || due.next AS event, 'job.attempt.end' AS action, 'failure' AS outcome,
		j.attempt + CASE WHEN due.next = 'retrying' THEN 1 ELSE 0 END AS spent,
		jsonb_build_object('lease', due.token, 'outcome', 'abandoned') AS metadata, NULL::jsonb AS campaign
)` + recordTransition + selectChanged

var expireSQL = `
WITH due AS (
	SELECT id FROM jobs WHERE status IN ('scheduled', 'queued', 'retrying') AND deadline <= now()
	ORDER BY deadline LIMIT $1 FOR UPDATE SKIP LOCKED
), changed AS (
	UPDATE jobs j SET status = 'expired', error = $2::jsonb, run_at = NULL, finished_at = now(), ` + bump + `
	FROM due WHERE j.id = due.id
	RETURNING j AS job, 'job.expired' AS event, 'job.expire' AS action, 'failure' AS outcome,
		j.attempt AS spent, '{}'::jsonb AS metadata, NULL::jsonb AS campaign
)` + recordTransition + selectChanged

// hotStatements are prepared once per connection: a typo in one stops the
// program at its start, and a round trip is saved at each call.
type hotStatements struct {
	job, submit, claim, held, heartbeat, step, finish, cancel, reap, expire, relay, turn named
}

func (h *hotStatements) prepare(ctx context.Context, db *sqlx.DB) error {
	for _, s := range []struct {
		name string
		stmt *named
		sql  string
	}{
		{"job", &h.job, `SELECT ` + jobColumns + ` FROM jobs WHERE id = $1 AND user_id = $2`},
		{"submit", &h.submit, submitSQL},
		{"claim", &h.claim, claimSQL},
		{"held", &h.held, heldSQL},
		{"heartbeat", &h.heartbeat, heartbeatSQL},
		{"step", &h.step, stepSQL},
		{"finish", &h.finish, finishSQL},
		{"cancel", &h.cancel, cancelSQL},
		{"reap", &h.reap, reapSQL},
		{"expire", &h.expire, expireSQL},
		{"relay", &h.relay, relaySQL},
		{"turn", &h.turn, turnSQL},
	} {
		stmt, err := db.PreparexContext(ctx, s.sql)
		if err != nil {
			return wrap(err, fmt.Sprintf("preparing the statement %q", s.name))
		}
		*s.stmt = named{stmt, s.name}
	}
	return nil
}

// transition runs a transition's statement and returns the jobs it changed.
func transition(ctx context.Context, stmt named, doing string, args ...any) ([]fanfare.Job, error) {
	var rows []jobRow
	if err := in(ctx, stmt).SelectContext(ctx, &rows, args...); err != nil {
		return nil, wrap(err, doing)
	}
	return jobsOf(rows)
}
