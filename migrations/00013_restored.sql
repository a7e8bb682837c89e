-- +goose Up
-- A backup does not know what was sent after it was made. So that nothing goes
-- out twice, restored data sends nothing by itself: launches that were not over
-- end, their messages are unknown, and schedules stop. People decide.
-- +goose StatementBegin
CREATE FUNCTION hold_launches() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    launch_held   text := 'The data was restored from a backup: what this launch sent after that was made is not known here. Find out what went out, then retry it or let it be.';
    delivery_held text := 'The data was restored from a backup: this may have gone out after that was made.';
    schedule_held text := 'The data was restored from a backup: what was launched after that was made is not known here. Set the schedule again.';
BEGIN
    WITH held AS (
        UPDATE deliveries d SET status = 'unknown', error = delivery_held, updated_at = now()
        FROM jobs j
        WHERE j.finished_at IS NULL AND d.launch_id = (j.payload->>'launchId')::uuid AND d.status IN ('pending', 'sending')
        RETURNING d.*
    )
    INSERT INTO audit_logs (user_id, action, resource, metadata, status)
    SELECT user_id, 'delivery.unknown', id::text, jsonb_build_object('launch', launch_id, 'channel', channel), 'failure'
    FROM held;

    -- What store/transition.go does for a cancel and for an attempt that is lost.
    WITH unfinished AS (
        SELECT id, lease_token FROM jobs WHERE finished_at IS NULL AND payload ? 'launchId'
    ), held AS (
        UPDATE jobs j SET status = 'canceled', cancel_requested = true, lease_token = NULL, lease_expires_at = NULL,
            run_at = NULL, finished_at = now(), updated_at = now(), sequence = j.sequence + 1,
            error = jsonb_build_object('code', 'canceled', 'message', launch_held, 'retryable', true)
        FROM unfinished u WHERE u.id = j.id
        RETURNING j AS job, u.lease_token AS lease
    ), recorded AS (
        INSERT INTO job_events (job_id, sequence, type, user_id, position, data)
        SELECT (job).id, (job).sequence, 'job.canceled', (job).user_id, pg_current_xact_id(), job_snapshot(job) FROM held
    ), audited AS (
        INSERT INTO audit_logs (user_id, action, resource, metadata, status)
        SELECT (job).user_id, 'job.attempt.end', (job).id::text, jsonb_build_object(
            'kind', (job).kind, 'attempt', (job).attempt, 'lease', lease, 'outcome', 'abandoned'), 'failure'
        FROM held WHERE lease IS NOT NULL
        UNION ALL
        SELECT (job).user_id, 'job.cancel', (job).id::text,
            jsonb_build_object('kind', (job).kind, 'reason', launch_held), 'success'
        FROM held
    )
    UPDATE campaigns c SET updated_at = now(),
        status = CASE WHEN begun THEN 'partially_launched' ELSE (job).settles->>'canceled' END,
        launched_at = CASE WHEN begun THEN now() ELSE c.launched_at END
    FROM held CROSS JOIN LATERAL (SELECT EXISTS (SELECT 1 FROM deliveries d
        WHERE d.launch_id = ((job).payload->>'launchId')::uuid AND d.status IN ('sending', 'sent', 'unknown'))) AS l(begun)
    WHERE c.id = (job).campaign_id AND (job).settles ? 'canceled';

    WITH held AS (
        UPDATE schedules SET enabled = false, next_at = NULL, next_local = NULL, reason = schedule_held, updated_at = now()
        WHERE enabled RETURNING *
    )
    INSERT INTO audit_logs (user_id, action, resource, metadata)
    SELECT user_id, 'schedule.stop', campaign_id::text, jsonb_build_object('schedule', id, 'reason', schedule_held)
    FROM held;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- As before; and launches are held, unless the origin says 'moved': then the
-- data is of an installation that had stopped before it was copied.
CREATE OR REPLACE FUNCTION adopt_database() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    origin text;
BEGIN
    INSERT INTO database_origin (server) VALUES (database_server()) ON CONFLICT (single) DO NOTHING;
    SELECT server INTO origin FROM database_origin FOR UPDATE;
    IF origin = database_server() THEN
        RETURN;
    END IF;
    IF origin <> 'moved' THEN
        PERFORM hold_launches();
    END IF;
    UPDATE job_events SET position = pg_current_xact_id();
    UPDATE jobs SET last_position = pg_current_xact_id();
    UPDATE audit_logs SET position = pg_current_xact_id();
    UPDATE audit_head SET settled = DEFAULT, settled_id = DEFAULT, settled_at = DEFAULT;
    UPDATE database_origin SET server = database_server();
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION adopt_database() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO database_origin (server) VALUES (database_server()) ON CONFLICT (single) DO NOTHING;
    PERFORM 1 FROM database_origin WHERE server = database_server() FOR UPDATE;
    IF FOUND THEN
        RETURN;
    END IF;
    UPDATE job_events SET position = pg_current_xact_id();
    UPDATE jobs SET last_position = pg_current_xact_id();
    UPDATE audit_logs SET position = pg_current_xact_id();
    UPDATE audit_head SET settled = DEFAULT, settled_id = DEFAULT, settled_at = DEFAULT;
    UPDATE database_origin SET server = database_server();
END
$$;
-- +goose StatementEnd
DROP FUNCTION hold_launches();
