package store

import (
	"bytes"
	"context"

	"github.com/lib/pq"

	"fanfare"
)

// Cancel ends the user's jobs with these ids that wait, and asks the workers
// to end those that run. It returns the jobs that it changed: not those that
// are over or were asked for before.
func (s *Store) Cancel(ctx context.Context, userID string, ids ...string) ([]fanfare.Job, error) {
	return transition(ctx, s.hot.cancel, "canceling jobs", userID, pq.Array(ids), jobError(fanfare.CanceledError()))
}

// LiveJobs returns the ids of a campaign's jobs that are not over.
func (s *Store) LiveJobs(ctx context.Context, userID, campaignID string) ([]string, error) {
	var ids []string
	err := s.q(ctx).SelectContext(ctx, &ids, `SELECT id FROM jobs
		WHERE campaign_id = $1 AND user_id = $2 AND finished_at IS NULL`, campaignID, userID)
	return ids, wrap(err, "looking for a campaign's jobs")
}

// launchedInPart is true of a launch that is over and has something left to
// send; messages of unknown fate count only where a person says so.
const launchedInPart = `(status = 'succeeded' AND payload ? 'launchId' AND NOT result ? 'dryRun' AND (
		jsonb_path_exists(result, '$.launchResults[*] ? (@.failed > 0 || @.status == "failed" || @.status == "skipped")')
		OR $4 AND jsonb_path_exists(result, '$.launchResults[*] ? (@.unknown > 0)')))`

const retrySQL = `
WITH changed AS (
	INSERT INTO jobs AS j (id, user_id, campaign_id, kind, queue, payload, max_attempts, retry_of, settles,
		exclusive, deadline, traceparent, relay_at)
	SELECT $1, user_id, campaign_id, kind, queue, CASE WHEN payload ? 'launchId'
			THEN payload || jsonb_build_object('reopen', true, 'resendUnknown', $4::boolean) ELSE payload END,
		max_attempts, id, settles,
		exclusive, now() + (deadline - created_at), $5, now() + ` + relayGrace + `
	FROM jobs old
	WHERE id = $2 AND user_id = $3 AND (status IN ('failed', 'canceled', 'expired') OR ` + launchedInPart + `)
		AND (campaign_id IS NULL OR EXISTS (SELECT 1 FROM campaigns WHERE campaigns.id = old.campaign_id))
		AND NOT EXISTS (SELECT 1 FROM jobs newer WHERE newer.campaign_id = old.campaign_id AND newer.kind = old.kind
			AND newer.created_at > old.created_at AND newer.status = 'succeeded' AND old.settles <> '{}'
			AND newer.payload->>'launchId' IS NOT DISTINCT FROM old.payload->>'launchId')
	RETURNING j AS job, 'job.queued' AS event, NULL AS action, NULL AS outcome, 0 AS spent,
		'{}'::jsonb AS metadata, NULL::jsonb AS campaign
), copied AS (
	INSERT INTO job_steps (job_id, name, output)
	SELECT (job).id, s.name, s.output FROM changed JOIN job_steps s ON s.job_id = (job).retry_of
)` + recordTransition

// Retry submits a user's failed, canceled or expired job anew, and a launch that
// has something left to send. What its finished steps produced goes with it.
// resendUnknown lets a launch also send what may have been sent.
func (s *Store) Retry(ctx context.Context, userID, id string, resendUnknown bool) (fanfare.Job, error) {
	var rows []jobRow
	err := s.q(ctx).SelectContext(ctx, &rows, retrySQL+selectChanged, NewID(), id, userID, resendUnknown,
		nullable(fanfare.Traceparent(ctx)))
	switch {
	case violates(err, "jobs_exclusive"):
		return fanfare.Job{}, notRetryable("This job is already being tried again. Watch the newer job instead.")
	case err != nil:
		return fanfare.Job{}, wrap(err, "retrying a job")
	case len(rows) == 1:
		return rows[0].job()
	}
	job, err := s.Job(ctx, userID, id)
	if err != nil {
		return fanfare.Job{}, err
	}
	if job.Status.Retryable() {
		return fanfare.Job{}, notRetryable("The campaign of this job was deleted, or a later job has done the work already. Submit a new brief instead.")
	}
	if job.Status == fanfare.JobSucceeded && bytes.Contains(job.Payload, []byte(`"launchId"`)) {
		return fanfare.Job{}, notRetryable("This launch has nothing left to send. Messages of unknown fate are only sent again with resendUnknown: true.")
	}
	return fanfare.Job{}, notRetryable("Only a job that failed, was canceled or has expired can be retried; this one is " + string(job.Status) + ".")
}

func notRetryable(message string) error {
	return fanfare.Errorf(fanfare.CodeNotRetryable, "%s", message)
}
